"""The queue of calls against a list of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from slither_actors.dynamic_batcher.call_queue import Call, CallQueue


class Future:
    """As far as the queue looks at one."""

    def __init__(self) -> None:
        self.gone = False

    def done(self) -> bool:
        """Whether its caller is gone."""
        return self.gone


class QueueMachine(RuleBasedStateMachine):
    """Calls come, go, and are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = CallQueue()
        self.model: list[tuple[int, int, Call]] = []
        self.number = 0

    @property
    def alive(self) -> list[Call]:
        return [call for _, _, call in sorted(self.model, key=lambda entry: entry[:2]) if not call.future.gone]

    @rule(priority=st.integers(-2, 2), weight=st.integers(1, 5))
    def comes(self, priority: int, weight: int) -> None:
        self.number += 1
        call = Call(self.number, Future(), float(self.number), float(weight))
        self.queue.add(call, priority)
        self.model.append((-priority, self.number, call))

    @rule(data=st.data())
    def goes(self, data: Any) -> None:
        if self.alive:
            data.draw(st.sampled_from(self.alive)).future.gone = True

    @rule(most=st.integers(1, 6), max_weight=st.none() | st.integers(1, 8))
    def taken(self, most: int, max_weight: int | None) -> None:
        expected: list[Call] = []
        for call in self.alive:
            heavier = max_weight is not None and sum(c.weight for c in expected) + call.weight > max_weight
            if len(expected) == most or (expected and heavier):
                break
            expected.append(call)
        assert self.queue.take(most, max_weight) == expected
        self.model = [entry for entry in self.model if entry[2] not in expected]
        left = set(self.queue)
        assert all(entry[2] in left or entry[2].future.gone for entry in self.model)
        self.model = [entry for entry in self.model if entry[2] in left]

    @rule()
    def purged(self) -> None:
        self.queue.purge()
        self.model = [entry for entry in self.model if not entry[2].future.gone]

    @invariant()
    def holds_the_same(self) -> None:
        calls = [call for _, _, call in sorted(self.model, key=lambda entry: entry[:2])]
        assert list(self.queue) == calls
        assert len(self.queue) == len(calls)
        assert self.queue.weight == sum(call.weight for call in calls)
        ranks: dict[int, float] = {}
        for rank, _, call in self.model:
            ranks[rank] = min(ranks.get(rank, call.since), call.since)
        assert self.queue.oldest() == min(ranks.values(), default=None)


TestCallQueue = QueueMachine.TestCase
