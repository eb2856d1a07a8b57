"""A caller's patience, by a clock that the test moves: what counts towards it and what does not."""

from __future__ import annotations

import pytest

from slither_actors.pools.worker.deadline import LATE, LOOK
from slither_actors.system.patience import Patience


class Waits:
    """A clock, and a thing that does not come true before its time, unless its waits end late.

    Args:
        true_at: by the clock.
        standstills: for some of the waits, counted from 0, the seconds by which they end late.
    """

    def __init__(self, true_at: float, **standstills: float) -> None:
        self.now = 0.0
        self.true_at = true_at
        self.spans: list[float] = []
        self.standstills = {int(wait.removeprefix("wait")): late for wait, late in standstills.items()}

    def clock(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def wait(self, seconds: float) -> bool:
        """Wait until it has come true, for so many seconds at most, or longer in a standstill."""
        late = self.standstills.get(len(self.spans))
        self.spans.append(seconds)
        if late is not None:
            self.now += seconds + late
        else:
            self.now = max(self.now, min(self.now + seconds, self.true_at))
        return self.now >= self.true_at


def test_what_comes_in_time_is_waited_for() -> None:
    waits = Waits(2.75)
    assert Patience(3.0, waits.clock).wait(waits.wait)
    assert waits.now == 2.75


def test_what_comes_too_late_is_not() -> None:
    waits = Waits(3.25)
    assert not Patience(3.0, waits.clock).wait(waits.wait)
    assert waits.now == 3.0


def test_no_time_at_all_is_one_look() -> None:
    waits = Waits(1.0)
    assert not Patience(0.0, waits.clock).wait(waits.wait)
    assert waits.spans == [0.0]


def test_several_things_share_it() -> None:
    first, second = Waits(2.0), Waits(10.0)
    patience = Patience(3.0, lambda: first.now + second.now)
    assert patience.wait(first.wait)
    assert not patience.wait(second.wait)
    assert second.now == 1.0


@pytest.mark.parametrize("wait", ["wait0", "wait2"])
def test_a_standstill_does_not_count(wait: str) -> None:
    waits = Waits(7.75, **{wait: 5.0})
    assert Patience(3.0, waits.clock).wait(waits.wait)
    late = Waits(100.0, **{wait: 5.0})
    assert not Patience(3.0, late.clock).wait(late.wait)
    assert late.now == pytest.approx(3.0 + 5.5 + LOOK)


def test_a_wait_that_is_a_little_late_is_no_standstill() -> None:
    waits = Waits(100.0, wait1=LATE)
    assert not Patience(3.0, waits.clock).wait(waits.wait)
    assert waits.now == 3.0


def test_no_more_is_forgiven_than_was_given() -> None:
    waits = Waits(1000.0, **{f"wait{number}": 2.0 for number in range(100)})
    assert not Patience(3.0, waits.clock).wait(waits.wait)
    assert waits.now < 4 * 3.0 + 2 * LOOK
