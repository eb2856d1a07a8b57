"""The heap of timers, without a clock or a scheduler."""

from __future__ import annotations

from supervisors.runtime.mailbox import MailboxTarget
from supervisors.runtime.timers import Timer, TimerHeap


def add(heap: TimerHeap, deadline: float, owner: MailboxTarget | None = None) -> Timer:
    return heap.add(deadline, list, (), owner)


def test_due_timers_come_by_deadline_then_by_age() -> None:
    heap = TimerHeap()
    late, first, second = add(heap, 3.0), add(heap, 1.0), add(heap, 1.0)
    assert heap.next_deadline() == 1.0
    assert heap.pop_due(0.9) == []
    assert heap.pop_due(1.0) == [first, second]
    assert heap.next_deadline() == 3.0
    assert late.pending


def test_a_cancelled_timer_is_never_due() -> None:
    heap = TimerHeap()
    timer = add(heap, 1.0)
    assert timer.cancel()
    assert not timer.cancel()
    assert not timer.pending
    assert heap.pop_due(2.0) == []
    assert len(heap) == 0


def test_the_next_deadline_skips_cancelled_timers() -> None:
    heap = TimerHeap()
    add(heap, 1.0).cancel()
    assert heap.next_deadline() is None
    assert len(heap) == 0


def test_a_popped_timer_can_still_be_cancelled() -> None:
    heap = TimerHeap()
    add(heap, 1.0)
    (due,) = heap.pop_due(1.0)
    assert due.cancel()
    assert not due.pending
    assert len(heap) == 0


def test_many_cancelled_timers_are_removed_at_once() -> None:
    heap = TimerHeap()
    kept = [add(heap, float(number)) for number in range(10)]
    cancelled = [add(heap, 100.0 + number) for number in range(100)]
    for timer in cancelled:
        timer.cancel()
    assert len(heap) < 64 + len(kept)
    assert heap.pop_due(1000.0) == kept


def test_an_owner_has_its_pending_timers_only() -> None:
    heap, owner = TimerHeap(), MailboxTarget()
    first, second = add(heap, 1.0, owner), add(heap, 2.0, owner)
    assert owner._timers == {first, second}
    first.cancel()
    assert owner._timers == {second}


def test_the_end_of_an_owner_leaves_its_set_unchanged() -> None:
    heap, owner = TimerHeap(), MailboxTarget()
    timers = {add(heap, 1.0, owner), add(heap, 2.0, owner)}
    for timer in owner._timers or ():
        timer.cancel_owned()
    assert owner._timers == timers
    assert not any(timer.pending for timer in timers)
    assert heap.next_deadline() is None
