"""A lane of requests with a deadline, in a pool whose workers the test plays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.pool_bench import COMMAND_TARGET, Bench, failure_of, reply_to

from slither_actors import telemetry
from slither_actors.errors import DeadlineExceeded, Overloaded, SystemStopped
from slither_actors.pools.messages import Submit
from slither_actors.requests.deadline_lane import DeadlineLane
from slither_actors.requests.lane import Request
from slither_actors.runs.live_runs import LiveRuns
from supervisors.testing import ManualScheduler


class Caller:
    """Gets the outcome of each request once, by its number."""

    def __init__(self) -> None:
        self.got: dict[int, Any] = {}

    def finished(self, request: Request, outcome: Any) -> None:
        """Keep it."""
        assert request.run not in self.got
        self.got[request.run] = outcome


class Requests:
    """A lane whose requests have two seconds, and one who calls."""

    def __init__(self, bench: Bench, **options: Any) -> None:
        self.bench = bench
        self.live = LiveRuns()
        self.caller = Caller()
        self.lane = DeadlineLane(
            bench.link.ref, self.live, bench.scheduler, seconds=2.0, **{"ahead": True, "timeout": 30.0, **options}
        )
        self.live.count_also(1, lambda: len(self.lane.pending))

    def enter(self, number: int) -> Request:
        request = Request(
            self.lane,
            1,
            1,
            COMMAND_TARGET,
            body=b"%d" % number,
            positions=range(1),
            entries=[number],
            bare=True,
            run=number,
            reply_to=self.caller,
        )
        self.lane.pending[request] = None
        self.lane.entered(request)
        return request

    def send(self, *numbers: int) -> list[Request]:
        made = [self.enter(number) for number in numbers]
        self.bench.link.ref.tell(Submit(self.lane, made))
        self.bench.scheduler.run_until_idle()
        return made

    @property
    def overdue(self) -> list[int]:
        return [number for number, outcome in self.caller.got.items() if isinstance(outcome, DeadlineExceeded)]


@pytest.fixture
def bench(manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(manual, monkeypatch).start()
    yield made
    made.stop()


@pytest.fixture
def requests(bench: Bench) -> Requests:
    return Requests(bench)


def bodies(bench: Bench) -> list[bytes]:
    return [bytes(call.body) for host in bench.hosts for call in host.calls()]


def test_what_is_overdue_is_not_sent(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2)
    bench.scheduler.advance(1.99)
    assert requests.overdue == []
    bench.scheduler.advance(0.02)
    assert requests.overdue == [1, 2]
    assert (requests.caller.got[1].seconds, requests.caller.got[1].where) == (2.0, "at its worker")
    assert requests.caller.got[2].where == "waiting for a worker"
    bench.do(bench.host.say, reply_to(bench.host.calls()[0]))
    assert bodies(bench) == [b"1"]
    assert (requests.live.count, requests.live.finished) == (0, 2)
    assert (bench.counts.overdue, bench.counts.late, bench.counts.kills) == (2, 1, {})


def test_what_waits_in_a_pipe_is_cancelled(bench: Bench, requests: Requests) -> None:
    requests.lane.took(0.0001)
    requests.send(1, 2)
    bench.scheduler.advance(2.01)
    assert bench.host.cancels() == [bench.host.calls()[1].request_id]
    assert requests.overdue == [1, 2]


def test_one_timer_serves_all(bench: Bench, requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    later = bench.scheduler.call_later

    def call_later(delay: float, fn: Any, *args: object, **owner: Any) -> Any:
        made.append(fn)
        return later(delay, fn, *args, **owner)

    monkeypatch.setattr(bench.scheduler, "call_later", call_later)
    requests.send(*range(100))
    assert made.count(requests.lane._look) == 1
    bench.scheduler.advance(1.0)
    requests.send(100)
    bench.scheduler.advance(1.01)
    assert requests.overdue == list(range(100))
    bench.scheduler.advance(1.01)
    assert requests.overdue == list(range(101))


def test_answered_ones_do_not_hold_back_those_behind(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2)
    bench.do(bench.host.say, failure_of(bench.host.calls()[0].request_id))
    assert set(requests.caller.got) == {1}  # it stays pending until its caller has seen it
    bench.scheduler.advance(2.01)
    assert requests.overdue == [2]
    assert requests.live.count == 1


def test_a_reply_on_its_way_comes_too_late(bench: Bench, requests: Requests) -> None:
    (request,) = requests.send(1)
    (call,) = bench.host.calls()
    requests.lane._end([request])  # and before the pool hears of it the worker has answered
    bench.host.say(reply_to(call))
    bench.scheduler.run_until_idle()
    assert requests.overdue == [1]
    assert requests.live.finished == 1


def test_the_next_ones_are_timed_after_a_pause(bench: Bench, requests: Requests) -> None:
    requests.send(1)
    bench.do(bench.host.say, reply_to(bench.host.calls()[0]))
    bench.scheduler.advance(60.0)
    requests.send(2)
    bench.scheduler.advance(1.9)
    assert requests.overdue == []
    bench.scheduler.advance(0.2)
    assert requests.overdue == [2]


def test_left_for_good_in_execution_its_worker_is_killed(bench: Bench) -> None:
    requests = Requests(bench, kill=True)
    requests.send(1)
    bench.scheduler.advance(2.01)
    assert bench.counts.kills == {"unwanted": 1}
    assert requests.overdue == [1]


def test_the_end_of_the_pool_comes_once(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2)
    error = SystemStopped("stopped")
    requests.lane.fail(error)
    requests.lane.fail(error)
    bench.scheduler.advance(5.0)
    assert requests.caller.got == {1: error, 2: error}
    assert requests.lane.checks


def test_an_overdue_one_is_told_to_handlers(bench: Bench, requests: Requests) -> None:
    events: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_EXCEPTION, events.append):
        requests.send(41)
        bench.scheduler.advance(2.01)
        assert bench.scheduler.background.flush()
    assert [(event.metadata["run"], event.metadata["cause"]) for event in events] == [(41, "DeadlineExceeded")]


def test_a_refused_one_is_over_at_once(manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(manual, monkeypatch, max_waiting=0).start()
    try:
        requests = Requests(bench)
        requests.send(1, 2)
        assert isinstance(requests.caller.got[2], Overloaded)
        assert (requests.live.count, requests.live.finished) == (1, 1)
        bench.scheduler.advance(2.01)
        assert requests.overdue == [1]
    finally:
        bench.stop()


def test_time_begins_in_the_thread_of_the_caller(bench: Bench, requests: Requests) -> None:
    request = requests.enter(1)
    assert request.due == bench.scheduler.now() + 2.0
    bench.scheduler.advance(2.01)  # also of one that is never submitted
    assert requests.overdue == [1]
