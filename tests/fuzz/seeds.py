"""What a fuzzer begins with: small things that are right, and some that are nearly so. Made by code, none is kept."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import uuid
import zoneinfo
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgpack
import numpy as np

from slither_actors.wire.codec import Encoder, encode
from slither_actors.wire.frames import CALL, CANCEL, FROM_HOST, FROM_WORKER, REPLY, pack_frame, pack_header
from slither_actors.wire.messages import Failure, Hello, Load, Ready, call_side, reply_side

from . import hostile_wire, hostile_yaml

ROOT: Final = pathlib.Path(__file__).parents[2]
_SMALL: Final = 4096

VALUES: Final[list[Any]] = [
    None,
    True,
    0,
    -1,
    2**64 - 1,
    -(2**63),
    2**64,
    2**500,
    1.5,
    float("nan"),
    "",
    "\u00e4\u20ac\U0001f600",
    b"\xff",
    [],
    {},
    (),
    set(),
    frozenset({1, (2, "x")}),
    [1, [2, (3, {4: {5}})]],
    {(1, 2): 3, None: 4, 1.5: 5, b"k": 6, frozenset({1}): 8},
    1 - 2j,
    decimal.Decimal("-1.50E+7"),
    decimal.Decimal("sNaN123"),
    dt.date(2024, 2, 29),
    dt.time(1, 2, 3, 4, fold=1),
    dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.timedelta(-1, 2, 3),
    dt.timezone(dt.timedelta(hours=-3), "x"),
    uuid.UUID(int=7),
    pathlib.Path("/a/b"),
    pathlib.PureWindowsPath("c:\\x"),
    msgpack.ExtType(5, b"own"),
    msgpack.Timestamp(-1, 5),
    np.arange(6.0).reshape(2, 3),
    np.array([], "<M8[ns]"),
    np.zeros(2, [("a", "<i4"), ("b", "f8", (2,))]),
    np.array(["a", "bcd"]),
    np.float32(1.5),
    np.datetime64("2020-01-01"),
    np.void(b"ab"),
]
RECORDS: Final = [
    Hello(["a"], False, ["json"], "pkg.mod:Class", {"x": (1, 2)}, 77, 1 << 20, "gpu-1"),
    Ready(5, "3.11.7", "1.2.4", ["score"]),
    Load(3, "pkg.mod", "Class.method", True),
    Failure("user", "ValueError", "text", "Traceback"),
]


def _codec() -> Iterator[bytes]:
    yield from map(encode, VALUES)
    yield encode(VALUES)
    for array in (np.zeros(8), np.zeros((2, 2), ">i2")):  # in the 64 bytes beside the body
        yield Encoder(out_of_band=1).encode([array])[0]
    yield from map(hostile_wire.extension, range(81), [b""] * 81)
    yield hostile_wire.BODIES["fields within fields"]()
    yield from (body for make in hostile_wire.ANNOUNCING.values() if len(body := make()) <= _SMALL)


def _frames() -> Iterator[bytes]:
    every = [pack_frame(kind, 7, b"body", side=b"side", attempt=1, count=2) for kind in sorted(FROM_HOST | FROM_WORKER)]
    yield from every
    yield b"".join(every)
    yield pack_header(CALL, 1, side_len=3, body_len=2, buffers_len=4) + b"sidbobuff"
    yield pack_header(REPLY, 1, body_len=300_000) + bytes(3000)
    yield pack_header(CANCEL, 1, body_len=(1 << 20) - 43)
    yield every[0] + b"a stray print\n"


def _messages() -> Iterator[bytes]:
    for kind, record in enumerate(RECORDS):
        yield bytes([kind]) + record.to_body()
    yield b"\4" + call_side(7, "session")
    yield b"\4" + call_side("name")
    yield b"\5\1\2" + reply_side([0, 2], [Failure("user", "A", "a"), Failure("load", "B", "b", "c")])
    yield b"\6\2" + encode([1, "x"])
    yield b"\6\1" + encode({"items": [(1,)], "more": None})
    yield b"\5\0\0"


def _yaml() -> Iterator[bytes]:
    for file in sorted((ROOT / "docs").rglob("*.yaml")):
        yield file.read_bytes()
    for document in hostile_yaml.DOCUMENTS.values():
        yield document[:300].encode()
    yield b"a: |\n  b\nc: >-\n  d\n\ne: 'f'\ng: \"\\x41\\n\"\n? h\n: [i, {j: k}]\n"
    yield b"%YAML 1.1\n--- !t &a\nx: *a\n<<: {}\n...\n---\n"
    yield "children:\n- {kind: actor, id: a, class: 'pykka:ThreadingActor'}\n# \u00e4\n".encode()


CORPUS: Final[dict[str, Callable[[], Iterator[bytes]]]] = {
    "frames": _frames,
    "codec": _codec,
    "messages": _messages,
    "yaml": _yaml,
}
