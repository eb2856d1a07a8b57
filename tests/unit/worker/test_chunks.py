"""How a worker executes a stream: credit, what is looked at when, and each way in which it ends."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from slither_actors.wire import frames as wire
from slither_actors.wire.chunk_window import ChunkWindow
from slither_actors.wire.codec import Encoder, decode, encode
from slither_actors.wire.frames import Frame
from slither_actors.wire.messages import Failure, Hello, Load, stream_side
from slither_actors.worker import Adapter, chunks, command, execution, state
from slither_actors.worker import loop as loop_module
from slither_actors.worker.channel import HostGoneError
from slither_actors.worker.chunks import ChunkSender, Stream
from slither_actors.worker.cursor import INDEX, REQUEST, Cursor
from slither_actors.worker.event_loop import event_loop
from slither_actors.worker.loop import Loop, StopError
from slither_actors.worker.state import SessionStores

ID = 7
REQUESTED = Frame(wire.STREAM, 0, 3, ID, 1, 0, b"", b"")


class Sent:
    """A channel that keeps the frames it is given, and serves a stream from a list of steps."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.max_frame = 1 << 16
        self.waits = 0
        self.looks = 0
        self.steps: list[Callable[[Stream], object]] = []

    def reply(self, request_id: int, attempt: int, count: int, body: bytes, took: int) -> None:
        self.frames.append(Frame(wire.REPLY, 0, attempt, request_id, count, 0, b"", body, took=took))

    def write(self, kind: int, request_id: int, body: bytes = b"", **fields: Any) -> None:
        buffers = memoryview(b"".join(fields.get("buffers", ())))
        attempt, count, took = (fields.get(name, 0) for name in ("attempt", "count", "took"))
        self.frames.append(Frame(kind, 0, attempt, request_id, count, 0, b"", body, buffers, took))

    def serve(self, stream: Stream, wait: bool) -> None:
        self.looks += 1
        self.waits += wait
        if wait:
            if not self.steps:
                raise StopError
            self.steps.pop(0)(stream)

    def fail(self, frame: Frame, kind: str, error: BaseException, took: int) -> None:
        self.frames.append(Frame(wire.FAILURE, 0, frame.attempt, frame.request_id, 0, 0, b"", b"", took=took))
        self.failed = kind, error

    def run(self, function: Callable[[Any], Any], *, ahead: int = 2, size: int = 1 << 20) -> Stream:
        stream = Stream(ID, ChunkWindow(ahead, size))
        sender = ChunkSender(self, Encoder(), self.serve, self.fail)  # type: ignore[arg-type]
        sender.execute(REQUESTED, stream, function, "payload")
        return stream

    @property
    def kinds(self) -> list[int]:
        return [frame.kind for frame in self.frames]

    @property
    def values(self) -> list[Any]:
        return [decode(frame.body) for frame in self.frames if frame.kind == wire.CHUNK]


@pytest.fixture
def sent() -> Sent:
    return Sent()


class Noted:
    """A function of so many chunks, and what it has done."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.begun = 0
        self.ended = ""

    def __call__(self, payload: Any) -> Iterator[int]:
        self.payload = payload
        self.ended = "done"
        try:
            for number in range(self.n):
                self.begun += 1
                yield number
        except GeneratorExit:
            self.ended = "closed"
            raise


def credit(count: int) -> Callable[[Stream], object]:
    return lambda stream: stream.credit(Frame(wire.CREDIT, 0, 0, ID, count, 0, b"", b""))


def cancel(stream: Stream) -> None:
    stream.cancelled = True


# --- credit


def test_chunks_go_out_in_order_and_then_the_reply(sent: Sent) -> None:
    function = Noted(2)
    sent.run(function, ahead=3)
    assert sent.values == [0, 1]
    assert sent.kinds == [wire.CHUNK, wire.CHUNK, wire.REPLY]
    assert [(frame.request_id, frame.attempt, frame.count) for frame in sent.frames] == [(ID, 3, 1)] * 3
    assert all(frame.took > 0 for frame in sent.frames)
    assert (function.payload, sent.waits) == ("payload", 0)


def test_without_credit_no_further_yield_is_begun(sent: Sent) -> None:
    function = Noted(10)
    with pytest.raises(StopError):  # it waits, and there is nothing to come
        sent.run(function, ahead=4)
    assert (function.begun, sent.values, sent.waits) == (4, [0, 1, 2, 3], 1)
    assert function.ended == "closed"


def test_credit_lets_as_many_go_as_it_says(sent: Sent) -> None:
    function = Noted(10)
    sent.steps = [credit(1), credit(2)]
    with pytest.raises(StopError):
        sent.run(function, ahead=2)
    assert (function.begun, sent.waits) == (5, 3)


def test_bytes_stop_it_as_well(sent: Sent) -> None:
    with pytest.raises(StopError):
        sent.run(lambda payload: (b"x" * 100 for _ in range(10)), ahead=10, size=200)
    assert len(sent.values) == 2  # with their headers more than 200 bytes


def test_credit_of_another_stream_is_none(sent: Sent) -> None:
    sent.steps = [lambda stream: stream.credit(Frame(wire.CREDIT, 0, 0, ID + 1, 5, 0, b"", b""))]
    function = Noted(10)
    with pytest.raises(StopError):
        sent.run(function, ahead=2)
    assert function.begun == 2


def test_a_function_in_a_hurry_looks_for_the_host_now_and_then(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(0, 10**9, 100_000))  # a tenth of a millisecond for each look at the clock
    monkeypatch.setattr(chunks, "perf_counter_ns", times.__next__)
    sent.run(Noted(100), ahead=1000)
    assert 10 < sent.looks < 60


# --- its end


def test_a_cancelled_one_is_closed_and_says_so(sent: Sent) -> None:
    function = Noted(10)
    sent.steps = [cancel]
    sent.run(function, ahead=2)
    assert (function.begun, function.ended) == (2, "closed")
    assert sent.kinds == [wire.CHUNK, wire.CHUNK, wire.CANCELLED]


def test_what_the_function_raises_comes_after_its_chunks(sent: Sent) -> None:
    def function(payload: Any) -> Iterator[int]:
        yield 1
        raise KeyError("no")

    sent.run(function)
    assert sent.kinds == [wire.CHUNK, wire.FAILURE]
    assert sent.failed[0] == "user"
    assert isinstance(sent.failed[1], KeyError)


def test_a_call_that_raises_is_the_functions_failure(sent: Sent) -> None:
    sent.run(lambda payload: 1 // 0)  # type: ignore[arg-type, return-value]
    assert (sent.kinds, sent.failed[0]) == ([wire.FAILURE], "user")


def test_an_exit_in_the_function_leaves(sent: Sent) -> None:
    def function(payload: Any) -> Iterator[int]:
        yield 1
        sys.exit(3)

    with pytest.raises(SystemExit):
        sent.run(function)


@pytest.mark.parametrize(
    ("chunk", "text"),
    [
        (object(), "chunk 0: objects of type object cannot be sent"),
        ({"a": object()}, r"chunk 0\['a'\]: objects"),
        (b"x" * (1 << 16), "chunk 0: it takes 655.. bytes, max_frame is 65536; yield smaller pieces"),
    ],
)
def test_a_chunk_that_cannot_be_sent_ends_it(sent: Sent, chunk: object, text: str) -> None:
    ended = []

    def function(payload: Any) -> Iterator[object]:
        try:
            yield chunk
        finally:
            ended.append(list(sent.kinds))

    sent.run(function)
    assert ended == [[]]  # closed before the failure goes out
    assert (sent.kinds, sent.failed[0]) == ([wire.FAILURE], "encode")
    with pytest.raises(type(sent.failed[1]), match=text):
        raise sent.failed[1]


async def _coroutine() -> list[int]:
    return []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([1], "this one returned a list; yield the chunks, or call the function by run or call_batch"),
        (None, "returned a NoneType"),
        (_coroutine, "returned a coroutine; a worker awaits"),
    ],
)
def test_what_yields_nothing_is_refused(sent: Sent, value: Any, text: str) -> None:
    sent.run(lambda payload: value() if callable(value) else value)
    assert (sent.kinds, sent.failed[0]) == ([wire.FAILURE], "unexpected")
    assert text in str(sent.failed[1])


def test_a_finally_that_raises_is_written_to_stderr(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: seen.append(error[1]))

    def function(payload: Any) -> Iterator[int]:
        try:
            yield 1
        finally:
            raise KeyError("in finally")

    sent.steps = [cancel]
    sent.run(function, ahead=1)
    assert sent.kinds == [wire.CHUNK, wire.CANCELLED]
    assert [type(error) for error in seen] == [KeyError]


def test_one_that_ignores_its_end_is_reported_and_dropped(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: seen.append(str(error[1])))
    monkeypatch.setattr(sys, "unraisablehook", lambda told: seen.append(str(told.exc_value)))  # as it is dropped

    def function(payload: Any) -> Iterator[int]:
        while True:
            try:
                yield 1
            except GeneratorExit:
                pass

    sent.steps = [cancel]
    sent.run(function, ahead=1)
    assert sent.kinds == [wire.CHUNK, wire.CANCELLED]
    gc.collect()
    assert seen == ["generator ignored GeneratorExit"] * 2


def test_an_async_generator_is_awaited_and_closed(sent: Sent) -> None:
    ended = []

    async def function(payload: Any) -> Any:
        try:
            yield 1
            yield 2
        finally:
            ended.append(True)

    try:
        sent.run(function, ahead=10)  # type: ignore[arg-type]
        assert (sent.values, sent.kinds[-1]) == ([1, 2], wire.REPLY)
        sent.steps = [cancel]
        sent.run(function, ahead=1)  # type: ignore[arg-type]
        assert (sent.values, sent.kinds[-1]) == ([1, 2, 1], wire.CANCELLED)
    finally:
        event_loop.close()
    assert ended == [True, True]


# --- in the loop


class Pipe:
    """A channel whose reads the test has written down; after them the host is gone."""

    look = False
    max_frame = 1 << 20

    def __init__(self, *reads: list[Frame]) -> None:
        self.reads = list(reads)
        self.sent: list[Frame] = []

    def read(self) -> list[Frame]:
        if not self.reads:
            raise HostGoneError
        return self.reads.pop(0)

    def read_ready(self) -> list[Frame]:
        return []

    def reply(self, request_id: int, attempt: int, count: int, body: bytes, took: int) -> None:
        self.sent.append(Frame(wire.REPLY, 0, attempt, request_id, count, 0, b"", body))

    def write(self, kind: int, request_id: int, body: bytes = b"", **fields: Any) -> None:
        self.sent.append(Frame(kind, 0, 0, request_id, 0, 0, b"", body))

    def kinds(self) -> list[tuple[int, int]]:
        return [(frame.kind, frame.request_id) for frame in self.sent[1:]]


class Speaker(Adapter):
    @command
    def speak(self, request: Any) -> Any:
        yield self.session_id
        yield request["items"]


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("functions_of_this_test")
    made.Speaker = Speaker  # type: ignore[attr-defined]
    made.count = lambda n: iter(range(n))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, made.__name__, made)
    for place in (execution, loop_module):
        monkeypatch.setattr(place, "cursor", Cursor())
    stores = SessionStores()
    for place in (execution, loop_module, state):
        monkeypatch.setattr(place, "sessions", stores)
    monkeypatch.setattr("slither_actors.worker.adapter.sessions", stores)
    monkeypatch.setattr(sys, "argv", ["before"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in ("_running", "_pool", "_index"):
        monkeypatch.setattr(state, name, getattr(state, name))
    return made


def a_stream(request_id: int, target: int | str = 1, payload: Any = 5, ahead: int = 2, **session: Any) -> Frame:
    body = payload if type(payload) is bytes else encode(payload)
    return Frame(wire.STREAM, 0, 1, request_id, 1, 0, stream_side(target, session.get("session"), ahead, 1 << 20), body)


def of_kind(kind: int, request_id: int, count: int = 0) -> Frame:
    return Frame(kind, 0, 0, request_id, count, 0, b"", b"")


def run(*reads: list[Frame], **hello: Any) -> Pipe:
    load = Frame(wire.LOAD, 0, 0, 1, 0, 0, b"", Load(1, "functions_of_this_test", "count", True).to_body())
    pipe = Pipe([Frame(wire.HELLO, 0, 0, 0, 0, 0, b"", Hello(**hello).to_body())], [load], *reads)
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    return pipe


@pytest.mark.usefixtures("functions")
def test_what_comes_while_it_waits_is_sorted() -> None:
    pipe = run(
        [a_stream(2)],
        [a_stream(3), of_kind(wire.CREDIT, 2, 2)],  # the next one takes its turn
        [of_kind(wire.CREDIT, 2, 2)],
        [of_kind(wire.CANCEL, 3)],  # it has begun
    )
    chunk = wire.CHUNK
    assert pipe.kinds() == [
        (wire.LOADED, 1),
        *[(chunk, 2)] * 5,
        (wire.REPLY, 2),
        *[(chunk, 3)] * 2,
        (wire.CANCELLED, 3),
    ]


@pytest.mark.usefixtures("functions")
def test_one_that_waits_its_turn_is_cancelled_before_it_begins() -> None:
    pipe = run(
        [a_stream(2), a_stream(3)], [of_kind(wire.CANCEL, 3), of_kind(wire.CREDIT, 2, 2)], [of_kind(wire.STOP, 0)]
    )
    chunk = wire.CHUNK
    assert pipe.kinds() == [(wire.LOADED, 1), *[(chunk, 2)] * 2, (wire.CANCELLED, 3), *[(chunk, 2)] * 2]


@pytest.mark.usefixtures("functions")
def test_credit_that_comes_late_is_nothing() -> None:
    pipe = run([a_stream(2, payload=1)], [of_kind(wire.CREDIT, 2, 1)], [a_stream(3, payload=1)])
    assert pipe.kinds()[1:] == [(wire.CHUNK, 2), (wire.REPLY, 2), (wire.CHUNK, 3), (wire.REPLY, 3)]


@pytest.mark.usefixtures("functions")
def test_a_command_yields_with_its_session() -> None:
    pipe = run([a_stream(2, "speak", {"items": [1]}, session="s")], adapter="functions_of_this_test:Speaker")
    assert [decode(frame.body) for frame in pipe.sent if frame.kind == wire.CHUNK] == ["s", [1]]


@pytest.mark.usefixtures("functions")
def test_it_counts_as_a_batch_for_the_limits() -> None:
    pipe = run([a_stream(2, payload=1), a_stream(3, payload=1)], max_batches=1)
    assert pipe.kinds()[1:] == [(wire.CHUNK, 2), (wire.REPLY, 2), (wire.RETIRE, 0)]


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        (a_stream(2, 9), "load", "no function is loaded as target 9"),
        (a_stream(2, "speak"), "load", "there is no command 'speak'; the worker has no adapter"),
        (a_stream(2, payload=b"\xc1"), "decode", "this cannot be decoded in the worker"),
    ],
)
def test_one_that_cannot_begin_fails(frame: Frame, kind: str, text: str) -> None:
    pipe = run([frame])
    failure = Failure.from_body(pipe.sent[-1].body)
    assert failure.kind == kind
    assert text in failure.message


@pytest.mark.usefixtures("functions")
def test_the_cursor_is_at_its_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = Cursor()
    monkeypatch.setattr(execution, "cursor", cursor)
    run([a_stream(2)])
    assert (cursor.words[REQUEST], cursor.words[INDEX], cursor.batch) == (2, 0, None)
