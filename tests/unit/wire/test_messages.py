"""The records in control frames, and the side sections."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from support.replies import reply_results

from slither_actors.wire.codec import DecodeError, encode
from slither_actors.wire.frames import REPLY, Frame, ProtocolError
from slither_actors.wire.messages import (
    Failure,
    Hello,
    Load,
    Ready,
    call_side,
    parse_call_side,
    reply_failures,
    reply_side,
)

RECORDS = [
    Hello(["a"], False, ["json"], "pkg.mod:Class", {"x": (1, 2)}, 77, 1 << 20, "gpu-1"),
    Hello(),
    Hello(max_batches=100, max_rss=1 << 30, memory_limit=1 << 32),
    Ready(5, "3.11.7", "1.2.4", ["score"]),
    Load(3, "pkg.mod", "Class.method", True),
    Failure("user", "ValueError", "text", "Traceback"),
]


@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_a_record_comes_out_as_it_went_in(record: Any) -> None:
    assert type(record).from_body(record.to_body()) == record
    assert pickle.loads(pickle.dumps(record)) == record
    assert type(record).__name__ in repr(record)


@pytest.mark.parametrize("record", RECORDS, ids=repr)
def test_a_record_does_not_change(record: Any) -> None:
    with pytest.raises(AttributeError):
        setattr(record, record.__slots__[0], 1)
    with pytest.raises(AttributeError):
        delattr(record, record.__slots__[0])


@pytest.mark.parametrize("cls", [Hello, Ready, Load, Failure])
@pytest.mark.parametrize("body", [b"", b"\xc1", encode([1]), encode({}), encode({"pid": "x", "kind": 1})])
def test_a_bad_body_is_a_protocol_error(cls: Any, body: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        cls.from_body(body)
    assert caught.value.reason == "body"


def test_a_failure_of_an_unknown_kind_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="kind"):
        Failure.from_map({"kind": "odd", "type": "", "message": "", "traceback": ""})


@pytest.mark.parametrize("side", [(7, None), (7, "s"), ("name", "s")])
def test_sides_of_requests(side: Any) -> None:
    assert parse_call_side(call_side(*side)) == side


@pytest.mark.parametrize("value", [[], [1], [1, 2], [None, None], [True, None], {"a": 1}, 7])
def test_bad_sides_of_requests(value: Any) -> None:
    with pytest.raises(ProtocolError):
        parse_call_side(encode(value))
    with pytest.raises(ProtocolError):
        parse_call_side(b"\xc1")


def reply(count: int, failed: int, side: bytes = b"", body: bytes = b"\x90") -> Frame:
    return Frame(REPLY, 0, 1, 1, count, failed, side, body)


def test_failed_items_of_a_reply() -> None:
    failures = [Failure("user", "A", "a"), Failure("user", "B", "b")]
    assert reply_failures(reply(1, 2, reply_side([0, 2], failures))) == [(0, failures[0]), (2, failures[1])]
    assert reply_side([], []) == b""
    assert reply_failures(reply(1, 0)) == []


ONE = [Failure("user", "A", "a")]


@pytest.mark.parametrize(
    "frame",
    [
        reply(1, 0, b"x"),
        reply(1, 1),
        reply(1, 1, b"\0\0\0"),
        reply(1, 1, b"\0\0\0\0\xc1"),
        reply(1, 1, b"\0\0\0\0" + encode([])),
        reply(1, 1, b"\0\0\0\0" + encode([1])),
        reply(0, 1, reply_side([1], ONE)),
        reply(3, 2, reply_side([1, 1], ONE * 2)),
        reply(3, 2, reply_side([2, 1], ONE * 2)),
        reply(0, (1 << 32) - 1, reply_side([0], ONE)),
    ],
)
def test_a_reply_whose_side_belies_its_header_is_refused(frame: Frame) -> None:
    with pytest.raises(ProtocolError) as caught:
        reply_failures(frame)
    assert caught.value.reason == "body"


def test_results_of_a_reply() -> None:
    assert reply_results(reply(2, 0, body=encode([1, 2]))) == ([1, 2], None)
    assert reply_results(reply(1, 0, body=encode({"items": [1], "x": 2}))) == ([1], {"items": [1], "x": 2})


@pytest.mark.parametrize("value", [[1], [1, 2, 3], {"items": [1]}, {}, {"items": (1, 2)}, 7, (1, 2)])
def test_results_of_another_number_or_form_are_a_decode_error(value: Any) -> None:
    with pytest.raises(DecodeError):
        reply_results(reply(2, 0, body=encode(value)))
