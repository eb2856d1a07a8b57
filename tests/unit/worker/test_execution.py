"""What is executed of a request and answered to it, with a channel that only keeps the answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.replies import reply_results

from slither_actors.wire.codec import decode, encode
from slither_actors.wire.extension_codes import RefusedError
from slither_actors.wire.frames import (
    CALL,
    CANCELLED,
    COMMAND,
    FAILURE,
    FORGET,
    HEADER_SIZE,
    LOAD,
    LOADED,
    REPLY,
    Frame,
    LostFrame,
    ProtocolError,
)
from slither_actors.wire.messages import Failure, Load, call_side, reply_failures
from slither_actors.worker import execution as module
from slither_actors.worker.cursor import INDEX, REQUEST, SINCE, Cursor
from slither_actors.worker.execution import Execution, resolve
from slither_actors.worker.state import SessionStores

FUNCTIONS = "functions_of_this_test"


class Answers:
    """A channel that keeps the frames it is given."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.plain = 0
        self.in_fork = 0
        self.max_frame = 1 << 20

    def reply(self, request_id: int, attempt: int, count: int, body: bytes, took: int) -> None:
        self.plain += 1
        self.frames.append(Frame(REPLY, 0, attempt, request_id, count, 0, b"", body, took=took))

    def write(self, kind: int, request_id: int, body: bytes = b"", **fields: Any) -> None:
        buffers = memoryview(b"".join(fields.get("buffers", ())))
        numbers = (fields.get(name, 0) for name in ("count", "failed"))
        side, took = fields.get("side", b""), fields.get("took", 0)
        self.frames.append(Frame(kind, 0, fields.get("attempt", 0), request_id, *numbers, side, body, buffers, took))

    def end_in_fork(self) -> None:
        self.in_fork += 1


class Bench:
    """An Execution whose functions are those that a test gives it."""

    def __init__(self, functions: ModuleType, **options: Any) -> None:
        self.channel = Answers()
        self.execution = Execution(self.channel, **options)  # type: ignore[arg-type]
        self.execution.most(self.channel.max_frame)
        self.functions = functions

    def execute(self, kind: int, body: bytes, side: bytes = b"", count: int = 0, buffers: bytes = b"") -> Frame | None:
        before = len(self.channel.frames)
        self.execution.execute(Frame(kind, 0, 3, 7, count, 0, side, body, memoryview(buffers)))
        came = self.channel.frames[before:]
        assert len(came) <= 1  # a request has one answer
        return came[0] if came else None

    def load(self, function: Any, *, each: bool = False, target: int = 1) -> Frame:
        self.functions.function = function  # type: ignore[attr-defined]
        answer = self.execute(LOAD, Load(target, FUNCTIONS, "function", each).to_body())
        assert answer is not None
        return answer

    def call(
        self, function: Any, payloads: Any, *, each: bool = False, session: str | None = None, **fields: Any
    ) -> Frame:
        assert self.load(function, each=each).kind == LOADED
        return self.again(payloads, session=session, **fields)

    def again(self, payloads: Any, *, session: str | None = None, target: int = 1, **fields: Any) -> Frame:
        answer = self.execute(CALL, encode(payloads), call_side(target, session), len(payloads), **fields)
        assert answer is not None
        assert (answer.request_id, answer.attempt) == (7, 3)
        return answer

    def command(self, name: str, request: Any, session: str | None = None) -> Frame:
        answer = self.execute(COMMAND, encode(request), call_side(name, session), len(request.get("items", ())))
        assert answer is not None
        return answer


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType(FUNCTIONS)
    monkeypatch.setitem(sys.modules, FUNCTIONS, made)
    monkeypatch.setattr(module, "cursor", Cursor())
    monkeypatch.setattr(module, "sessions", SessionStores())
    return made


@pytest.fixture
def bench(functions: ModuleType) -> Bench:
    return Bench(functions)


def results(frame: Frame) -> list[Any]:
    assert frame.kind == REPLY, Failure.from_body(frame.body)
    assert not frame.failed
    return reply_results(frame)[0]


def failed(frame: Frame, kind: str) -> Failure:
    assert frame.kind == FAILURE, frame
    found = Failure.from_body(frame.body)
    assert found.kind == kind, found
    return found


def raises(error: BaseException) -> Callable[[Any], Any]:
    def function(given: Any) -> Any:
        raise error

    return function


def same(given: Any) -> Any:
    return given


async def coroutine(given: Any) -> Any:
    return given


def returns_a_coroutine(given: Any) -> Any:
    return coroutine(given)


# --- calls


def test_a_function_gets_the_list_and_gives_the_results(bench: Bench) -> None:
    frame = bench.call(lambda payloads: [payloads], [1, "a"])
    assert results(frame) == [[1, "a"]]
    assert (frame.count, bench.channel.plain) == (1, 1)
    assert frame.took > 0


def test_results_that_are_no_list_become_one(bench: Bench) -> None:
    for function in (tuple, iter, lambda payloads: (payload for payload in payloads)):
        assert results(bench.call(function, [1, 2])) == [1, 2]


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda payloads: None, "expected a list of results, got NoneType; is its return missing?"),
        (returns_a_coroutine, "got coroutine; a worker awaits `async def` functions"),
        (lambda payloads: "ab", "got str; it was called with a list of 2"),
        (lambda payloads: {1, 2}, "got set; a set has no order"),
        (lambda payloads: {1: 2}, "got dict"),
    ],
)
def test_what_is_no_sequence_of_results_is_unexpected(bench: Bench, function: Callable[[Any], Any], named: str) -> None:
    found = failed(bench.call(function, [1, 2]), "unexpected")
    assert found.type == "TypeError"
    assert named in found.message


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt("no"), GeneratorExit("no")])
@pytest.mark.parametrize("each", [False, True])
def test_what_a_function_raises_is_its_failure(bench: Bench, error: BaseException, each: bool) -> None:
    frame = bench.call(raises(error), [1], each=each)
    if each:
        ((index, found),) = reply_failures(frame)
        assert (index, frame.count) == (0, 0)
    else:
        found = failed(frame, "user")
    assert (found.type, found.message, found.kind) == (type(error).__name__, "no", "user")
    assert frame.took > 0


@pytest.mark.parametrize("each", [False, True])
def test_only_the_wish_to_exit_leaves_a_call(bench: Bench, each: bool) -> None:
    with pytest.raises(SystemExit):
        bench.call(raises(SystemExit(3)), [1], each=each)
    assert [frame.kind for frame in bench.channel.frames] == [LOADED]


def test_a_type_error_says_what_the_function_got(bench: Bench) -> None:
    found = failed(bench.call(lambda payloads: payloads + 1, [1]), "user")
    assert "it was called with a list of 1" in found.message
    ((_, found),) = reply_failures(bench.call(lambda payload: payload[0], [1], each=True))
    assert "it was called with one payload, of type int" in found.message


def test_a_function_that_runs_out_of_memory_lets_go(bench: Bench) -> None:
    kept: list[Any] = []

    class Large:
        def __del__(self) -> None:
            kept.append(bench.channel.frames[-1].kind)

    def function(payloads: Any) -> Any:
        large = Large()
        raise MemoryError(f"not for {large is None}")

    for each in (False, True):
        frame = bench.call(function, [1], each=each)
        found = reply_failures(frame)[0][1] if each else failed(frame, "user")
        assert (found.type, found.message) == ("MemoryError", "not for False")
    assert kept == [LOADED] * 2  # before the answer is written


def test_a_body_that_is_no_value_is_a_failure(bench: Bench) -> None:
    bench.load(same)
    for kind, side in [(CALL, call_side(1)), (COMMAND, call_side("same"))]:
        bench.execution.commands = {"same": same}
        frame = bench.execute(kind, b"\xc1", side)
        assert frame is not None
        failed(frame, "decode")


MANY = {(2**61 - 1) * number + 5 for number in range(257)}
"""Numbers of one hash, one more than a set may have."""


@pytest.mark.parametrize("form", ["each", "batch", "command"])
def test_the_answer_names_them_and_nothing_is_executed(bench: Bench, form: str) -> None:
    called: list[Any] = []
    payloads = [1, MANY, 3, MANY]
    if form == "command":
        bench.execution.commands = {"c": called.append}
        frame = bench.command("c", {"items": payloads})
    else:
        frame = bench.call(called.append, payloads, each=form == "each")
    assert called == []
    assert (frame.kind, frame.request_id, frame.attempt, frame.count, frame.failed) == (FAILURE, 7, 3, 2, 2)
    failures = reply_failures(frame)
    assert [index for index, _ in failures] == [1, 3]
    assert Failure.from_body(frame.body) == failures[0][1]
    assert failures[0][1].kind == "decode"


def test_of_more_than_a_frame_can_name_the_first_are_named(bench: Bench) -> None:
    bench.channel.max_frame = 2000
    frame = bench.call(same, [MANY] * 50)
    assert frame.kind == FAILURE
    assert frame.size <= 2000
    assert 1 < frame.failed < 50
    assert frame.count + frame.failed == 50
    assert [index for index, _ in reply_failures(frame)] == list(range(frame.failed))


@pytest.mark.parametrize("kind", [CALL, COMMAND])
def test_where_no_item_is_at_fault_the_whole_has_failed(bench: Bench, kind: int) -> None:
    bench.execution.commands = {"c": same}
    bench.load(same)
    frame = bench.execute(kind, encode({"items": [1, 2], "beside": MANY}), call_side("c" if kind == COMMAND else 1), 2)
    assert frame is not None
    assert frame.failed == 0
    assert "this cannot be decoded in the worker: more than 256 keys" in failed(frame, "decode").message


def test_a_module_that_is_missing_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    numpy = pytest.importorskip("numpy")
    body = encode([1, numpy.int64(2), 3])
    bench.load(same, each=True)
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "slither_actors.wire.arrays", raising=False)
    frame = bench.execute(CALL, body, call_side(1), 3)
    assert frame is not None
    ((index, found),) = reply_failures(frame)
    assert index == 1
    assert f"install numpy for {sys.executable}, too, or send plain data (numpy: .tolist())" in found.message


def test_a_side_that_is_none_breaks_the_protocol(bench: Bench) -> None:
    for kind in (CALL, COMMAND):
        with pytest.raises(ProtocolError):
            bench.execute(kind, encode([]), encode([1]))


def test_each_item_has_a_result_or_an_error(bench: Bench) -> None:
    def function(payload: int) -> int:
        if payload % 2:
            raise KeyError(payload)
        return 10 * payload

    frame = bench.call(function, [0, 1, 2, 3], each=True)
    assert (frame.count, frame.failed) == (2, 2)
    assert decode(frame.body) == [0, 20]
    assert [(index, found.message) for index, found in reply_failures(frame)] == [(1, "1"), (3, "3")]


def test_payloads_that_are_no_list_fail_as_a_whole(bench: Bench) -> None:
    bench.load(same, each=True)
    frame = bench.execute(CALL, encode(7), call_side(1))
    assert frame is not None
    assert "not iterable" in failed(frame, "user").message


def test_the_host_is_looked_for_between_items(functions: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**9, 300_000))
    monkeypatch.setattr(module, "monotonic_ns", lambda: next(clock))
    done: list[int] = []
    asked: list[tuple[int, int]] = []

    def between(request_id: int) -> bool:
        asked.append((request_id, len(done)))
        return len(asked) == 3

    bench = Bench(functions, between=between)
    frame = bench.call(done.append, [*range(20)], each=True)
    # Half a millisecond is two steps of this clock, and a look takes none.
    assert asked == [(7, 1), (7, 3), (7, 5)]
    assert (frame.kind, done) == (CANCELLED, [0, 1, 2, 3, 4])


def test_the_cursor_is_at_the_item_in_execution(bench: Bench) -> None:
    seen: list[tuple[int, int]] = []
    module.cursor.batch = 1, 1

    def function(payload: Any) -> None:
        assert module.cursor.batch is None
        seen.append((module.cursor.words[REQUEST], module.cursor.words[INDEX]))

    bench.call(function, "abc", each=True)
    assert seen == [(7, 0), (7, 1), (7, 2)]
    assert module.cursor.words[INDEX] == 3  # all are done


def test_what_comes_after_the_last_item_has_its_own_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(module, "monotonic_ns", lambda: next(clock))
    seen: list[int] = []
    bench.call(lambda payload: seen.append(module.cursor.words[SINCE]), "ab", each=True)
    assert [*seen, module.cursor.words[SINCE]] == [1000, 2000, 3000]


def test_a_whole_batch_may_say_where_it_is(bench: Bench) -> None:
    seen: list[Any] = []
    bench.call(lambda payloads: seen.append(module.cursor.batch) or payloads, [0, 0])
    bench.execution.commands = {"c": lambda request: seen.append(module.cursor.batch) or request}
    bench.command("c", {"items": [1, 2, 3]})
    assert seen == [(7, 2), (7, 3)]


def test_a_forked_child_that_comes_back_is_ended(bench: Bench) -> None:
    class Released(Cursor):
        def begin(self, request_id: int) -> Any:
            words = memoryview(bytearray(24)).cast("Q")
            words.release()
            return words

    bench.execution = Execution(bench.channel, at=Released())  # type: ignore[arg-type]
    bench.execution.most(bench.channel.max_frame)
    with pytest.raises(ValueError, match="released"):
        bench.call(same, [1], each=True)
    assert bench.channel.in_fork == 1


# --- loading


def test_a_function_is_loaded_under_its_target(bench: Bench) -> None:
    bench.load(lambda payloads: ["one"], target=1)
    frame = bench.load(lambda payloads: ["two"], target=2)
    assert (frame.kind, frame.request_id, frame.body) == (LOADED, 7, b"")
    assert [results(bench.again([0], target=target)) for target in (1, 2, 1)] == [["one"], ["two"], ["one"]]


def test_a_target_that_is_loaded_again_is_the_new_function(bench: Bench) -> None:
    assert results(bench.call(lambda payloads: ["old"], [0])) == ["old"]
    assert results(bench.again([0])) == ["old"]
    assert results(bench.call(lambda payloads: ["new"], [0])) == ["new"]


def test_a_target_that_was_not_loaded_is_named(bench: Bench) -> None:
    bench.load(same)
    found = failed(bench.again([1], target=17), "load")
    assert (found.type, found.message) == ("LookupError", "no function is loaded as target 17")


def test_so_many_sides_of_calls_are_kept_and_no_more(bench: Bench) -> None:
    sides = bench.execution._sides
    for target in range(300):
        bench.load(same, target=target)
    for target in range(300):
        assert results(bench.again([target], target=target)) == [target]
    assert len(sides) == 256
    bench.load(same, target=0)
    assert sides == {}  # they may be those of another function
    bench.again([0], target=0)
    bench.again([0], target=1, session="s")
    assert list(sides) == [call_side(0)]


def test_an_answer_tells_no_time_of_an_earlier_one(bench: Bench) -> None:
    assert bench.call(same, [1]).took > 0
    assert bench.again([1], target=17).took == bench.load(7).took == 0


def test_a_module_is_imported_for_its_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imported_by_this_test.py").write_text("def f(payloads): ...")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("imported_by_this_test", "f") is sys.modules.pop("imported_by_this_test").f


@pytest.mark.parametrize("function", [7, "text", None])
def test_what_is_no_function_is_not_loaded(bench: Bench, function: Any) -> None:
    found = failed(bench.load(function), "load")
    assert found.message == f"{FUNCTIONS}.function is a {type(function).__name__}, not a function"


def test_an_import_that_raises_anything_is_a_failure(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "resolve", lambda name, function: raises(SystemExit("usage"))(name))
    assert failed(bench.load(same), "load").message == "usage"


def test_names_are_resolved_by_their_parts(functions: ModuleType) -> None:
    class Holder:
        inner = same

    functions.Holder = Holder  # type: ignore[attr-defined]
    assert resolve(FUNCTIONS, "Holder") is Holder
    assert resolve(FUNCTIONS, "Holder.inner") is same
    assert resolve("os.path", "join") is sys.modules["os"].path.join


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("holder", "'Holder'"),
        ("Holder.iner", "'Holder.inner'"),
        ("Holdr.inner", "'Holder.inner'"),
        ("nothing_like_it", None),
    ],
)
def test_a_name_that_is_missing_may_be_another(functions: ModuleType, name: str, meant: str | None) -> None:
    functions.Holder = type("Holder", (), {"inner": same})  # type: ignore[attr-defined]
    with pytest.raises(AttributeError) as caught:
        resolve(FUNCTIONS, name)
    said = f", did you mean {meant}?" if meant else ""
    assert str(caught.value) == f"module {FUNCTIONS} has no {name}{said}"
    assert caught.value.__suppress_context__


def test_a_module_that_cannot_be_listed_has_no_guess(functions: ModuleType) -> None:
    functions.__dir__ = raises(RuntimeError())  # type: ignore[method-assign,assignment]
    with pytest.raises(AttributeError, match=f"^module {FUNCTIONS} has no x$"):
        resolve(FUNCTIONS, "x")


def test_the_main_module_of_a_host_is_no_workers() -> None:
    with pytest.raises(LookupError, match="__main__ of the host's"):
        resolve("__main__", "f")


# --- commands


def test_a_command_gets_the_map_and_gives_one(bench: Bench) -> None:
    bench.execution.commands = {"double": lambda request: {**request, "items": [2 * i for i in request["items"]]}}
    frame = bench.command("double", {"items": [1, 2], "note": "n"})
    assert reply_results(frame) == ([2, 4], {"items": [2, 4], "note": "n"})
    assert frame.count == 2
    assert frame.took > 0


def test_items_of_a_command_may_be_any_sequence(bench: Bench) -> None:
    bench.execution.commands = {"c": lambda request: {"items": iter(request["items"])}}
    assert reply_results(bench.command("c", {"items": [1, 2]}))[0] == [1, 2]


def test_items_of_a_command_may_fail_alone(bench: Bench) -> None:
    bench.execution.commands = {"c": lambda request: {"items": [ValueError("no"), 5], "more": 1}}
    frame = bench.command("c", {"items": [1, 2]})
    assert decode(frame.body) == {"items": [5], "more": 1}
    assert [(index, found.message) for index, found in reply_failures(frame)] == [(0, "no")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (["items"], 'expected a dict with "items", got list'),
        ({"item": []}, 'expected a dict with "items", got dict'),
        ({"items": "ab"}, 'expected a list as "items", got str'),
    ],
)
def test_an_answer_without_items_is_unexpected(bench: Bench, answer: Any, said: str) -> None:
    bench.execution.commands = {"c": lambda request: answer}
    assert failed(bench.command("c", {"items": [1]}), "unexpected").message.startswith(said)


def test_what_a_command_raises_is_its_failure(bench: Bench) -> None:
    bench.execution.commands = {"c": raises(ValueError("no")), "exit": raises(SystemExit(1))}
    frame = bench.command("c", {"items": [1]})
    assert failed(frame, "user").message == "no"
    assert frame.took > 0
    with pytest.raises(SystemExit):
        bench.command("exit", {"items": [1]})


def test_an_unknown_command_names_the_known_ones(bench: Bench) -> None:
    assert failed(bench.command("c", {}), "load").message == "there is no command 'c'; the worker has no adapter"
    bench.execution.commands = {"d": same}
    assert failed(bench.command("c", {}), "load").message == "there is no command 'c'; there are ['d']"


def test_a_result_of_a_command_without_form_is_a_failure(bench: Bench) -> None:
    bench.execution.commands = {"c": lambda request: {"items": [1, ValueError(), object()]}}
    assert failed(bench.command("c", {"items": []}), "encode").message.startswith("at ['items'][2]: objects of type")


# --- sessions


def test_a_session_has_a_store_until_it_is_forgotten(bench: Bench) -> None:
    def counts(given: Any) -> Any:
        store = module.sessions.store()
        store["n"] = store.get("n", 0) + 1
        return {"items": [store["n"]]} if type(given) is dict else [store["n"]]

    bench.execution.commands = {"counts": counts}
    assert results(bench.call(counts, [0], session="a")) == [1]
    assert reply_results(bench.command("counts", {"items": [0]}))[0] == [1]
    assert reply_results(bench.command("counts", {"items": [0]}, session="a"))[0] == [2]
    assert [results(bench.again([0])) for _ in range(3)] == [[1]] * 3  # of no session
    assert results(bench.again([0], session="a")) == [3]
    assert bench.execute(FORGET, encode("a")) is None
    assert results(bench.again([0], session="a")) == [1]


# --- replies


def test_a_lost_request_fails_and_says_how_large_it_was(bench: Bench) -> None:
    bench.execution.execute(LostFrame(5000, CALL, 0, 2, 9, 1, 0))
    (frame,) = bench.channel.frames
    found = failed(frame, "decode")
    assert (frame.request_id, frame.attempt, found.type) == (9, 2, "MemoryError")
    assert "5000 bytes" in found.message
    bench.execution.execute(LostFrame(5000, FORGET, 0, 2, 9, 1, 0))  # has no answer
    assert len(bench.channel.frames) == 1


def test_a_start_that_fails_has_request_id_0(bench: Bench) -> None:
    bench.execution.fail(Frame(CALL, 0, 0, 9, 0, 0, b"", b""), "start", ValueError("no"))
    (frame,) = bench.channel.frames
    assert frame.request_id == 0
    assert failed(frame, "start").message == "no"


def test_large_results_go_beside_the_body(bench: Bench) -> None:
    large = b"x" * 100_000
    frame = bench.call(same, [large])
    assert len(frame.body) < 100
    assert reply_results(frame)[0] == [large]
    assert bench.channel.plain == 0


def test_a_reply_has_at_most_max_frame_bytes(bench: Bench) -> None:
    assert results(bench.call(same, ["x" * 5000])) == ["x" * 5000]
    assert bench.channel.plain == 1  # what surely fits is sent in the quick way
    overhead = HEADER_SIZE + len(encode(["x" * 1000])) - 1000
    bench.channel.max_frame = overhead + 1000
    bench.execution.most(bench.channel.max_frame)
    assert results(bench.call(same, ["x" * 1000])) == ["x" * 1000]
    found = failed(bench.again(["x" * 1001]), "encode")
    assert f"the reply takes {overhead + 1001} bytes, max_frame is {overhead + 1000}" in found.message


def test_failures_and_buffers_count_as_bytes_of_a_reply(bench: Bench) -> None:
    bench.channel.max_frame = 70_000
    bench.execution.most(bench.channel.max_frame)
    failed(bench.call(same, [b"x" * 70_000]), "encode")
    many = [ValueError("x" * 8000) for _ in range(1000)]
    assert "use smaller batches" in failed(bench.call(lambda payloads: many, [1]), "encode").message


def test_errors_that_are_too_large_are_shortened(bench: Bench) -> None:
    bench.channel.max_frame = 3000
    bench.execution.most(bench.channel.max_frame)
    answers = iter(["x" * 1000, ValueError("y" * 8000), KeyError("few")])
    frame = bench.call(lambda payload: next(answers), [0] * 3, each=True)
    assert (decode(frame.body), frame.count, frame.failed) == (["x" * 1000], 1, 2)
    (_, long), (_, short) = reply_failures(frame)
    assert (long.type, short.message) == ("ValueError", "'few'")
    assert "bytes and more left out" in long.message
    assert frame.size <= 3000
    bench.channel.max_frame = 1024
    found = bench.call(raises(ValueError("y" * 8000)), [1])
    assert found.size <= 1024  # of another one the host would take the pipe for broken
    assert failed(found, "user").message.endswith("yyy")


def test_with_each_a_result_larger_than_a_frame_fails_alone(bench: Bench) -> None:
    bench.channel.max_frame = 2000
    bench.execution.most(bench.channel.max_frame)
    answers = iter([1, "x" * 5000, b"x" * 100_000, 4])
    frame = bench.call(lambda payload: next(answers), [0] * 4, each=True)
    assert (decode(frame.body), frame.count, frame.failed) == ([1, 4], 2, 2)
    (first, found), (second, beside) = reply_failures(frame)
    assert (first, found.kind, second, beside.kind) == (1, "encode", 2, "encode")
    size = HEADER_SIZE + len(encode(["x" * 5000]))
    assert found.message == (
        f"at [1]: the reply takes {size} bytes for this result alone, max_frame is 2000; "
        f"return it in pieces, or give the pool a larger one"
    )


def test_results_too_large_together_fail_with_the_remedy(bench: Bench) -> None:
    bench.channel.max_frame = 2000
    bench.execution.most(bench.channel.max_frame)
    payloads = ["x" * 900] * 3
    assert "max_frame is 2000; use smaller batches" in failed(bench.call(same, payloads, each=True), "encode").message
    # One that is too large, and others that are so together: nothing can be sent of it either.
    assert "use smaller batches" in failed(bench.again([*payloads, "x" * 5000]), "encode").message
    bench.execution.commands = {"same": same}
    assert "use smaller batches" in failed(bench.command("same", {"items": payloads}), "encode").message


def test_a_result_without_form_fails_the_whole_batch(bench: Bench) -> None:
    found = failed(bench.call(lambda payloads: [1, {"deep": [object()]}], [1]), "encode")
    assert found.message.startswith("at [1]['deep'][0]: objects of type object cannot be sent")
    assert found.traceback == ""


def test_with_each_a_result_without_form_fails_alone(bench: Bench) -> None:
    answers = iter([1, [object()], ValueError("no"), 4])
    frame = bench.call(lambda payload: next(answers), [0] * 4, each=True)
    assert (decode(frame.body), frame.count, frame.failed) == ([1, 4], 2, 2)
    (first, bad), (second, error) = reply_failures(frame)
    assert (first, bad.kind, second, error.kind) == (1, "encode", 2, "user")
    assert bad.message.startswith("at [1][0]: objects of type object")


def test_with_each_a_coroutine_is_named(bench: Bench) -> None:
    # And no warning of one that was not awaited.
    ((_, found),) = reply_failures(bench.call(returns_a_coroutine, [0], each=True))
    assert "the function gave a coroutine; a worker awaits `async def` functions" in found.message


def test_places_count_the_items_that_failed(bench: Bench) -> None:
    found = failed(bench.call(lambda payloads: [ValueError(), 1, object()], [1]), "encode")
    assert found.message.startswith("at [2]: ")


@pytest.fixture
def raising() -> Iterator[Callable[..., Any]]:
    """A value that raises these errors, one each time that it is encoded; the last one from then on."""
    from slither_actors.wire import extensions

    class Raising:
        def __init__(self, *errors: BaseException) -> None:
            self.errors = list(errors)

    def encoder(value: Raising, outer: object) -> Any:
        raise value.errors.pop(0) if len(value.errors) > 1 else value.errors[0]

    extensions.ENCODERS[Raising] = encoder
    yield Raising
    del extensions.ENCODERS[Raising]


@pytest.mark.parametrize("results", [lambda bad: [bad], lambda bad: [ValueError(), bad]])
def test_an_interrupt_of_the_encoding_is_a_failure(
    bench: Bench, raising: Callable[..., Any], results: Callable[[Any], list[Any]]
) -> None:
    bad = raising(KeyboardInterrupt("no"))
    assert failed(bench.call(lambda payloads: results(bad), [1]), "encode").type == "KeyboardInterrupt"
    bench.execution.commands = {"c": lambda request: {"items": results(bad)}}
    assert failed(bench.command("c", {"items": []}), "encode").type == "KeyboardInterrupt"


@pytest.mark.parametrize("results", [lambda bad: [bad], lambda bad: [ValueError(), bad]])
def test_an_exit_while_encoding_is_the_workers(
    bench: Bench, raising: Callable[..., Any], results: Callable[[Any], list[Any]]
) -> None:
    bad = raising(SystemExit(1))
    bench.execution.commands = {"c": lambda request: {"items": results(bad)}}
    with pytest.raises(SystemExit):
        bench.call(lambda payloads: results(bad), [1])
    with pytest.raises(SystemExit):
        bench.command("c", {"items": []})


def test_with_each_an_interrupt_of_the_encoding_is_of_its_item(bench: Bench, raising: Callable[..., Any]) -> None:
    answers = iter([1, raising(KeyboardInterrupt("no")), 3])
    frame = bench.call(lambda payload: next(answers), [0] * 3, each=True)
    assert decode(frame.body) == [1, 3]
    ((index, found),) = reply_failures(frame)
    assert (index, found.kind, found.type) == (1, "encode", "KeyboardInterrupt")
    answers = iter([object(), raising(SystemExit(1))])
    with pytest.raises(SystemExit):
        bench.call(lambda payload: next(answers), [0] * 2, each=True)


def test_what_stops_the_search_for_a_place_is_the_failure(bench: Bench, raising: Callable[..., Any]) -> None:
    def function(payloads: list[BaseException]) -> list[Any]:
        # Encoded without the failed one, and looked at for the reason; then again, for its place in the results.
        return [ValueError(), raising(RefusedError("no form"), RefusedError("no form"), ends.pop())]

    ends: list[BaseException] = [SystemExit(1), KeyboardInterrupt("no"), RefusedError("no form")]
    assert failed(bench.call(function, [1]), "encode").message == "at [1]: no form"
    assert failed(bench.call(function, [1]), "encode").type == "KeyboardInterrupt"
    with pytest.raises(SystemExit):
        bench.call(function, [1])
