"""A small model of the rules, without actors or messages: every operation is done at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class Kid:
    key: int
    restart: str
    significant: bool
    state: str = "stopped"  # stopped, running, died (not dealt with yet), restarting
    retry_at: float = 0.0
    retry_number: int = 0
    tries: int = 0
    started_at: float | None = None
    owed: bool = False  # stopped by the strategy for a sibling's restart


class Model:
    def __init__(
        self, strategy: str, auto: str, max_restarts: int | None, max_seconds: float, backoff: Any, now: float
    ) -> None:
        self.strategy, self.auto = strategy, auto
        self.max_restarts, self.max_seconds, self.backoff = max_restarts, max_seconds, backoff
        self.kids: list[Kid] = []
        self.plans: dict[int, list[str]] = {}
        self.attempts: list[float] = []
        self.now = now
        self.log: list[tuple[str, int]] = []
        self.end: str | None = None
        self.retries = 0

    def kid(self, key: int) -> Kid | None:
        return next((kid for kid in self.kids if kid.key == key), None)

    # -- starting and stopping one

    def start(self, kid: Kid) -> str:
        plan = self.plans.get(kid.key)
        outcome = plan.pop(0) if plan else "ok"
        self.log.append(("start", kid.key))
        kid.state = "stopped"
        kid.owed = False
        if outcome == "ok":
            kid.state = "running"
            kid.started_at = self.now
        elif outcome == "ignore" and kid.restart == "temporary":  # R3
            self.kids.remove(kid)
        return outcome

    def stop(self, kid: Kid) -> None:
        if kid.state == "running":
            self.log.append(("exit", kid.key))
        kid.state = "stopped"
        kid.owed = False

    def finish(self, end: str) -> None:
        for kid in reversed(self.kids):  # R16
            self.stop(kid)
        self.end = end

    def start_all(self) -> None:
        for kid in list(self.kids):  # R1
            if self.start(kid) == "fail":
                self.finish("start_failed")  # R2
                return

    # -- exits

    def die(self, kid: Kid) -> None:
        self.log.append(("exit", kid.key))
        kid.state = "died"

    def deal_with(self, kid: Kid, abnormal: bool) -> None:
        if self.end is not None or kid.state != "died":
            return  # the strategy stopped or restarted it meanwhile
        if kid.restart == "permanent" or (kid.restart == "transient" and abnormal):  # R7
            self.restart(kid, first=True)
            return
        kid.state = "stopped"
        if kid.restart == "temporary":
            self.kids.remove(kid)
        if kid.significant:  # R26
            others = [k for k in self.kids if k is not kid and k.significant and k.state != "stopped"]
            if self.auto == "any_significant" or (self.auto == "all_significant" and not others):
                self.finish("auto")

    def restart(self, kid: Kid, first: bool) -> None:
        kid.state = "restarting"
        if self.max_restarts is not None:  # R11
            self.attempts.append(self.now)
            if sum(self.now - at <= self.max_seconds for at in self.attempts) > self.max_restarts:
                self.finish("budget")  # R12
                return
        delay = 0.0
        if self.backoff is not None:
            if kid.started_at is not None and self.now - kid.started_at >= self.backoff.reset_after:
                kid.tries = 0
            kid.started_at = None
            delay = 0.0 if kid.tries == 0 else min(5.0, 0.5 * 2.0 ** (kid.tries - 1))
            kid.tries += 1
        if first and delay == 0.0:
            self.attempt(kid)
        else:
            self.stop_group(kid)
            self.retries += 1
            kid.retry_at, kid.retry_number = self.now + delay, self.retries

    def stop_group(self, kid: Kid) -> None:
        at = self.kids.index(kid)
        group = {"one_for_one": [kid], "one_for_all": self.kids, "rest_for_one": self.kids[at:]}[self.strategy]
        for each in reversed(list(group)):  # R8
            if each is not kid:
                was_active = each.state != "stopped"
                owed = each.owed
                self.stop(each)
                each.owed = was_active or owed
                if each.restart == "temporary":  # R9
                    self.kids.remove(each)

    def attempt(self, kid: Kid) -> None:
        self.stop_group(kid)
        at = self.kids.index(kid)
        group = {"one_for_one": [kid], "one_for_all": self.kids, "rest_for_one": self.kids[at:]}[self.strategy]
        for each in list(group):  # R10
            if self.start(each) == "fail":
                self.restart(each, first=False)  # R13, R14
                return

    # -- time

    def settle(self) -> None:
        while self.end is None:
            due = [k for k in self.kids if k.state == "restarting" and k.retry_at <= self.now]
            if not due:
                return
            self.attempt(min(due, key=lambda k: (k.retry_at, k.retry_number)))

    def advance(self, seconds: float) -> None:
        target = self.now + seconds
        self.settle()
        while self.end is None:
            pending = [k.retry_at for k in self.kids if k.state == "restarting" and k.retry_at <= target]
            if not pending:
                break
            self.now = max(self.now, min(pending))
            self.settle()
        self.now = target

    # -- administration: the name of the error, or "ok", "none"

    def start_child(self, kid: Kid) -> str:
        present = self.kid(kid.key)
        if kid.significant and self.auto == "never":
            return "SpecError"  # R25
        if present is not None:  # R19
            return "AlreadyPresent" if present.state == "stopped" else "AlreadyStarted"
        self.kids.append(kid)
        outcome = self.start(kid)
        if outcome == "fail":
            self.kids.remove(kid)
            return "StartFailed"
        return outcome

    def terminate_child(self, key: int) -> str:
        kid = self.kid(key)
        if kid is None:
            return "ChildNotFound"
        restarting = kid.state == "restarting"
        self.stop(kid)  # R20
        if kid.restart == "temporary":
            self.kids.remove(kid)
        if restarting:
            self.start_owed()
        return "ok"

    def start_owed(self) -> None:
        """Start what was stopped for a child that is to be restarted no more."""
        for each in list(self.kids):
            if each.owed and self.start(each) == "fail":
                self.restart(each, first=False)
                return

    def refusal(self, key: int) -> str | None:
        kid = self.kid(key)  # R21
        if kid is None:
            return "ChildNotFound"
        return {"running": "ChildRunning", "restarting": "ChildRestarting", "stopped": None}[kid.state]

    def restart_child(self, key: int) -> str:
        refused = self.refusal(key)
        if refused is not None:
            return refused
        kid = self.kid(key)
        assert kid is not None
        return {"ok": "ok", "ignore": "ignore", "fail": "StartFailed"}[self.start(kid)]

    def delete_child(self, key: int) -> str:
        refused = self.refusal(key)
        if refused is None:
            self.kids = [kid for kid in self.kids if kid.key != key]
        return refused or "ok"
