"""A lane of requests in a pool whose workers the test plays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.pool_bench import COMMAND_TARGET, Bench, failure_of, frame_of, reply_to

from slither_actors import telemetry
from slither_actors.errors import LoadError, SystemStopped, WorkerCrashed
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.messages import CancelJobs, Submit
from slither_actors.requests.lane import SAFE_PEAK, Lane, Request
from slither_actors.runs.live_runs import LiveRuns
from slither_actors.wire import frames as wire
from slither_actors.wire.messages import Failure
from supervisors.testing import ManualScheduler


class Caller:
    """Gets the outcomes of requests, by their numbers."""

    def __init__(self) -> None:
        self.got: dict[int, Any] = {}

    def finished(self, request: Request, outcome: Any) -> None:
        """Keep it."""
        assert request.run not in self.got
        self.got[request.run] = outcome


class Requests:
    """A lane, and one who calls."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.live = LiveRuns()
        self.caller = Caller()
        self.lane = Lane(bench.link.ref, self.live, bench.scheduler, ahead=True, timeout=30.0)
        self.live.count_also(1, lambda: len(self.lane.pending))

    def send(self, *numbers: int, target: Target = COMMAND_TARGET) -> list[Request]:
        made = []
        for number in numbers:
            request = Request(
                self.lane,
                1,
                1,
                target,
                body=b"%d" % number,
                positions=range(1),
                entries=[number],
                bare=True,
                run=number,
                reply_to=self.caller,
            )
            self.lane.pending[request] = None
            made.append(request)
        self.bench.link.ref.tell(Submit(self.lane, made))
        self.bench.scheduler.run_until_idle()
        return made


@pytest.fixture
def bench(manual: ManualScheduler, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(manual, monkeypatch).start()
    yield made
    made.stop()


@pytest.fixture
def requests(bench: Bench) -> Requests:
    return Requests(bench)


def bodies(bench: Bench) -> list[bytes]:
    """What the workers were sent, in order."""
    return [bytes(call.body) for host in bench.hosts for call in host.calls()]


def answer_each(bench: Bench) -> None:
    """Answer all calls of the one worker in order, those that come meanwhile too."""
    done = 0
    while done < len(calls := bench.host.calls()):
        answer(bench, calls[done])
        done += 1


def answer(bench: Bench, *calls: Any) -> None:
    for call in calls:
        bench.do(bench.host.say, reply_to(call))


def test_a_reply_goes_to_its_caller_and_is_counted(bench: Bench, requests: Requests) -> None:
    requests.send(1)
    assert requests.live.count == 1
    answer(bench, bench.host.calls()[0])
    assert requests.caller.got[1].kind == wire.REPLY
    assert (requests.live.count, requests.live.finished) == (0, 1)


def test_while_nothing_is_known_one_is_sent(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2, 3)
    assert bodies(bench) == [b"1"]


def test_short_ones_are_sent_ahead(bench: Bench, requests: Requests) -> None:
    requests.lane.took(0.0001)
    requests.send(*range(1, 31))
    assert bodies(bench) == [b"%d" % n for n in range(1, 22)]  # 20 of 0.1 ms, and the one in execution


def test_after_a_slow_one_none_is_sent_ahead(bench: Bench, requests: Requests) -> None:
    requests.lane.took(0.0001)
    requests.lane.took(SAFE_PEAK * 1.1)
    requests.send(1, 2, 3)
    assert bodies(bench) == [b"1"]


def test_a_failure_stays_pending_until_it_is_settled(bench: Bench, requests: Requests) -> None:
    (request,) = requests.send(1)
    bench.do(bench.host.say, failure_of(bench.host.calls()[0].request_id))
    assert requests.caller.got[1].kind == wire.FAILURE
    assert (requests.live.count, requests.live.finished) == (1, 0)
    requests.lane.drop([request])
    requests.lane.drop([request])
    assert (requests.live.count, requests.live.finished) == (0, 1)


def test_one_that_became_a_run_is_not_counted_twice(bench: Bench, requests: Requests) -> None:
    (request,) = requests.send(1)
    requests.lane.hand_over(request)
    assert (requests.live.count, requests.live.finished) == (0, 0)


def test_a_worker_that_dies_costs_the_one_in_execution(bench: Bench, requests: Requests) -> None:
    requests.lane.took(0.0001)
    requests.send(1, 2)
    bench.do(bench.host.die, None, 9)
    assert isinstance(requests.caller.got[1], WorkerCrashed)
    assert set(requests.caller.got) == {1}
    assert bytes(bench.host.calls()[0].body) == b"2"


def test_a_function_that_does_not_load_fails_all_that_wait(bench: Bench, requests: Requests) -> None:
    bench.loads = False
    target = Target("nowhere", "f")
    requests.send(1, 2, target=target)
    (load,) = [frame for frame in bench.host.requests if frame.kind == wire.LOAD]
    failed = Failure("load", "ModuleNotFoundError", "no", "").to_body()
    bench.do(bench.host.say, frame_of(wire.FAILURE, load.request_id, failed))
    bench.do(bench.host.say, failure_of(bench.host.calls()[0].request_id))
    assert {type(outcome) for outcome in requests.caller.got.values()} == {LoadError}
    assert set(requests.caller.got) == {1, 2}
    assert isinstance(requests.lane.over, LoadError)


def test_what_is_cancelled_before_it_is_sent_never_is(bench: Bench, requests: Requests) -> None:
    made = requests.send(1, 2, 3)
    bench.do(bench.link.ref.tell, CancelJobs(requests.lane, [made[1]]))
    answer(bench, bench.host.calls()[0])
    assert bodies(bench) == [b"1", b"3"]


def test_replies_after_a_cancelled_one_go_the_short_way(bench: Bench, requests: Requests) -> None:
    requests.lane.took(0.0001)
    made = requests.send(1, 2)
    bench.do(bench.link.ref.tell, CancelJobs(requests.lane, [made[0], made[1]]))
    assert requests.lane.cancelling == 2
    first, second = bench.host.calls()
    answer(bench, first)
    assert bench.host.cancels() == [second.request_id]
    bench.do(bench.host.say, frame_of(wire.CANCELLED, second.request_id))
    assert requests.lane.cancelling == 0
    assert requests.caller.got == {}


def test_the_pools_end_fails_all_that_is_pending(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2)
    error = SystemStopped("stopped")
    requests.lane.fail(error)
    assert requests.caller.got == {1: error, 2: error}
    assert not requests.lane.is_alive()
    assert (requests.live.count, requests.live.finished, requests.live.cut_off) == (0, 2, 2)


def test_requests_are_served_before_a_run_that_came_later(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2, 3)
    run = bench.run_queue(ahead=False)
    bench.submit(run, 10, 11)
    answer_each(bench)
    assert bodies(bench) == [b"1", b"2", b"3", b"body 10", b"body 11"]


def test_a_run_has_its_turn_among_requests_that_keep_coming(bench: Bench, requests: Requests) -> None:
    requests.send(1, 2)
    run = bench.run_queue(ahead=False)
    bench.submit(run, 10, 11)
    requests.send(3, 4)
    answer_each(bench)
    assert bodies(bench) == [b"1", b"2", b"body 10", b"3", b"4", b"body 11"]


def test_a_run_does_not_refill_its_pipe_while_requests_wait(bench: Bench, requests: Requests) -> None:
    run = bench.run_queue()
    bench.warm(run, 0.01)  # three in a pipe
    bench.submit(run, *range(10, 30))
    requests.send(1)
    answer_each(bench)
    # Its pipe has run empty, it had its turn first, and fills it again when the request is done.
    assert bodies(bench)[:6] == [b"body 10", b"body 11", b"body 12", b"body 13", b"1", b"body 14"]


def test_events_name_the_run_of_each_request(bench: Bench, requests: Requests) -> None:
    events: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_STOP, events.append):
        requests.send(41)
        answer(bench, bench.host.calls()[0])
        assert bench.scheduler.background.flush()
    assert [event.metadata["run"] for event in events] == [41]


def test_a_pool_without_requests_gives_memory_back(bench: Bench, requests: Requests) -> None:
    requests.send(1)
    answer(bench, bench.host.calls()[0])
    bench.scheduler.advance(60.0)
    assert any(line.startswith("trim") for line in bench.host.log)
