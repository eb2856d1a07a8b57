"""Records of `logging` become lines on stderr, once it is imported and not configured."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest

from slither_actors.wire.log_lines import MARK, unpack
from slither_actors.worker import log_records
from slither_actors.worker.log_records import watch

Stderr = pytest.CaptureFixture[bytes]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """A logger beside all others, which so has no handler but the last resort."""
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    monkeypatch.setattr(logging, "basicConfig", logging.basicConfig)
    monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
    return logging.Logger("log_records.own")  # noqa: LOG001 (one of the tree has handlers of pytest)


@pytest.fixture
def named(own: logging.Logger) -> Iterator[logging.Logger]:
    """A logger that levels can be given to."""
    logger = logging.getLogger("log_records.named")
    yield logger
    logger.setLevel(logging.NOTSET)


@contextmanager
def bare_root() -> Iterator[list[logging.Handler]]:
    """The root logger without the handlers of pytest, which come and go with each phase of a test."""
    root = logging.getLogger()
    before = root.handlers
    root.handlers = []
    try:
        yield root.handlers
    finally:
        root.handlers = before


def records(stderr: Stderr) -> list[tuple[Any, ...]]:
    """Return the records that were written since the last time; nothing else was."""
    lines = stderr.readouterr().err.splitlines()
    assert all(line.startswith(MARK) for line in lines)
    found = [unpack(line) for line in lines]
    assert None not in found
    return [record for record in found if record is not None]


def test_a_record_becomes_one_line(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    own.warning("two\nlines of %s", "text", stack_info=True)
    (record,) = records(capfdbinary)
    level, name, message, trace, created, path, function, line, thread, stack = record
    assert (level, name, message, trace) == (logging.WARNING, "log_records.own", "two\nlines of text", "")
    assert (path, function, thread) == (__file__, "test_a_record_becomes_one_line", "MainThread")
    assert line == test_a_record_becomes_one_line.__code__.co_firstlineno + 2
    assert created > 1e9
    assert stack.startswith("Stack (most recent call last)")


def test_an_error_has_its_traceback(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    try:
        raise KeyError("key")
    except KeyError:
        own.exception("failed")
        formatted = own.makeRecord("name", 30, "path", 1, "formatted before", (), sys.exc_info())
    formatted.exc_text = "trace"
    own.handle(formatted)
    first, second = records(capfdbinary)
    assert first[2] == "failed"
    assert first[3].startswith("Traceback (most recent call last)")
    assert first[3].endswith("KeyError: 'key'")
    assert (second[3], second[9]) == ("trace", "")


def test_what_is_below_the_level_is_not_written(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    own.setLevel(logging.ERROR)
    own.warning("no")
    own.error("yes")
    assert [record[2] for record in records(capfdbinary)] == ["yes"]


class Counting(logging.Handler):
    """Takes records without a word."""

    taken = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.taken += 1


class CountingNull(logging.NullHandler):
    """Not what its base class is."""

    taken = 0

    def handle(self, record: logging.LogRecord) -> bool:
        self.taken += 1
        return True


@pytest.mark.parametrize("kind", [Counting, CountingNull])
def test_a_handler_of_the_workers_code_is_all_there_is(
    own: logging.Logger, capfdbinary: Stderr, kind: type[Counting | CountingNull]
) -> None:
    watch()
    handler = kind()
    own.addHandler(handler)
    with bare_root():
        own.warning("no")
    assert handler.taken == 1
    assert records(capfdbinary) == []


@pytest.mark.parametrize("propagate", [True, False])
def test_the_null_handler_of_a_library_takes_nothing(
    own: logging.Logger, named: logging.Logger, capfdbinary: Stderr, propagate: bool
) -> None:
    watch()
    null = logging.NullHandler()
    child = logging.getLogger("log_records.named.child")
    named.addHandler(null)
    named.propagate = propagate
    try:
        with bare_root():
            named.warning("own")
            child.warning("child")
        assert [record[1:3] for record in records(capfdbinary)] == [
            ("log_records.named", "own"),
            ("log_records.named.child", "child"),
        ]
    finally:
        named.propagate = True
        named.removeHandler(null)


@pytest.mark.parametrize("propagate", [True, False])
@pytest.mark.parametrize("kind", [Counting, logging.NullHandler])
def test_null_handlers_count_once_the_root_logger_has_a_handler(
    named: logging.Logger, capfdbinary: Stderr, propagate: bool, kind: type[logging.Handler]
) -> None:
    watch()
    null, handler = logging.NullHandler(), kind()
    named.addHandler(null)
    named.propagate = propagate
    try:
        with bare_root() as handlers:
            handlers.append(handler)
            named.warning("no")
            assert handlers == [handler]
    finally:
        named.propagate = True
        named.removeHandler(null)
    assert records(capfdbinary) == []
    assert getattr(handler, "taken", propagate) == propagate


def test_a_last_resort_of_the_workers_code_is_used(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    counting = Counting()
    logging.lastResort = counting  # type: ignore[assignment]
    with bare_root() as handlers:
        own.warning("its own")
        own.addHandler(logging.NullHandler())
        own.warning("no")
        logging.error("by a function")  # noqa: LOG015 (it is what is tested)
        assert len(handlers) == 1
    assert counting.taken == 1
    assert capfdbinary.readouterr().err == b"ERROR:root:by a function\n"


def test_the_level_of_the_last_resort_is_kept(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    assert logging.lastResort is not None
    logging.lastResort.setLevel(logging.ERROR)
    with bare_root():
        own.warning("no")
        own.error("yes")
    assert [record[2] for record in records(capfdbinary)] == ["yes"]


@pytest.mark.parametrize("name", ["critical", "error", "exception", "warning", "info", "debug", "log"])
def test_a_function_of_the_module_configures_nothing(own: logging.Logger, capfdbinary: Stderr, name: str) -> None:
    watch()
    before = logging.root.level
    logging.root.setLevel(1)
    try:
        with bare_root() as handlers:
            getattr(logging, name)(*([logging.ERROR] if name == "log" else []), "said")
            assert handlers == []
            own.warning("two\nlines")
    finally:
        logging.root.setLevel(before)
    first, second = records(capfdbinary)
    assert first[1:3] == ("root", "said")
    assert first[6] == "test_a_function_of_the_module_configures_nothing"
    assert second[2] == "two\nlines"


def test_a_basic_configuration_by_the_workers_code_is_made(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    with bare_root() as handlers:
        logging.error("before")  # noqa: LOG015 (it is what is tested)
        assert [record[2] for record in records(capfdbinary)] == ["before"]
        logging.basicConfig()
        assert len(handlers) == 1
        logging.error("after")  # noqa: LOG015 (it is what is tested)
        logging.basicConfig()
        assert len(handlers) == 1
    assert capfdbinary.readouterr().err == b"ERROR:root:after\n"
    assert logging.basicConfig.__doc__


def test_without_a_last_resort_there_is_still_none(own: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    watch()
    assert logging.lastResort is None


def test_a_record_that_cannot_be_written_is_reported(own: logging.Logger, capfdbinary: Stderr) -> None:
    watch()
    own.warning("%d", "text")
    said = capfdbinary.readouterr().err
    assert said.startswith(b"--- Logging error ---")
    assert MARK not in said


def test_a_line_is_written_to_its_end(own: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def write(fd: int, data: bytes | memoryview) -> int:
        assert fd == 2
        written.append(bytes(data[:7]))
        return len(written[-1])

    watch()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        own.warning("message")
    line = b"".join(written)
    assert len(written) > 10
    assert line.endswith(b"\n")
    record = unpack(line)
    assert record is not None
    assert record[2] == "message"


def test_levels_of_the_host_are_set_where_there_is_none(named: logging.Logger) -> None:
    other = logging.getLogger("log_records.other")
    other.setLevel(logging.ERROR)
    root = logging.getLogger()
    assert root.level == logging.WARNING
    try:
        watch(json.dumps({"log_records.named": 15, "log_records.other": 10, "": 25}))
        assert (named.level, other.level, root.level) == (15, logging.ERROR, 25)
        watch(json.dumps({"": 10}))  # it is not the default any more
        assert root.level == 25
    finally:
        root.setLevel(logging.WARNING)
        other.setLevel(logging.NOTSET)


class Loader:
    """Loads a module that has all that `logging` has, and notes it."""

    def __init__(self) -> None:
        self.created: list[ModuleType] = []

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        self.created.append(module)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__loader__ is self
        assert module.__spec__ is not None
        assert module.__spec__.loader is self
        vars(module).update({name: value for name, value in vars(logging).items() if not name.startswith("__")})


class Finder:
    """Finds `logging` by a loader of its own."""

    def __init__(self, loader: Loader | None) -> None:
        self.loader = loader
        self.asked: list[str] = []

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        self.asked.append(name)
        return ModuleSpec(name, self.loader) if name == "logging" else None  # type: ignore[arg-type]


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not imported `logging`."""
    monkeypatch.delitem(sys.modules, "logging")
    monkeypatch.setattr(sys, "meta_path", [])


@pytest.mark.usefixtures("unloaded")
def test_logging_is_not_loaded_for_its_records() -> None:
    watch()
    assert "logging" not in sys.modules
    assert len(sys.meta_path) == 1
    assert sys.meta_path[0].find_spec("json", None) is None
    assert len(sys.meta_path) == 1  # it goes on waiting


@pytest.mark.usefixtures("unloaded")
def test_records_are_taken_as_soon_as_logging_is_loaded(named: logging.Logger) -> None:
    loader = Loader()
    empty, finder = Finder(None), Finder(loader)
    empty.find_spec = lambda *_: None  # type: ignore[method-assign,assignment]
    sys.meta_path[:] = [empty, finder]  # type: ignore[list-item]
    watch(json.dumps({"log_records.named": 15}))
    assert sys.meta_path[1:] == [empty, finder]  # it is asked first
    assert type(sys.meta_path[0]) is log_records._Watch
    imported = __import__("logging")
    assert sys.meta_path == [empty, finder]
    assert loader.created == [imported]
    assert finder.asked == ["logging"]
    assert type(imported.lastResort).__name__ == "ToHost"
    assert type(logging.lastResort).__name__ != "ToHost"
    assert named.level == 15
    assert imported.__spec__.loader is imported.__loader__ is loader


@pytest.mark.usefixtures("unloaded")
def test_logging_that_is_nowhere_stays_a_missing_module() -> None:
    watch()
    with pytest.raises(ModuleNotFoundError, match="logging"):
        __import__("logging")
    assert sys.meta_path == []


@pytest.mark.usefixtures("unloaded")
def test_a_spec_without_loader_is_left_as_it_is() -> None:
    sys.meta_path[:] = [Finder(None)]  # type: ignore[list-item]
    watch()
    spec = sys.meta_path[0].find_spec("logging", None)
    assert spec is not None
    assert spec.loader is None


def test_a_watch_may_be_asked_after_it_was_taken_away() -> None:
    assert log_records._Watch("").find_spec("logging") is not None
