"""A dynamic supervisor whose owner decides on restarts."""

from __future__ import annotations

from typing import Any

from supervisors import ChildSpec, Crashed, DynamicSupervisor, ExitReason, LightActor, Shutdown, StartChild, monitor
from supervisors.errors import RestartBudgetExceeded
from supervisors.supervision.intensity import RestartIntensity
from supervisors.testing import ManualScheduler


class Kid(LightActor):
    def on_receive(self, message: Any) -> None:
        raise message


class Policy:
    """Gives the pauses that it was made with, then None."""

    def __init__(self, *pauses: float) -> None:
        self.intensity = RestartIntensity(7)
        self.pauses = list(pauses)
        self.asked: list[tuple[object, str, float]] = []

    def delay(self, child_id: object, reason: ExitReason, now: float) -> float | None:
        assert isinstance(reason, Crashed)
        self.asked.append((child_id, str(reason.exception), now))
        return self.pauses.pop(0) if self.pauses else None


def test_it_decides_in_place_of_budget_and_back_off(manual: ManualScheduler) -> None:
    policy = Policy(0.0, 0.0, 0.0, 0.0, 2.0)
    ref = DynamicSupervisor.start(max_restarts=0, policy=policy, scheduler=manual)
    ends: list[ExitReason] = []
    monitor(ref, lambda down: ends.append(down.reason))
    kids: list[Any] = []

    def start() -> Any:
        kids.append(Kid.start())
        return kids[-1]

    ref.tell(StartChild(ChildSpec(id="kid", start=start)))
    manual.run_until_idle()
    for number in range(5):
        kids[-1].tell(ValueError(f"end {number}"))
        manual.run_until_idle()
    assert len(kids) == 5  # the last one waits
    manual.advance(2.0)
    assert len(kids) == 6
    assert ends == []
    kids[-1].tell(ValueError("the last"))
    manual.run_until_idle()
    (reason,) = ends
    assert isinstance(reason, Shutdown)
    assert isinstance(reason.term, RestartBudgetExceeded)
    assert [(child, text) for child, text, _ in policy.asked] == [
        *(("kid", f"end {number}") for number in range(5)),
        ("kid", "the last"),
    ]
