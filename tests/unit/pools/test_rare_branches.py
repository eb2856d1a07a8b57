"""Rare branches of the pure parts of a pool."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from support.a_run import a_queue

from slither_actors import ProtocolError
from slither_actors.pools.assignment.fair_queue import FairQueue
from slither_actors.pools.assignment.job import Job, WorkerSlot
from slither_actors.pools.assignment.sessions import Sessions
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.shared_memory import Lease
from slither_actors.pools.worker.blame import Watch
from slither_actors.pools.worker.deadline import LATE, Deadline
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.wire import frames as wire
from slither_actors.wire.frames import FrameParser, pack_frame
from slither_actors.wire.header import SHARED_SIZE
from supervisors import LightActor
from supervisors.testing import ManualScheduler


def a_frame(kind: int, request_id: int, **fields: Any) -> wire.Frame:
    (frame,) = FrameParser(accepts=wire.FROM_WORKER).feed(pack_frame(kind, request_id, b"\x90", **fields))
    return frame


def test_beyond_the_limit_the_oldest_idle_session_goes() -> None:
    sessions, slot = Sessions(limit=2), WorkerSlot(0)
    sessions.taken("busy", slot, "run", bound=True)
    sessions.taken("old", slot, "run", bound=False)
    sessions.taken("new", slot, "run", bound=False)
    assert [sessions.slot_of(name) for name in ("busy", "old", "new")] == [slot, None, slot]


def test_while_all_sessions_are_busy_none_goes() -> None:
    sessions, slot = Sessions(limit=1), WorkerSlot(0)
    for name in ("a", "b"):
        sessions.taken(name, slot, "run", bound=True)
    assert len(sessions) == 2


def test_a_session_that_is_free_again_wakes_its_runs() -> None:
    sessions, line, slot = Sessions(), FairQueue(), WorkerSlot(0)
    queue = a_queue(session="s", affinity="strict")
    queue.waiting.append(Job(queue, 1, 1))
    line.join(queue)
    sessions.taken("s", slot, queue, bound=True)
    line.park(queue, "s")
    line.wake_sessions(sessions)
    assert line.first() is None
    sessions.given_back("s")
    line.wake_sessions(sessions)
    assert line.first() is queue


def test_a_standstill_is_no_time_of_the_item() -> None:
    watch, queue = Watch(), a_queue(timeout=5.0)
    job = Job(queue, 1, 4, request_id=7, began=100.0)
    watch.look(job, Progress(7, 0, 1.0), 101.0)
    watch.stood(job, 30.0, 132.0)
    watch.look(job, Progress(7, 1, 31.5), 133.0)  # by its clock it began before the standstill
    assert watch.index == 1
    assert watch.since == pytest.approx(131.5)


def test_the_standstills_of_another_batch_do_not_count() -> None:
    watch, queue = Watch(), a_queue(timeout=5.0)
    first, second = Job(queue, 1, 4, request_id=7, began=100.0), Job(queue, 2, 4, request_id=8, began=140.0)
    watch.look(first, None, 101.0)
    watch.stood(first, 30.0, 132.0)
    watch.stood(first, 5.0, 138.0)
    watch.look(second, Progress(8, 0, 1.0), 142.0)
    assert watch.since == 141.0


def test_a_standstill_long_before_a_deadline_does_not_move_it() -> None:
    class Owner(LightActor):
        pass

    scheduler = ManualScheduler()
    try:
        owner = Owner.start(scheduler=scheduler)._actor
        assert owner is not None
        moved: list[float] = []
        deadline = Deadline(owner, moved.append, moved.append)
        at = scheduler.now() + 20.0
        deadline.set(at, span=1.0)
        scheduler.clock.now += 3.0 + LATE
        scheduler.run_until_idle()
        assert (deadline.at, moved) == (at, [])
    finally:
        scheduler.stop()


def test_buffers_beside_the_body_are_sent_behind_it() -> None:
    queue = a_queue()
    job = Job(queue, 1, 1, Target(None, "command"), body=b"body", buffers=[b"one", b"three"])
    parts = RequestQueue().put([job])
    assert parts[1:] == [b"body", b"one", b"three"]


def test_a_cancel_that_came_too_late_was_not_asked_for() -> None:
    requests, queue = RequestQueue(), a_queue()
    first, second = (Job(queue, ref, 1, Target(None, "command")) for ref in (1, 2))
    requests.put([first, second])
    assert requests.cancel(second)
    requests.replies([a_frame(wire.REPLY, job.request_id, count=1) for job in (first, second)])
    ended, wrong = requests.answer([a_frame(wire.CANCELLED, second.request_id)])
    assert ended == []
    assert isinstance(wrong, ProtocolError)


def test_buffers_in_shared_memory_are_sent_as_their_place() -> None:
    queue, freed = a_queue(), deque[tuple[int, int]]()
    job = Job(queue, 1, 1, Target(None, "command"), body=b"body", buffers=Lease(4096, 70_000, freed))
    parts = RequestQueue().put([job])
    assert parts[1:] == [b"body", (4096).to_bytes(SHARED_SIZE, "little")]
    (frame,) = FrameParser(accepts=wire.FROM_HOST).feed(b"".join(parts))
    assert (frame.flags, frame.shared_size) == (wire.SHARED, 70_000)
