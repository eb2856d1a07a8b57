"""Inputs that once broke a promise, found by fuzzing or by reading."""

from __future__ import annotations

import struct
import tracemalloc

import msgpack
import pytest
import yaml as pyyaml

from fuzz.hostile_wire import extension
from fuzz.targets import messages, yaml
from slither_actors.wire.codec import decode, encode
from slither_actors.wire.frames import ProtocolError
from slither_actors.wire.header import REPLY, Frame
from slither_actors.wire.messages import MAX_TOLD, Failure, Hello, Ready, reply_failures
from supervisors.config import loader
from supervisors.config.errors import ConfigError
from supervisors.config.loader import parse_document

ESCAPES = [
    r'a: "\U00110000"',
    r'a: "\U20000000"',
    r'a: "\Uffffffff"',
    r'"\U00110000": a',
    r'[a, "\ud83d\ude00"]',
    r'a: "\ud800"',
    r'a: "\udfff"',
    r'"\ud800": a',
]


@pytest.mark.parametrize(
    "parser", [pyyaml.SafeLoader, *([pyyaml.CSafeLoader] if hasattr(pyyaml, "CSafeLoader") else [])]
)
@pytest.mark.parametrize("text", [*ESCAPES, "%YAML 1." + "9" * 5000 + "\n--- a"])
def test_an_escape_that_is_no_character_is_a_config_error(
    text: str, parser: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyYAML's own scanner let ValueError and OverflowError through, and halves of characters."""
    yaml(text.encode())
    monkeypatch.setattr(loader, "_LOADER", parser)
    with pytest.raises(ConfigError) as raised:
        parse_document(f"# a comment\n{text}", "f")
    (problem,) = raised.value.problems
    assert problem.place is not None
    assert problem.place.line == 2


@pytest.mark.parametrize(
    "record", [Ready(1, "3", "1", [1]), Ready(1, "3", "1", [{}]), Ready(True, "3", "1"), Hello([None])]
)  # type: ignore[list-item]
def test_a_field_of_another_type_than_it_says_is_protocol_error(record: Ready | Hello) -> None:
    """A list of commands with a mapping in it got as far as the pool."""
    with pytest.raises(ProtocolError, match="body"):
        type(record).from_body(record.to_body())


def test_what_worker_tells_of_itself_is_not_read_beyond_64_kib() -> None:
    """It is read on the thread that serves all workers: 128 KiB of it, made for that, took it 2 s."""
    with pytest.raises(ProtocolError, match="bytes"):
        Failure.from_body(Failure("user", "A", "a" * MAX_TOLD).to_body())
    with pytest.raises(ProtocolError, match="bytes"):
        Ready.from_body(Ready(1, "3", "1", ["command"] * 10_000).to_body())
    side = struct.pack("<I", 0) + encode([Failure("user", "A", "a" * MAX_TOLD)._map()])
    with pytest.raises(ProtocolError, match="bytes"):
        reply_failures(Frame(REPLY, 0, 1, 1, 0, 1, side, b""))
    messages(b"\3" + Failure("user", "A", "a" * (MAX_TOLD - 100)).to_body())


def test_arrays_that_share_read_only_buffers_share_one_copy() -> None:
    """Each made its own: 3,000 of them in 64 KiB, with 64 KiB beside them, 200 MB."""
    fields = msgpack.packb(["|u1", "C", [65_536], 0, 65_536])
    body = b"\xdd" + struct.pack(">I", 1000) + extension(79, fields) * 1000
    buffers = bytes(65_536)
    decode(body, buffers)
    tracemalloc.start()
    try:
        found = decode(body, buffers)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
    found[0][0] = 1
    assert found[-1].flags.writeable
    assert buffers[0] == 0
