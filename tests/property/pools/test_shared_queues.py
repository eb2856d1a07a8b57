"""The line with a shared run queue, whose jobs are runs of their own: none waits for more than its turn."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from slither_actors.pools.assignment.fair_queue import FairQueue
from slither_actors.pools.assignment.job import RunQueue


class Shared(RunQueue):
    """As a lane of requests is one."""

    __slots__ = ()
    shared = True


class LineMachine(RuleBasedStateMachine):
    """Jobs come to one shared run queue and to some runs; one worker serves whose turn it is, one at a time."""

    @initialize(runs=st.integers(1, 3))
    def begin(self, runs: int) -> None:
        self.line = FairQueue()
        self.shared: Any = Shared(max_in_flight=9, ahead=False, timeout=None)
        self.runs: list[Any] = [RunQueue(max_in_flight=9, ahead=False, timeout=None) for _ in range(runs)]
        self.ahead = dict.fromkeys(self.runs, 0)  # requests that may be served before it
        self.since = dict.fromkeys(self.runs, 0)  # its turns since a request was served

    @rule(count=st.integers(1, 5))
    def requests_come(self, count: int) -> None:
        if not self.shared.waiting:
            self.since = dict.fromkeys(self.runs, 0)
        self.shared.waiting.extend([object()] * count)
        self.line.join(self.shared)

    @rule(data=st.data(), count=st.integers(1, 5))
    def batches_come(self, data: Any, count: int) -> None:
        run = data.draw(st.sampled_from(self.runs))
        if not run.waiting:
            self.ahead[run] = len(self.shared.waiting)
            self.since[run] = 0
        run.waiting.extend([object()] * count)
        self.line.join(run)

    @rule(data=st.data())
    def requests_go(self, data: Any) -> None:
        """Their callers are cancelled."""
        if self.shared.waiting:
            for _ in range(data.draw(st.integers(1, len(self.shared.waiting)))):
                self.shared.waiting.pop()
            self.line.shrunk(self.shared)
            if not self.shared.waiting:
                self.line.leave(self.shared)

    @rule()
    def one_is_served(self) -> None:
        run = self.line.first()
        if run is None:
            return
        run.waiting.popleft()
        self.line.serve(run)
        if run is self.shared:
            for other in self.runs:
                self.since[other] = 0
                if other.waiting:
                    self.ahead[other] -= 1
                    assert self.ahead[other] >= 0  # it waits for no more requests than were there before it
        else:
            self.ahead[run] = len(self.shared.waiting)
            self.since[run] += 1
            assert self.since[run] <= 1 or not self.shared.waiting  # a request waits for one batch of each run

    @invariant()
    def those_that_wait_are_in_line_and_counted(self) -> None:
        if not hasattr(self, "line"):
            return
        waiting = [run for run in [self.shared, *self.runs] if run.waiting]
        assert len(self.line) == len(waiting)
        assert self.line.hungry == sum(run.hungry for run in [self.shared, *self.runs])
        assert self.shared.hungry == bool(self.shared.waiting)
        assert all((run.place is not None) == bool(run.waiting) for run in [self.shared, *self.runs])


TestLine = LineMachine.TestCase
