"""One function for each entry point: takes any bytes, and raises if they get anything out of it but what it promises.

==========  =======================================  ==================================
target      of any bytes come                        or
==========  =======================================  ==================================
frames      frames, however the bytes are cut        ProtocolError
codec       a value that can be sent again           DecodeError
messages    a record with fields of the right type   ProtocolError, DecodeError
yaml        a tree of plain values, its problems     ConfigError
==========  =======================================  ==================================
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any, Final

import yaml as pyyaml

from slither_actors.system.config import SYSTEM
from slither_actors.wire.buffer_pool import AHEAD
from slither_actors.wire.codec import DecodeError, EncodeError, decode, encode
from slither_actors.wire.frames import BUFFER_SIZE, REPLY, Frame, FrameParser, ProtocolError
from slither_actors.wire.messages import (
    FAILURE_KINDS,
    Failure,
    Hello,
    Load,
    Ready,
    parse_call_side,
    reply_failures,
)
from supervisors.config import loader
from supervisors.config.cursor import Findings
from supervisors.config.errors import MAX_PROBLEMS, ConfigError, Problem
from supervisors.config.loader import Node, parse_document
from supervisors.config.tree_config import TREE
from supervisors.config.validator import validate

MAX_FRAME: Final = 1 << 20
MOST_PIECES: Final = 500
REASONS: Final = frozenset(("magic", "version", "kind", "too_large", "state", "body", "closed"))


# -- frames


def frames(data: bytes) -> None:
    """Whole, and in pieces whose sizes are some of the bytes themselves, so that a fuzzer can choose them."""
    whole = _parsed(data, [len(data)])
    assert _parsed(data, [1 + byte for byte in data[:64]]) == whole
    assert _parsed(data, [1 + 997 * byte for byte in data[-64:]]) == whole


def _parsed(data: bytes, sizes: list[int]) -> tuple[list[Frame], str]:
    parser = FrameParser(max_frame=MAX_FRAME)
    found: list[Frame] = []
    reason = ""
    start = number = 0
    try:
        while start < len(data):
            size = sizes[number % len(sizes)] if number < MOST_PIECES else len(data)
            found += parser.feed(data[start : start + size])
            start, number = start + size, number + 1
            _bounded(parser)
    except ProtocolError as error:
        found += parser.salvage()
        reason = _told(error)
        _stays_broken(parser, error)
    assert sum(frame.size for frame in found) <= len(data)
    if not reason:
        pending = parser.pending
        try:
            parser.end()
        except ProtocolError as error:
            reason = _told(error)
        assert reason == ("closed" if pending else "")
    return found, reason


def _stays_broken(parser: FrameParser, first: ProtocolError) -> None:
    raised: list[ProtocolError] = []
    for again in (parser.buffer, parser.end, lambda: parser.feed(b"x")):
        try:
            again()
        except ProtocolError as error:
            raised.append(error)
    assert len(raised) == 3
    assert all(error is first for error in raised)
    assert parser.salvage() == []


def _bounded(parser: FrameParser) -> None:
    """What an announcement costs: room for it up to AHEAD, beyond it only addresses."""
    assert len(parser._buffer) == BUFFER_SIZE
    large = parser._large
    assert large is None or isinstance(large, mmap.mmap) or len(large) <= AHEAD


def _told(error: ProtocolError, *reasons: str) -> str:
    assert error.reason in (reasons or REASONS)
    _says_something(error)
    return error.reason


def _says_something(error: Exception) -> None:
    assert str(error)


# -- codec


def codec(data: bytes) -> None:
    """As a body with 64 bytes of buffers beside it."""
    try:
        value = decode(data, bytearray(64))
    except DecodeError as error:
        _says_something(error)
        return
    try:
        body = encode(value)
    except EncodeError:  # deeper than what we send
        return
    again = decode(body)
    assert type(again) is type(value)
    assert len(encode(again)) == len(body)  # its sets may have another order


# -- messages


def messages(data: bytes) -> None:
    """The first byte says what it is taken for; of a reply, two more say how many items it has."""
    read = _READERS[data[0] % len(_READERS)] if data else _hello
    try:
        read(data[1:])
    except ProtocolError as error:
        _told(error, "body")


def _hello(data: bytes) -> None:
    hello = Hello.from_body(data)
    assert all(type(each) is str for each in (*hello.path, *hello.preload, hello.name))
    assert type(hello.init) is dict
    _there_and_back(hello)


def _ready(data: bytes) -> None:
    ready = Ready.from_body(data)
    assert type(ready.pid) is int
    assert all(type(each) is str for each in (*ready.commands, ready.python, ready.msgpack))
    _there_and_back(ready)


def _load(data: bytes) -> None:
    load = Load.from_body(data)
    assert (type(load.target), type(load.module), type(load.function), type(load.each)) == (int, str, str, bool)
    _there_and_back(load)


def _failure(data: bytes) -> None:
    failure = Failure.from_body(data)
    _good_failure(failure)
    _there_and_back(failure)


def _good_failure(failure: Failure) -> None:
    assert failure.kind in FAILURE_KINDS
    assert type(failure.type) is type(failure.message) is type(failure.traceback) is str


def _there_and_back(record: Any) -> None:
    assert repr(record)
    try:
        body = record.to_body()
    except EncodeError:  # what is in Hello.init may be nested more deeply than what we send
        return
    assert len(type(record).from_body(body).to_body()) == len(body)


def _side(data: bytes) -> None:
    target, session = parse_call_side(data)
    assert type(target) in (int, str)
    assert session is None or type(session) is str


def _reply_failures(data: bytes) -> None:
    good, failed = (*data[:2], 0, 0)[:2]
    failures = reply_failures(Frame(REPLY, 0, 1, 1, good, failed, data[2:], b""))
    assert len(failures) == failed
    indexes = [index for index, _ in failures]
    assert indexes == sorted(set(indexes))
    assert all(0 <= index < good + failed for index in indexes)
    for _, failure in failures:
        _good_failure(failure)


_READERS: Final = [_hello, _ready, _load, _failure, _side, _reply_failures]


# -- YAML

PARSERS: Final[list[Any]] = [*([pyyaml.CSafeLoader] if hasattr(pyyaml, "CSafeLoader") else []), pyyaml.SafeLoader]


def yaml(data: bytes) -> None:
    """By each of PyYAML's parsers, and then by both formats of files."""
    for parser in PARSERS:
        before, loader._LOADER = loader._LOADER, parser
        try:
            _loaded(data)
        finally:
            loader._LOADER = before


def _loaded(data: bytes) -> None:
    try:
        document = parse_document(data)
    except ConfigError as error:
        _error_lines(error.problems, error)
        return
    assert _well_formed(document.root)
    for form in (SYSTEM, TREE):
        findings = Findings(document, [])
        validate(findings, form.schema)
        form.check(findings.root)
        if findings.problems:
            _error_lines(findings.problems, ConfigError(findings.problems))
        else:
            assert str(form.outline(document.root.plain()))


def _error_lines(problems: Any, error: ConfigError) -> None:
    assert problems
    assert 1 <= len(error.lines()) <= MAX_PROBLEMS + 1
    assert not any("\n" in line for line in error.lines())
    assert all(isinstance(each, Problem) and each.message for each in problems)


def _well_formed(node: Node) -> bool:
    if isinstance(node.value, dict):
        return set(node.keys) == set(node.value) and all(map(_well_formed, node.value.values()))
    if isinstance(node.value, list):
        return all(map(_well_formed, node.value))
    return node.value is None or type(node.value) in (str, int, float, bool)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "frames": frames,
    "codec": codec,
    "messages": messages,
    "yaml": yaml,
}
