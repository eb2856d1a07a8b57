"""A worker's loop with a channel of the test's: what it queues, takes back, executes, and how it ends."""

from __future__ import annotations

import io
import json
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

from slither_actors.wire import msgpack_settings
from slither_actors.wire.codec import decode, encode
from slither_actors.wire.frames import (
    CALL,
    CANCEL,
    CANCELLED,
    COMMAND,
    DEFAULT_MAX_FRAME,
    FAILURE,
    FORGET,
    FREED,
    HELLO,
    LOAD,
    LOADED,
    READY,
    REPLY,
    RETIRE,
    STOP,
    Frame,
    ProtocolError,
)
from slither_actors.wire.log_lines import LEVELS
from slither_actors.wire.messages import Failure, Hello, Load, Ready, call_side
from slither_actors.worker import Adapter, command, execution, state
from slither_actors.worker import loop as module
from slither_actors.worker.channel import HostGoneError
from slither_actors.worker.cursor import Cursor
from slither_actors.worker.limits import MAX_BATCHES, MAX_RSS, Limits
from slither_actors.worker.loop import Loop
from slither_actors.worker.state import SessionStores

FUNCTIONS = "functions_of_this_test"


class Pipe:
    """A channel: each list that the test gives is what one read completes; after the last one the host is gone."""

    def __init__(self, *reads: list[Frame]) -> None:
        self.reads = deque(reads)
        self.ready: deque[list[Frame]] = deque()
        self.look = False
        self.max_frame = 0
        self.sent: list[Frame] = []
        self.free: list[Frame] = []

    def read(self) -> list[Frame]:
        if not self.reads:
            raise HostGoneError
        return self.reads.popleft()

    def read_ready(self) -> list[Frame]:
        return self.ready.popleft() if self.ready else []

    def freed(self, frame: Frame) -> None:
        self.free.append(frame)

    def reply(self, request_id: int, attempt: int, count: int, body: bytes, took: int) -> None:
        self.sent.append(Frame(REPLY, 0, attempt, request_id, count, 0, b"", body))

    def write(self, kind: int, request_id: int, body: bytes = b"", *, attempt: int = 0, **fields: Any) -> None:
        self.sent.append(Frame(kind, 0, attempt, request_id, 0, 0, b"", body))

    def kinds(self) -> list[tuple[int, int]]:
        """The kinds and request ids of what was sent after READY."""
        assert self.sent[0].kind == READY, Failure.from_body(self.sent[0].body)
        return [(frame.kind, frame.request_id) for frame in self.sent[1:]]


class Scorer(Adapter):
    """Notes its calls."""

    said: list[object]
    fails: BaseException | None = None

    def init(self, **options: Any) -> None:
        self.said.append(options)

    @command
    def score(self, request: Any) -> Any:
        return {"items": [*request["items"], self.session_id]}

    @command("a-name")
    def other(self, request: Any) -> Any:
        return request

    def terminate(self) -> None:
        self.said.append("terminated")
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that workers find, in a process whose state is as before after the test."""
    made = ModuleType(FUNCTIONS)
    made.Scorer = type("Scorer", (Scorer,), {"said": []})  # type: ignore[attr-defined]
    made.double = lambda payloads: [2 * payload for payload in payloads]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, FUNCTIONS, made)
    for place in (execution, module):
        monkeypatch.setattr(place, "cursor", Cursor())
    stores = SessionStores()
    for place in (execution, module, state):
        monkeypatch.setattr(place, "sessions", stores)
    monkeypatch.setattr("slither_actors.worker.adapter.sessions", stores)
    monkeypatch.setattr(sys, "argv", ["before"])
    monkeypatch.setattr(sys, "path", ["of the interpreter", *sys.path])
    for name in ("_running", "_pool", "_index"):
        monkeypatch.setattr(state, name, getattr(state, name))
    return made


def a_hello(**fields: Any) -> Frame:
    return Frame(HELLO, 0, 0, 0, 0, 0, b"", Hello(**fields).to_body())


def a_load(request_id: int = 1, function: str = "double", each: bool = False) -> Frame:
    return Frame(LOAD, 0, 0, request_id, 0, 0, b"", Load(1, FUNCTIONS, function, each).to_body())


def a_call(request_id: int, *payloads: Any) -> Frame:
    return Frame(CALL, 0, 5, request_id, len(payloads), 0, call_side(1), encode(list(payloads)))


def a_command(request_id: int, name: str, session: str | None = None) -> Frame:
    return Frame(COMMAND, 0, 5, request_id, 1, 0, call_side(name, session), encode({"items": [1]}))


def of_kind(kind: int, request_id: int = 0, body: bytes = b"") -> Frame:
    return Frame(kind, 0, 0, request_id, 0, 0, b"", body)


def run(*reads: list[Frame], **hello: Any) -> Pipe:
    """Run a worker that ends without an error."""
    pipe = Pipe([a_hello(**hello)], *reads)
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    return pipe


# --- the start


@pytest.mark.usefixtures("functions")
def test_ready_says_who_is_there() -> None:
    pipe = run(adapter=f"{FUNCTIONS}:Scorer")
    ready = Ready.from_body(pipe.sent[0].body)
    version = ".".join(map(str, sys.version_info[:3]))
    assert ready == Ready(os.getpid(), version, msgpack_settings.VERSION, ["a-name", "score"])
    assert pipe.kinds() == []


@pytest.mark.usefixtures("functions")
def test_a_worker_becomes_what_the_hello_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    here, own = str(tmp_path), list(sys.path)
    (tmp_path / "preloaded_by_this_test.py").touch()
    monkeypatch.setattr(module, "limit_memory", asked.append)
    monkeypatch.setattr(state, "_running", True)
    pipe = run(
        path=[here, "/b"], name="pool", index=3, max_frame=5000, memory_limit=10**12, preload=["preloaded_by_this_test"]
    )
    assert (sys.argv, sys.path) == (["pool"], [here, "/b", *own])
    assert (state.pool(), state.index(), pipe.max_frame, asked) == ("pool", 3, 5000, [10**12])
    assert sys.modules.pop("preloaded_by_this_test").__file__ == str(tmp_path / "preloaded_by_this_test.py")


@pytest.mark.usefixtures("functions")
def test_replies_are_bounded_by_the_frames_of_the_hello() -> None:
    pipe = run([a_load(), a_call(2, "x" * 3000)], max_frame=5000)
    assert pipe.kinds() == [(LOADED, 1), (FAILURE, 2)]
    assert run([a_load(), a_call(2, "x" * 200)], max_frame=300).kinds() == [(LOADED, 1), (FAILURE, 2)]
    assert run().max_frame == DEFAULT_MAX_FRAME


@pytest.mark.usefixtures("functions")
def test_the_path_is_the_hosts_and_then_its_own() -> None:
    own = list(sys.path)
    run()
    assert sys.path == own
    run(path=["/a", own[0]])
    assert sys.path == ["/a", *own]  # each directory once
    run(path=["/b"], keep_path=False)
    assert sys.path == ["/b"]


def test_an_adapter_is_made_and_ended_once(functions: ModuleType) -> None:
    pipe = run([a_command(1, "score", "s")], [a_command(2, "a-name")], adapter=f"{FUNCTIONS}:Scorer", init={"a": 1})
    assert functions.Scorer.said == [{"a": 1}, "terminated"]
    assert [decode(frame.body) for frame in pipe.sent[1:]] == [{"items": [1, "s"]}, {"items": [1]}]


def test_the_end_of_an_adapter_is_of_no_session(functions: ModuleType) -> None:
    ended: list[object] = []
    functions.Scorer.terminate = lambda self: ended.append(self.session_id)
    run([a_command(1, "score", "s")], adapter=f"{FUNCTIONS}:Scorer")
    assert ended == [None]


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"preload": ["no_such_module"]}, "No module named 'no_such_module'"),
        ({"adapter": f"{FUNCTIONS}:Scorr"}, "did you mean 'Scorer'?"),
        ({"adapter": f"{FUNCTIONS}:double"}, f"{FUNCTIONS}:double is no subclass of slither_actors.worker.Adapter"),
        ({"adapter": "builtins:dict"}, "builtins:dict is no subclass of slither_actors.worker.Adapter"),
        ({"memory_limit": 1}, "memory_limit is 1 bytes, and the bare interpreter"),
    ],
)
def test_a_start_that_fails_says_why_and_ends(fields: dict[str, Any], said: str) -> None:
    pipe = Pipe([a_hello(**fields), a_load()])
    assert Loop(pipe).run() == 1  # type: ignore[arg-type]
    (frame,) = pipe.sent
    failure = Failure.from_body(frame.body)
    assert (frame.kind, frame.request_id, failure.kind) == (FAILURE, 0, "start")
    assert said in failure.message


@pytest.mark.parametrize(
    ("error", "limit", "said"),
    [
        (SystemExit("usage"), None, "usage"),
        (MemoryError("no"), None, "no"),
        (MemoryError("no"), 10**12, "memory_limit, 1000000000000 bytes, is not enough to get ready"),
        (ValueError("no"), 10**12, "no"),
    ],
)
def test_an_adapter_that_cannot_start_says_why(
    functions: ModuleType, error: BaseException, limit: int | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def init(self: object) -> None:
        raise error

    functions.Scorer.init = init
    monkeypatch.setattr(module, "limit_memory", lambda size: None)
    pipe = Pipe([a_hello(adapter=f"{FUNCTIONS}:Scorer", memory_limit=limit)])
    assert Loop(pipe).run() == 1  # type: ignore[arg-type]
    failure = Failure.from_body(pipe.sent[0].body)
    assert (failure.type, failure.message) == (type(error).__name__, said)
    assert functions.Scorer.said == []  # what did not start is not ended


@pytest.mark.usefixtures("functions")
def test_the_first_frame_is_a_hello() -> None:
    with pytest.raises(ProtocolError, match="the first frame is a load, not a hello"):
        Loop(Pipe([a_load()])).run()  # type: ignore[arg-type]
    with pytest.raises(ProtocolError, match="a hello frame came to a worker that is ready"):
        run([a_hello()])


@pytest.mark.usefixtures("functions")
def test_a_host_that_is_gone_before_the_hello_is_no_error() -> None:
    pipe = Pipe([], [])
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    assert pipe.sent == []


@pytest.mark.usefixtures("functions")
def test_requests_may_come_with_the_hello() -> None:
    pipe = Pipe([a_hello(), a_load(), a_call(2, 1)])
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2)]


# --- the queue


@pytest.mark.usefixtures("functions")
def test_requests_are_answered_in_their_order() -> None:
    pipe = run([], [a_load(), a_call(2, 1), a_call(3, 2)], [of_kind(FORGET, body=encode("s"))], [a_call(4, 3)])
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2), (REPLY, 3), (REPLY, 4)]
    assert [decode(frame.body) for frame in pipe.sent[2:]] == [[2], [4], [6]]


@pytest.mark.usefixtures("functions")
def test_a_cancel_takes_back_what_has_not_begun() -> None:
    pipe = run([a_load(), a_call(2, 1), a_call(3, 1), of_kind(CANCEL, 3), of_kind(CANCEL, 99)], [of_kind(CANCEL, 2)])
    assert pipe.kinds() == [(CANCELLED, 3), (LOADED, 1), (REPLY, 2)]
    assert pipe.sent[1].attempt == 5


@pytest.mark.usefixtures("functions")
def test_what_came_meanwhile_is_looked_at_in_its_time() -> None:
    pipe = Pipe([a_hello()], [a_load(), a_call(2, 1), a_call(3, 1)])
    pipe.ready.extend([[of_kind(CANCEL, 3)]])
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2), (REPLY, 3)]  # it was not time to look
    pipe = Pipe([a_hello()], [a_load(), a_call(2, 1), a_call(3, 1)])
    pipe.ready.extend([[of_kind(CANCEL, 2), of_kind(CANCEL, 3)]])
    pipe.look = True
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    assert pipe.kinds() == [(LOADED, 1), (CANCELLED, 2), (CANCELLED, 3)]  # and the queue is empty


@pytest.mark.usefixtures("functions")
def test_memory_that_the_host_gives_back_goes_to_the_channel() -> None:
    frame = of_kind(FREED)
    assert run([frame]).free == [frame]


def test_a_stop_leaves_the_rest_and_ends_the_adapter(functions: ModuleType) -> None:
    pipe = run([a_load(), a_call(2, 1), of_kind(STOP), a_call(3, 1)], [a_call(4, 1)], adapter=f"{FUNCTIONS}:Scorer")
    assert pipe.kinds() == []
    assert functions.Scorer.said == [{}, "terminated"]
    assert len(pipe.reads) == 1


def each_item(functions: ModuleType, monkeypatch: pytest.MonkeyPatch, *ready: list[Frame]) -> tuple[Pipe, list[int]]:
    """Execute two batches item by item, with a look between any two items; these frames come at the looks."""
    clock = iter(range(0, 10**12, 10**6))
    monkeypatch.setattr(execution, "monotonic_ns", lambda: next(clock))
    done: list[int] = []
    functions.double = done.append
    pipe = Pipe([a_hello()], [a_load(each=True), a_call(2, 1, 2, 3), a_call(3, 4, 5)])
    pipe.ready.extend(ready)
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    return pipe, done


def test_a_batch_is_cancelled_between_its_items(functions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, done = each_item(functions, monkeypatch, [], [of_kind(CANCEL, 2)])
    assert pipe.kinds() == [(LOADED, 1), (CANCELLED, 2), (REPLY, 3)]
    assert done == [1, 4, 5]


def test_a_look_between_items_serves_the_host(functions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, done = each_item(functions, monkeypatch, [of_kind(CANCEL, 3), of_kind(FREED), a_call(4, 6)])
    assert pipe.kinds() == [(LOADED, 1), (CANCELLED, 3), (REPLY, 2), (REPLY, 4)]
    assert done == [1, 2, 3, 6]
    assert len(pipe.free) == 1


def test_a_late_cancel_does_not_reach_the_next_batch(functions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, done = each_item(functions, monkeypatch, [of_kind(FREED)], [], [], [of_kind(CANCEL, 2)])
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2), (REPLY, 3)]
    assert done == [1, 2, 3, 4, 5]


def test_a_stop_between_items_leaves_the_rest(functions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, done = each_item(functions, monkeypatch, [], [of_kind(STOP)])
    assert pipe.kinds() == [(LOADED, 1)]
    assert done == [1]


# --- limits and ends


@pytest.mark.usefixtures("functions")
def test_a_worker_retires_after_so_many_batches() -> None:
    pipe = run([a_load(), a_call(2, 1), a_load(3), a_call(4, 1), a_call(5, 1)], [a_call(6, 1)], max_batches=2)
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2), (LOADED, 3), (REPLY, 4), (RETIRE, 0)]
    assert decode(pipe.sent[-1].body) == MAX_BATCHES


def test_a_command_is_a_batch_too(functions: ModuleType) -> None:
    pipe = run([a_command(1, "score"), a_command(2, "score")], adapter=f"{FUNCTIONS}:Scorer", max_batches=1)
    assert pipe.kinds() == [(REPLY, 1), (RETIRE, 0)]
    assert functions.Scorer.said == [{}, "terminated"]


@pytest.mark.usefixtures("functions")
def test_a_worker_that_grew_too_large_retires(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int | None, int | None]] = []

    class Counted(Limits):
        def __init__(self, max_batches: int | None, max_rss: int | None) -> None:
            super().__init__(max_batches)
            made.append((max_batches, max_rss))

        def after_batch(self) -> str:
            return MAX_RSS

    monkeypatch.setattr(module, "Limits", Counted)
    pipe = run([a_load(), a_call(2, 1), a_call(3, 1)], max_rss=10)
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2), (RETIRE, 0)]
    assert decode(pipe.sent[-1].body) == MAX_RSS
    run()
    assert made == [(None, 10)]  # and none where there is no limit


@pytest.mark.usefixtures("functions")
def test_a_batch_is_gone_before_memory_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(Frame):
        __slots__ = ("__weakref__",)

    plain = a_call(2, 1)
    frames = [Watched(CALL, 0, 5, 2, 1, 0, plain.side, plain.body)]
    watched = weakref.ref(frames[0])
    left: list[object] = []

    class Measured(Limits):
        def after_batch(self) -> None:
            left.append(watched())

    monkeypatch.setattr(module, "Limits", Measured)
    pipe = Pipe([a_hello(max_batches=9)], [a_load()], [])
    pipe.reads[2].append(frames.pop())
    assert Loop(pipe).run() == 0  # type: ignore[arg-type]
    assert pipe.kinds() == [(LOADED, 1), (REPLY, 2)]
    assert left == [None]


def test_an_adapter_that_fails_to_end_is_code_1(functions: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    functions.Scorer.fails = KeyboardInterrupt("no")
    pipe = Pipe([a_hello(adapter=f"{FUNCTIONS}:Scorer")])
    assert Loop(pipe).run() == 1  # type: ignore[arg-type]
    assert "KeyboardInterrupt: no" in capsys.readouterr().err
    functions.Scorer.fails = SystemExit(4)
    with pytest.raises(SystemExit):
        Loop(Pipe([a_hello(adapter=f"{FUNCTIONS}:Scorer")])).run()  # type: ignore[arg-type]


# --- the process


class Ended(BaseException):
    """In the place of the end of the process."""


def no_exit(code: int) -> NoReturn:
    raise Ended(code)


class Process:
    """The parts of `main` that would change this process, replaced by what notes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: list[Any] = []
        self.run: Callable[[], int] = lambda: 0
        bench = self

        class FakeLoop:
            def __init__(self, channel: Any) -> None:
                bench.said.append(("channel", channel))

            def run(self) -> int:
                bench.said.append(("main", vars(sys.modules["__main__"]).keys() - vars(ModuleType("x")).keys()))
                return bench.run()

        def note(name: str, result: Callable[..., Any] = lambda *_: None) -> Callable[..., Any]:
            def noted(*arguments: Any) -> Any:
                bench.said.append((name, *arguments))
                return result(*arguments)

            return noted

        def guarded(*given: int) -> tuple[int, ...]:
            return tuple(fd + 100 for index, fd in enumerate(given) if index != 3)

        started = ModuleType("__main__")
        started.Finder = object  # type: ignore[attr-defined]  # of the code that starts a worker
        monkeypatch.setitem(sys.modules, "__main__", started)
        monkeypatch.setenv(LEVELS, json.dumps({"": 10}))
        for name, result in {
            "guard": guarded,
            "close_in_forks": lambda *_: None,
            "enter_worker": lambda: None,
            "watch": lambda levels: None,
            "Channel": lambda *ends: ends,
        }.items():
            monkeypatch.setattr(module, name, note(name, result))
        used = Cursor()
        monkeypatch.setattr(module, "cursor", used)
        monkeypatch.setattr(Cursor, "use", lambda self, fd: bench.said.append(("use", fd)))
        monkeypatch.setattr(module, "Loop", FakeLoop)
        monkeypatch.setattr(os, "_exit", no_exit)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    return Process(monkeypatch)


def test_main_is_a_worker_and_exits_with_its_code(process: Process) -> None:
    process.run = lambda: 7
    with pytest.raises(SystemExit) as caught:
        module.main(3, 4, 5, 1234)
    assert caught.value.code == 7
    assert process.said == [
        ("guard", 3, 4, 5, 1234),
        ("close_in_forks", 103, 104, 105),
        ("enter_worker",),
        ("watch", '{"": 10}'),
        ("Channel", 103, 104),
        ("channel", (103, 104)),
        ("main", set()),
    ]
    assert LEVELS not in os.environ


@pytest.mark.parametrize(("memory", "arenas", "page"), [((6,), (), 106), ((6, 7), (106, 107), 107)])
def test_the_cursor_is_in_the_last_of_the_files(
    process: Process, memory: tuple[int, ...], arenas: tuple[int, ...], page: int
) -> None:
    with pytest.raises(SystemExit):
        module.main(3, 4, 5, 1234, *memory)
    assert ("Channel", 103, 104, *arenas) in process.said
    assert ("use", page) in process.said
    assert ("close_in_forks", 103, 104, 105, *(fd + 100 for fd in memory)) in process.said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("bad"), 1),
        (KeyboardInterrupt(), 1),
        (SystemExit(5), 5),
        (SystemExit(), 0),
        (SystemExit("text"), 1),
        (SystemExit(256 + 3), 3),
        (SystemExit(-1), 255),
    ],
)
def test_a_crash_ends_the_process_at_once(
    process: Process, error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        raise error

    process.run = run
    with pytest.raises(Ended) as caught:
        module.main(3, 4, 5, 1234)
    assert caught.value.args == (code,)
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert type(error).__name__ in said


def test_what_was_printed_before_a_crash_is_not_lost(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))

    def run() -> int:
        print("printed")
        assert written.getvalue() == b""
        raise SystemExit(5)

    process.run = run
    with pytest.raises(Ended):
        module.main(3, 4, 5, 1234)
    assert written.getvalue() == b"printed\n"


def test_an_error_that_has_a_code_of_its_own_is_code_1(process: Process) -> None:
    class Coded(Exception):
        code = 9

    def run() -> int:
        raise Coded

    process.run = run
    with pytest.raises(Ended) as caught:
        module.main(3, 4, 5, 1234)
    assert caught.value.args == (1,)


def test_a_crash_ends_the_process_without_a_stderr(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    def hook(*_: object) -> None:
        raise OSError("no stderr")

    def run() -> int:
        raise SystemExit(5)

    process.run = run
    monkeypatch.setattr(sys, "__excepthook__", hook)
    with pytest.raises(Ended) as caught:
        module.main(3, 4, 5, 1234)
    assert caught.value.args == (5,)
