"""The calls of an executor that are not done, over a lane without workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any

import pytest
from support.lanes import FakeLane

from slither_actors import DispatchError, ForkedSystemError, PoolUnavailable, SystemStopped, UnexpectedResponse
from slither_actors.futures import InitializerFailed, UnsendableError
from slither_actors.futures.call_future import CallFuture
from slither_actors.futures.pending import AFTER_SHUTDOWN, PendingCalls
from slither_actors.futures.replies import Outcome
from slither_actors.item import Item
from supervisors import WouldDeadlock


class Steps(list[str]):
    """What the calls asked for."""

    def begin(self) -> None:
        self.append("begin")

    def end(self) -> None:
        self.append("end")

    def join(self) -> None:
        self.append("join")


@pytest.fixture
def steps() -> Steps:
    return Steps()


@pytest.fixture
def lane() -> FakeLane:
    return FakeLane()


@pytest.fixture
def calls(steps: Steps, lane: FakeLane) -> PendingCalls:
    """Calls that have their lane."""
    return PendingCalls(steps.begin, steps.end, steps.join, lane=lane)


@pytest.fixture
def early(steps: Steps) -> Iterator[PendingCalls]:
    """Calls whose lane is still to come."""
    return PendingCalls(steps.begin, steps.end, steps.join)


def submit(calls: PendingCalls, request: object = b"", *, chunk: int | None = None) -> CallFuture:
    future = CallFuture("m.f", chunk)
    sent: Any = request
    calls.submit(future, sent)
    return future


def test_a_result_reaches_its_future(calls: PendingCalls, lane: FakeLane) -> None:
    one, two = submit(calls, "one"), submit(calls, "two")
    lane.answer(1, 22)
    lane.answer(0, 11)
    assert (one.result(0), two.result(0), lane.sent) == (11, 22, ["one", "two"])


def test_an_exception_reaches_its_future(calls: PendingCalls, lane: FakeLane) -> None:
    one, two = submit(calls), submit(calls)
    lane.answer_error(0)
    lane.fail(1, OSError("the pool is gone"))
    assert type(one.exception(0)) is ValueError
    assert str(two.exception(0)) == "the pool is gone"


def test_a_chunk_keeps_what_came_before_its_exception(calls: PendingCalls, lane: FakeLane) -> None:
    one, two, three = (submit(calls, chunk=2) for _ in range(3))
    lane.answer(0, 1, 2)
    lane.answer_error(1, 1)
    lane.answer_error(2)
    assert one.result(0) == Outcome([1, 2])
    results, error = two.result(0)
    assert (results, type(error)) == ([1], ValueError)
    assert type(three.exception(0)) is ValueError


def test_a_reply_of_too_few_results_fails_its_future(calls: PendingCalls, lane: FakeLane) -> None:
    future = submit(calls)
    lane.answer(0)
    assert type(future.exception(0)) is UnexpectedResponse


def test_a_call_that_has_not_begun_is_cancelled(calls: PendingCalls, lane: FakeLane) -> None:
    future = submit(calls)
    assert not future.running()
    assert future.cancel()
    assert future.cancel()
    assert lane.futures[0].cancelled()
    assert wait([future], 0).done == {future}  # what waits was notified
    with pytest.raises(CancelledError):
        future.result(0)


def test_a_call_that_has_begun_is_not_cancelled(calls: PendingCalls, lane: FakeLane) -> None:
    future = submit(calls)
    lane.begin(0)
    assert future.running()
    assert not future.cancel()
    lane.answer(0, 1)
    assert not future.cancel()
    assert not future.running()
    assert future.result(0) == 1


def test_a_request_that_is_cancelled_below_cancels_its_future(calls: PendingCalls, lane: FakeLane) -> None:
    future = submit(calls)
    lane.futures[0].cancel()
    assert future.cancelled()
    assert wait([future], 0).done == {future}


def test_nothing_refers_to_a_request_that_is_done(calls: PendingCalls, lane: FakeLane) -> None:
    future = submit(calls)
    lane.answer(0, 1)
    assert vars(future)["_request"] is None


# -- before there is a lane


def test_the_first_call_begins_and_all_wait(early: PendingCalls, lane: FakeLane, steps: Steps) -> None:
    futures = [submit(early, number) for number in range(3)]
    assert steps[0] == "begin"
    early.open(lane)
    assert lane.sent == [0, 1, 2]
    submit(early, 3)
    assert lane.sent == [0, 1, 2, 3]
    lane.answer(2, 5)
    assert futures[2].result(0) == 5


def test_a_call_that_waits_for_its_lane_is_cancelled(early: PendingCalls, lane: FakeLane) -> None:
    one, two = submit(early, 1), submit(early, 2)
    assert one.cancel()
    assert one.cancel()
    assert wait([one, two], 0, FIRST_COMPLETED).done == {one}
    early.open(lane)
    assert lane.sent == [2]


def test_workers_that_do_not_start_fail_what_waits(early: PendingCalls) -> None:
    futures = [submit(early) for _ in range(3)]
    futures[1].cancel()
    error = InitializerFailed("no")
    early.fail(error)
    assert [future.cancelled() or future.exception(0) for future in futures] == [error, True, error]
    with pytest.raises(InitializerFailed):
        submit(early)


def test_a_lane_that_refuses_fails_what_waits(early: PendingCalls, steps: Steps) -> None:
    refusal = SystemStopped("it was stopped")
    future = submit(early)
    early.close()
    early.open(FakeLane(refusal))
    assert future.exception(0) is refusal
    assert steps == ["begin", "end"]


def test_a_start_that_raises_leaves_nothing_pending(steps: Steps) -> None:
    def begin() -> None:
        raise RuntimeError("no thread can be started")

    calls = PendingCalls(begin, steps.end)
    with pytest.raises(RuntimeError, match="no thread"):
        submit(calls)
    calls.close()
    assert steps == ["end"]


# -- the end


def test_after_the_end_nothing_is_taken(calls: PendingCalls, steps: Steps) -> None:
    calls.close()
    assert steps == ["end"]
    with pytest.raises(RuntimeError, match=AFTER_SHUTDOWN):
        submit(calls)


def test_the_end_comes_behind_the_last_call(calls: PendingCalls, lane: FakeLane, steps: Steps) -> None:
    submit(calls), submit(calls)
    calls.close()
    lane.answer(1, 1)
    assert steps == []
    lane.fail(0, OSError())
    assert steps == ["end"]


def test_the_end_may_cancel_what_has_not_begun(calls: PendingCalls, lane: FakeLane) -> None:
    futures = [submit(calls) for _ in range(4)]
    lane.begin(0)
    calls.close(cancel=True)
    assert [future.cancelled() for future in futures] == [False, True, True, True]
    lane.answer(0, 1)
    assert futures[0].result(0) == 1


def test_the_end_is_waited_for(calls: PendingCalls, lane: FakeLane, steps: Steps) -> None:
    future = submit(calls)
    calls.close()
    waiting = threading.Thread(target=calls.wait)
    waiting.start()
    lane.answer(0, 1)
    waiting.join(20)
    assert not waiting.is_alive()
    assert future.done()
    assert steps == ["end", "join"]


def test_many_wait_for_the_end(calls: PendingCalls, lane: FakeLane) -> None:
    submit(calls)
    calls.close()
    waiting = [threading.Thread(target=calls.wait) for _ in range(20)]
    for thread in waiting:
        thread.start()
    lane.answer(0, 1)
    for thread in waiting:
        thread.join(20)
    assert not any(thread.is_alive() for thread in waiting)


def test_a_callback_does_not_wait_for_itself(calls: PendingCalls, lane: FakeLane) -> None:
    raised: Future[str] = Future()

    def end(future: Future[object]) -> None:
        calls.close()
        try:
            calls.wait()
        except WouldDeadlock as error:
            raised.set_result(str(error))

    submit(calls).add_done_callback(end)
    lane.answer(0, 1)
    assert "shutdown(wait=False)" in raised.result(0)
    calls.wait()


def test_a_callback_may_submit(calls: PendingCalls, lane: FakeLane) -> None:
    more: list[CallFuture] = []
    submit(calls).add_done_callback(lambda future: more.append(submit(calls, "more")))
    lane.answer(0, 1)
    lane.answer(1, 2)
    assert [future.result(0) for future in more] == [2]


def test_a_stopped_system_takes_no_call(steps: Steps) -> None:
    calls = PendingCalls(lane=FakeLane(SystemStopped("system 'x' was stopped")), on_end=steps.end)
    with pytest.raises(RuntimeError, match="cannot schedule new futures: system 'x' was stopped") as raised:
        submit(calls)
    assert type(raised.value.__cause__) is SystemStopped
    calls.close()
    assert steps == ["end"]


def test_a_pool_that_is_gone_fails_its_future(steps: Steps) -> None:
    reason = PoolUnavailable("default", "it gave up")
    calls = PendingCalls(lane=FakeLane(DispatchError("not started", reason=reason)), on_end=steps.end)
    assert submit(calls).exception(0) is reason
    calls.close()
    assert steps == ["end"]


def test_a_lane_whose_system_stops_takes_no_call() -> None:
    calls = PendingCalls(lane=FakeLane(DispatchError("not started", reason=SystemStopped("it was stopped"))))
    with pytest.raises(RuntimeError, match="cannot schedule new futures: it was stopped"):
        submit(calls)


def test_a_lane_that_raises_leaves_nothing_pending(steps: Steps) -> None:
    calls = PendingCalls(lane=FakeLane(UnsendableError("no")), on_end=steps.end)
    with pytest.raises(UnsendableError):
        submit(calls)
    calls.close()
    assert steps == ["end"]


def test_a_forked_child_is_refused(calls: PendingCalls, monkeypatch: pytest.MonkeyPatch, steps: Steps) -> None:
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    with pytest.raises(ForkedSystemError, match="make one in the child"):
        submit(calls)
    calls.close(cancel=True)
    calls.wait()
    assert steps == []


def test_calls_from_threads_all_end(calls: PendingCalls, lane: FakeLane, steps: Steps) -> None:
    futures: list[CallFuture] = []
    threads = [threading.Thread(target=lambda: [futures.append(submit(calls)) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls.close()
    for number in range(200):
        lane.futures[number].set_result([Item(0, [[number]])])
    assert sorted(future.result(0) for future in futures) == list(range(200))
    assert steps == ["end"]
