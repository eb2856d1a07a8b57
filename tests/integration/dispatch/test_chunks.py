"""Streams of one payload, read in a thread: order, credit, early ends, what is refused."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.chunks import Notes, stream_one
from support.gates import SECONDS, Gates
from support.victims import beside
from support.worker import FUNCTIONS

from slither_actors import (
    Context,
    DispatchError,
    OptionError,
    OptionTypeError,
    PayloadError,
    PoolSpec,
    PoolUnavailable,
    Retry,
    Route,
    StreamBroken,
    StreamClosed,
    System,
    SystemStopped,
    UnexpectedResponse,
    UnknownCommand,
    UnknownPool,
    WorkerError,
    telemetry,
)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """One worker, so that what comes next shows that it is free."""
    spec = PoolSpec(size=1, path=[FUNCTIONS], adapter="chunked:Speaker", init={"factor": 10})
    with System({"default": spec}, name="test") as system:
        heard = threading.Event()
        with telemetry.attach(telemetry.BATCH_STOP, lambda event: heard.set()):
            assert list(stream_one(system, 1, function="count")) == [0]
            assert heard.wait(SECONDS)
        list(stream_one(system, (300_000, 1), function="blocks"))  # its memory for large values is mapped
        yield system


@pytest.fixture(autouse=True)
def the_worker_is_free_and_the_same(system: System, eventually: Callable[..., None]) -> Iterator[None]:
    before = system.statistics().pools["default"].executors[0].pid
    yield
    eventually(lambda: is_free(system), 10)
    assert system.statistics().pools["default"].executors[0].pid == before
    assert list(stream_one(system, 3, function="count")) == [0, 1, 2]


def is_free(system: System) -> bool:
    now = system.statistics()
    pool = now.pools["default"].pool
    assert pool is not None
    return (now.runs, pool.runs, pool.waiting, pool.in_pipes, pool.ready) == (0, 0, 0, 0, 1)


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def endless(system: System, notes: Notes, **options: Any) -> Any:
    return stream_one(system, (str(notes.path), 10**9), function="noted", **options)


# --- what comes


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 1000])
def test_all_chunks_come_in_their_order(system: System, n: int) -> None:
    stream = stream_one(system, n, function="count")
    assert stream.delivered == 0
    assert list(stream) == list(range(n))
    assert stream.delivered == n
    assert list(stream) == []  # its end is its end


def test_chunks_come_while_the_function_goes_on(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    stream = stream_one(system, [gates["a"], gates["b"]], function="through_gates")
    gates.open("a")
    assert next(stream) == 0
    gates.wait_begun("b")
    gates.open("b")
    assert list(stream) == [1]


@pytest.mark.parametrize("max_ahead", [1, 2, 3])
def test_a_small_window_delivers_everything(system: System, max_ahead: int) -> None:
    assert list(stream_one(system, 50, function="count", max_ahead=max_ahead)) == list(range(50))


def test_chunks_larger_than_the_bytes_come_one_by_one(system: System) -> None:
    sizes = [len(chunk) for chunk in stream_one(system, (300_000, 20), function="blocks", max_ahead_bytes=1000)]
    assert sizes == [300_000] * 20


def test_arrays_come_through_shared_memory(system: System) -> None:
    pytest.importorskip("numpy")
    stream = stream_one(system, 40, function="arrays")
    assert [(len(chunk), int(chunk[7])) for chunk in stream] == [(100_000, number) for number in range(40)]


def test_a_command_of_an_adapter_yields_too(system: System) -> None:
    assert list(stream_one(system, 3, command="speak")) == [0, 10, 20]


def test_an_iterator_that_is_no_generator_will_do(system: System) -> None:
    assert list(stream_one(system, 3, function="mapped")) == [0, 1, 2]


def test_an_async_generator_is_awaited_chunk_by_chunk(system: System) -> None:
    assert list(stream_one(system, 20, function="awaited")) == list(range(20))


def test_the_session_has_its_store(system: System) -> None:
    context = Context.new(session_id="a")
    for expected in ([1, 2], [3, 4]):
        assert list(stream_one(system, 2, function="stored", context=context)) == expected
    assert list(stream_one(system, 2, function="stored")) == [1, 2]


def test_what_a_batch_function_yields_are_its_results_still(system: System) -> None:
    results = system.dispatch.run([1, 2, 3], module="chunked", function="double")
    assert [item.payload for item in results] == [2, 4, 6]


def test_a_function_with_each_that_yields_is_told_of_stream_one(system: System) -> None:
    with pytest.raises(DispatchError, match=r"generator is an iterator.*or call the function by stream_one"):
        system.dispatch.run([3], module="chunked", function="count", each=True)


# --- credit


def test_a_slow_reader_stops_the_function(system: System, notes: Notes, eventually: Callable[..., None]) -> None:
    with endless(system, notes, max_ahead=4) as stream:
        for number in range(40):
            assert next(stream) == number
            assert notes.begun <= number + 1 + 4
        eventually(lambda: notes.begun >= 40 + 3)
        assert notes.begun <= 40 + 4
    eventually(lambda: notes.ended == "closed")


def test_large_chunks_stop_it_by_their_bytes(system: System, eventually: Callable[..., None]) -> None:
    with stream_one(system, (10_000, 10**6), function="blocks", max_ahead=1000, max_ahead_bytes=50_000) as stream:
        next(stream)
        (relay,) = relays(system)
        eventually(lambda: relay.statistics().ahead == 5)
        for _ in range(100):
            next(stream)
            assert relay.statistics().chunks <= stream.delivered + 5


def relays(system: System) -> list[Any]:
    """The relays of the streams that are open."""
    return [each for each in gc.get_objects() if type(each).__name__ == "ChunkRelay" and not each._finished]


# --- early ends


def closes(stream: Any) -> None:
    next(stream)
    stream.close()
    with pytest.raises(StreamClosed):
        next(stream)


def breaks(stream: Any) -> None:
    for _ in stream:
        break
    with pytest.raises(StreamClosed):
        next(stream)


def leaves_a_context(stream: Any) -> None:
    with stream:
        next(stream)


def leaves_a_loop_in_a_context(stream: Any) -> None:
    with stream:
        for _ in stream:
            break
        assert next(stream) == 1  # it is the block that closes it


def raises_in_the_loop(stream: Any) -> None:
    with pytest.raises(KeyError):  # noqa: PT012  # the loop is what is left
        for _ in stream:
            raise KeyError


@pytest.mark.parametrize("leave", [closes, breaks, leaves_a_context, leaves_a_loop_in_a_context, raises_in_the_loop])
def test_a_reader_that_leaves_frees_the_worker(
    system: System, notes: Notes, eventually: Callable[..., None], leave: Callable[[Any], None]
) -> None:
    stream = endless(system, notes)
    leave(stream)
    eventually(lambda: notes.ended == "closed")


def test_a_stream_that_is_dropped_frees_the_worker(
    system: System, notes: Notes, eventually: Callable[..., None]
) -> None:
    next(endless(system, notes))
    gc.collect()
    eventually(lambda: notes.ended == "closed")


def test_an_async_generator_is_closed_on_its_loop(
    system: System, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    path = tmp_path / "end"
    for number in stream_one(system, str(path), function="awaited_end"):
        if number == 50:
            break
    eventually(path.exists)
    eventually(lambda: path.read_text() == "closed")


def test_another_thread_closes_it_under_its_reader(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    stream = stream_one(system, [gates["never"]], function="through_gates")

    def close() -> None:
        gates.wait_begun("never")
        stream.close()
        gates.open("never")

    with beside(close), pytest.raises(StreamClosed):
        next(stream)


def test_a_second_reader_is_refused_and_disturbs_nothing(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    stream = stream_one(system, [gates["a"]], function="through_gates")
    got: list[Any] = []
    with beside(lambda: got.extend(stream)):
        gates.wait_begun("a")
        with pytest.raises(RuntimeError, match="another thread or task is waiting"):
            next(stream)
        with pytest.raises(RuntimeError, match="another thread or task is waiting"):
            list(stream)
        gates.open("a")
    assert got == [0]


def test_one_that_waits_for_a_worker_is_dropped(system: System, tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    first = stream_one(system, [gates["a"]], function="through_gates")
    second = stream_one(system, 5, function="count")
    with beside(lambda: list(first)):
        gates.wait_begun("a")
        with beside(is_closed_while_it_waits, second):
            wait_for_runs(system, 2)
            second.close()
        gates.open("a")


def is_closed_while_it_waits(stream: Any) -> None:
    with pytest.raises(StreamClosed):
        next(stream)


def wait_for_runs(system: System, count: int) -> None:
    while system.statistics().runs < count:
        pass


# --- failures


def test_an_exception_in_mid_stream_comes_after_its_chunks(system: System) -> None:
    stream = stream_one(system, 5, function="fails_after", on_error=Retry(5))
    got: list[Any] = []
    with pytest.raises(StreamBroken, match="broke after 5 chunks: WorkerError: ValueError: after 5") as caught:
        got.extend(stream)
    assert got == [0, 1, 2, 3, 4]
    assert (caught.value.delivered, stream.delivered) == (5, 5)
    assert isinstance(caught.value.reason, WorkerError)
    assert caught.value.reason.type == "ValueError"
    assert "in fails_after\n" in caught.value.reason.traceback
    with pytest.raises(StreamClosed):
        next(stream)


def test_an_exception_before_the_first_chunk_has_no_count(system: System) -> None:
    with pytest.raises(DispatchError, match="the stream failed: WorkerError: ValueError: after 0") as caught:
        list(stream_one(system, 0, function="fails_after"))
    assert not isinstance(caught.value, StreamBroken)


def test_before_the_first_chunk_it_is_retried(system: System, tmp_path: Path) -> None:
    stream = stream_one(system, (str(tmp_path / "once"), 4), function="fails_once", on_error=Retry(2, backoff=0))
    assert list(stream) == [0, 1, 2, 3]


def test_a_chunk_without_a_form_ends_the_function_first(system: System, tmp_path: Path) -> None:
    path = tmp_path / "end"
    with pytest.raises(StreamBroken, match=r"at chunk 2.*object") as caught:
        list(stream_one(system, (str(path), 2), function="unsendable_after"))
    assert caught.value.delivered == 2
    assert path.read_text() == "closed"  # before the reader heard of it


def test_a_function_that_does_not_yield_is_refused(system: System) -> None:
    with pytest.raises(DispatchError, match="this one returned a list; yield the chunks") as caught:
        list(stream_one(system, 3, function="listed"))
    assert isinstance(caught.value.reason, UnexpectedResponse)


def test_a_finally_that_raises_leaves_the_worker_alive(system: System) -> None:
    for _ in stream_one(system, 1, function="fails_at_the_end"):
        break


def test_a_generator_that_ignores_its_end_is_dropped(system: System) -> None:
    for _ in stream_one(system, 1, function="swallows"):
        break


# --- what is refused before it starts


def test_a_payload_without_a_form_is_named(system: System) -> None:
    with pytest.raises(DispatchError, match=r"at \['a'\]") as caught:
        next(stream_one(system, {"a": object()}, function="count"))
    assert isinstance(caught.value.reason, PayloadError)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"on_error": "skip"}, OptionError, "on_error=.* has no meaning for stream_one"),
        ({"on_error": Route(lambda item, reason: item)}, OptionError, "has no meaning for stream_one"),
        ({"on_error": Retry(2, then="skip")}, OptionError, "has no meaning for stream_one"),
        ({"max_ahead": 0}, OptionError, "stream_one's max_ahead must be"),
        ({"reader_timeout": -1.0}, OptionError, "stream_one's reader_timeout must be"),
        ({"max_ahead_bytes": "1"}, OptionTypeError, "stream_one's max_ahead_bytes must be"),
        ({"pool": "other"}, UnknownPool, "other"),
    ],
)
def test_a_wrong_option_is_refused_at_once(
    system: System, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        stream_one(system, 1, function="count", **options)


def test_an_unknown_command_is_refused_at_once(system: System) -> None:
    with pytest.raises(UnknownCommand, match="speak"):
        stream_one(system, 1, command="spaek")


def test_an_executor_of_ones_own_is_refused_at_once(system: System) -> None:
    class Mine:
        def request(self, batch: Any, context: Any, options: Any) -> Any:
            raise NotImplementedError

        def results(self, batch: Any, reply: Any) -> Any:
            raise NotImplementedError

    with pytest.raises(OptionTypeError, match="not for the executor Mine; use run or stream with it"):
        stream_one(system, 1, executor=Mine)


# --- the System


def test_a_stop_ends_an_open_stream_with_its_count(notes: Notes) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, name="stopped") as own:
        stream = endless(own, notes, max_ahead=1)
        assert next(stream) == 0
        assert own.stop()
        with pytest.raises(StreamBroken) as caught:
            list(stream)
        assert isinstance(caught.value.reason, SystemStopped)
        assert caught.value.delivered == stream.delivered
    assert notes.ended == "closed"


def test_a_drain_waits_for_an_open_stream(tmp_path: Path) -> None:
    gates = Gates(tmp_path)
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, name="drained") as own:
        stream = stream_one(own, [gates["a"], gates["b"]], function="through_gates")
        gates.open("a")
        assert next(stream) == 0
        reports: list[Any] = []
        with beside(lambda: reports.append(own.drain(SECONDS))):
            gates.wait_begun("b")
            gates.open("b")
            assert list(stream) == [1]
        (report,) = reports
        assert (report.completed, report.dropped) == (1, 0)


def test_a_stopped_system_takes_no_stream() -> None:
    own = System({"default": PoolSpec(size=1, path=[FUNCTIONS])}, name="gone").start()
    stream = stream_one(own, 1, function="count")
    own.stop()
    with pytest.raises(DispatchError) as caught:
        next(stream)
    assert isinstance(caught.value.reason, SystemStopped)
    with pytest.raises(SystemStopped):
        stream_one(own, 1, function="count")


def test_events_of_a_stream_are_those_of_a_batch(system: System) -> None:
    seen: list[telemetry.Event] = []
    done = threading.Event()

    def hear(event: telemetry.Event) -> None:
        seen.append(event)
        if event.name != telemetry.BATCH_START:
            done.set()

    names = (telemetry.BATCH_START, telemetry.BATCH_STOP, telemetry.BATCH_EXCEPTION)
    handlers = [telemetry.attach(name, hear) for name in names]
    try:
        list(stream_one(system, 3, function="count"))
        assert done.wait(SECONDS)
        done.clear()
        with pytest.raises(StreamBroken):
            list(stream_one(system, 3, function="fails_after", on_error=Retry(3)))
        assert done.wait(SECONDS)
    finally:
        for handler in handlers:
            handler.detach()
    start, stop = telemetry.BATCH_START, telemetry.BATCH_STOP
    assert [event.name for event in seen] == [start, stop, start, telemetry.BATCH_EXCEPTION]
    assert seen[3].metadata["outcome"] == "halt"


def test_a_payload_larger_than_a_frame_is_refused() -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], max_frame=4096)}, name="small") as own:
        with pytest.raises(DispatchError, match=r"it takes \d+ bytes, max_frame is 4096") as caught:
            next(stream_one(own, "x" * 5000, function="count"))
        assert isinstance(caught.value.reason, PayloadError)
        with pytest.raises(DispatchError, match=r"chunk 0: it takes 50\d\d bytes, max_frame is 4096"):
            next(stream_one(own, (5000, 1), function="blocks"))


def test_a_large_payload_goes_through_shared_memory(system: System) -> None:
    assert next(stream_one(system, b"x" * 300_000, module="builtins", function="iter")) == ord("x")


def test_a_pool_that_is_gone_is_the_error(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stream_one(system, 1, function="count")
    with monkeypatch.context() as patched:
        patched.setattr(system._links["default"], "ref", None)
        with pytest.raises(DispatchError) as caught:
            next(stream)
    assert isinstance(caught.value.reason, PoolUnavailable)
