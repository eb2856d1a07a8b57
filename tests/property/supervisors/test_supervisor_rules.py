"""The supervisor does what the model of the rules does, in the same order."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.supervisor_model import Kid, Model

from supervisors import (
    IGNORE,
    Backoff,
    ChildSpec,
    CountChildren,
    Crashed,
    DeleteChild,
    Killed,
    LightActor,
    Normal,
    RestartBudgetExceeded,
    RestartChild,
    Shutdown,
    StartChild,
    StartFailed,
    Supervisor,
    TerminateChild,
    WhichChildren,
    monitor,
)
from supervisors.actors.lifecycle import Started, lifecycle_of
from supervisors.testing import ManualScheduler

BACKOFF = Backoff(base=0.5, factor=2.0, maximum=5.0, reset_after=3.0)
CRASH = Crashed(ValueError("bad"))
EXITS = st.sampled_from([Normal(), Shutdown("done"), CRASH, CRASH, Killed()])
IDS = st.integers(0, 5)
TRAITS = st.sampled_from(
    [("permanent", False), ("transient", False), ("temporary", False), ("transient", True), ("temporary", True)]
)
PLANS = st.lists(st.sampled_from(["ok", "fail", "fail", "ignore"]), max_size=3)


class World:
    """What the real actors share."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.plans: dict[int, list[str]] = {}
        self.alive: dict[int, Any] = {}


class Actor(LightActor):
    def __init__(self, world: World, key: int) -> None:
        super().__init__()
        self.world, self.key, self.ran = world, key, False

    def on_start(self) -> Any:
        self.world.log.append(("start", self.key))
        plan = self.world.plans.get(self.key)
        outcome = plan.pop(0) if plan else "ok"
        if outcome == "fail":
            raise ValueError("does not start")
        if outcome == "ignore":
            return IGNORE
        self.ran = True
        assert self.key not in self.world.alive
        self.world.alive[self.key] = self
        return None

    def on_exit(self, reason: Any) -> None:
        if self.ran:
            self.world.log.append(("exit", self.key))
            del self.world.alive[self.key]


class Rules(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("supervisors").setLevel(logging.CRITICAL)
        self.scheduler = ManualScheduler()
        self.world = World()
        self.reasons: list[Any] = []

    def spec(self, key: int, traits: tuple[Any, bool]) -> ChildSpec:
        return ChildSpec(key, lambda: Actor.start(self.world, key), restart=traits[0], significant=traits[1])

    @initialize(
        strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        auto=st.sampled_from(["never", "any_significant", "all_significant"]),
        budget=st.sampled_from([(0, 5.0), (1, 2.0), (3, 5.0), (8, 100.0), (8, 100.0), (None, 5.0)]),
        backoff=st.sampled_from([None, BACKOFF, BACKOFF]),
        kids=st.lists(st.tuples(TRAITS, st.sampled_from(["ok"] * 6 + ["ignore", "fail"])), min_size=1, max_size=5),
    )
    def begin(self, strategy: Any, auto: Any, budget: tuple[int, float], backoff: Any, kids: list[Any]) -> None:
        if auto == "never":
            kids = [((restart, False), plan) for (restart, _), plan in kids]
        self.model = Model(strategy, auto, *budget, backoff, self.scheduler.now())
        for key, (traits, plan) in enumerate(kids):
            self.model.kids.append(Kid(key, *traits))
            self.model.plans[key], self.world.plans[key] = [plan], [plan]
        self.ref = Supervisor.start(
            [self.spec(key, traits) for key, (traits, _) in enumerate(kids)],
            strategy,
            *budget,
            auto,
            backoff,
            scheduler=self.scheduler,
        )
        self.outcomes: list[Any] = []
        lifecycle_of(self.ref).start.listen(self.outcomes.append)  # type: ignore[union-attr]
        monitor(self.ref, lambda down: self.reasons.append(down.reason))
        self.scheduler.run_until_idle()
        self.model.start_all()

    def running(self) -> bool:
        return self.model.end is None

    @precondition(running)
    @rule(key=IDS, plan=PLANS)
    def plan_next_starts(self, key: int, plan: list[str]) -> None:
        self.model.plans[key], self.world.plans[key] = list(plan), list(plan)

    @precondition(running)
    @rule(picks=st.lists(st.tuples(IDS, EXITS), min_size=1, max_size=3, unique_by=lambda pick: pick[0]))
    def children_die_at_once(self, picks: list[tuple[int, Any]]) -> None:
        dying = [(key, reason) for key, reason in picks if key in self.world.alive]
        for key, reason in dying:
            kid = self.model.kid(key)
            assert kid is not None
            self.model.die(kid)
            self.world.alive[key].exit(reason)
        self.scheduler.run_until_idle()
        for key, reason in dying:
            kid = self.model.kid(key)
            if kid is not None:
                self.model.deal_with(kid, isinstance(reason, (Crashed, Killed)))
        self.model.settle()

    @precondition(lambda self: self.running() and self.world.alive)
    @rule(pick=IDS, reason=EXITS)
    def one_of_those_alive_dies(self, pick: int, reason: Any) -> None:
        alive = sorted(self.world.alive)
        self.children_die_at_once([(alive[pick % len(alive)], reason)])

    @precondition(running)
    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0]))
    def time_passes(self, seconds: float) -> None:
        self.scheduler.advance(seconds)
        self.model.advance(seconds)

    def ask(self, make: Any) -> str:
        answers: list[Any] = []
        self.ref.tell(make(answers.append))
        self.scheduler.run_until_idle()
        assert len(answers) == 1
        answer = answers[0]
        return type(answer).__name__ if isinstance(answer, BaseException) else "ignore" if answer is None else "ok"

    @precondition(running)
    @rule(key=IDS, traits=TRAITS)
    def start_child(self, key: int, traits: tuple[Any, bool]) -> None:
        expected = self.model.start_child(Kid(key, *traits))
        assert self.ask(lambda reply: StartChild(self.spec(key, traits), reply)) == expected

    @precondition(running)
    @rule(key=IDS)
    def terminate_child(self, key: int) -> None:
        expected = self.model.terminate_child(key)
        self.model.settle()  # siblings that start again may fail, and then be due at once
        assert self.ask(lambda reply: TerminateChild(key, reply)).replace("ignore", "ok") == expected

    @precondition(running)
    @rule(key=IDS)
    def restart_child(self, key: int) -> None:
        expected = self.model.restart_child(key)
        assert self.ask(lambda reply: RestartChild(key, reply)) == expected

    @precondition(running)
    @rule(key=IDS)
    def delete_child(self, key: int) -> None:
        expected = self.model.delete_child(key)
        assert self.ask(lambda reply: DeleteChild(key, reply)).replace("ignore", "ok") == expected

    @precondition(running)
    @rule()
    def an_unknown_message_is_dropped(self) -> None:
        self.ref.tell("what?")
        self.scheduler.run_until_idle()

    @precondition(running)
    @rule()
    def shut_down(self) -> None:
        lifecycle_of(self.ref).ask_shutdown(Shutdown("asked"))  # type: ignore[union-attr]
        self.scheduler.run_until_idle()
        self.model.finish("asked")

    @precondition(lambda self: not self.running())
    @rule()
    def a_dead_supervisor_stays_dead(self) -> None:
        self.ref.tell(WhichChildren(self.reasons.append))
        self.scheduler.advance(100.0)

    @invariant()
    def the_supervisor_agrees_with_the_model(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.world.log == self.model.log
        if self.model.end is not None:
            self.check_end()
            return
        assert self.outcomes == [Started()]
        assert self.reasons == []
        answers: list[Any] = []
        self.ref.tell(WhichChildren(answers.append))
        self.ref.tell(CountChildren(answers.append))
        self.scheduler.run_until_idle()
        infos, counted = answers
        expected = [(kid.key, kid.state) for kid in self.model.kids]
        assert [(info.id, self.state_of(info)) for info in infos] == expected
        assert counted.specs == len(expected)
        assert counted.active == len(self.world.alive) == sum(state == "running" for _, state in expected)

    def check_end(self) -> None:
        assert self.world.alive == {}
        assert not self.ref.is_alive()
        assert self.scheduler.pending_timers == 0
        (reason,) = self.reasons
        if self.model.end == "start_failed":
            assert isinstance(reason, Crashed)
            assert isinstance(reason.exception, StartFailed)
            assert isinstance(reason.exception.cause, ValueError)
            assert self.outcomes == [reason]
        elif self.model.end == "budget":
            assert isinstance(reason, Shutdown)
            assert isinstance(reason.term, RestartBudgetExceeded)
        else:
            assert reason == Shutdown("asked" if self.model.end == "asked" else None)

    @staticmethod
    def state_of(info: Any) -> str:
        return str(info.state) if info.state in ("restarting", "stopped") else "running"

    def teardown(self) -> None:
        self.scheduler.stop()
        logging.getLogger("supervisors").setLevel(logging.NOTSET)


Rules.TestCase.settings = settings(
    max_examples=250, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestRules = pytest.mark.fault(25)(Rules.TestCase)


def test_an_owed_sibling_that_fails_is_retried_at_once() -> None:
    # Terminating a child that waits for its restart starts its siblings again. The first of them fails, and its
    # back-off is 0: that is a timer, which has fired when nothing is left to do.
    rules = Rules()
    permanent = ("permanent", False)
    try:
        kids = [(permanent, "ok"), (permanent, "ignore"), (permanent, "ok")]
        rules.begin("one_for_all", "never", (3, 5.0), BACKOFF, kids)
        rules.children_die_at_once([(2, Normal())])
        rules.children_die_at_once([(2, Normal())])
        rules.plan_next_starts(0, ["fail"])
        rules.the_supervisor_agrees_with_the_model()
        started = len(rules.world.log)
        rules.terminate_child(2)
        rules.the_supervisor_agrees_with_the_model()
        assert rules.world.log[started:] == [("start", 0), ("start", 0), ("start", 1), ("start", 2)]
    finally:
        rules.teardown()


class RulesAtLength(Rules):
    """The same over many more examples."""


RulesAtLength.TestCase.settings = settings(Rules.TestCase.settings, max_examples=2000)
TestRulesAtLength = pytest.mark.chaos(pytest.mark.timeout(600)(RulesAtLength.TestCase))
