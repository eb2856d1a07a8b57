"""Bytes that get deep into each entry point: nearly right, with lengths and values that they should not have."""

from __future__ import annotations

import json
import math
import struct
from typing import Any, Final

import msgpack
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from slither_actors.wire.codec import encode
from slither_actors.wire.frames import MAGIC, VERSION
from slither_actors.wire.header import HEADER

Bytes = SearchStrategy[bytes]

_LENGTHS: Final = st.one_of(
    st.integers(0, 20), st.sampled_from([255, 256, 257, 4096, 4097, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1])
)


def damaged(data: Bytes) -> Bytes:
    """With some bytes changed, left out or put in."""

    @st.composite
    def damage(draw: st.DrawFn) -> bytes:
        raw = bytearray(draw(data))
        for _ in range(draw(st.integers(0, 3))):
            at = draw(st.integers(0, len(raw)))
            raw[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
        return bytes(raw)

    return damage()


# -- msgpack


def _array(items: list[bytes], announced: int | None) -> bytes:
    return b"\xdd" + struct.pack(">I", len(items) if announced is None else announced) + b"".join(items)


def _map(items: list[bytes], announced: int | None) -> bytes:
    return b"\xdf" + struct.pack(">I", len(items) // 2 if announced is None else announced) + b"".join(items)


def extension(code: int, data: bytes, announced: int | None = None) -> bytes:
    """An extension that may announce another length than it has."""
    return b"\xc9" + struct.pack(">I", len(data) if announced is None else announced) + bytes([code & 0xFF]) + data


_DECIMALS: Final = [
    "1e999999999",
    "1E+999999999999999999",
    "NaN123",
    "sNaN",
    "-Infinity",
    "1_000",
    "\u0663",
    "",
    "9" * 50,
]
_ZONES: Final = [
    "UTC",
    "Europe/Berlin",
    "../../etc/passwd",
    "/etc/passwd",
    "posixrules",
    "Europe",
    "",
    ".",
    "a\0b",
    "x" * 300,
    "a/" * 200,
    "tzdata.zi",
    "Europe/../UTC",
]
_PATHS: Final = ["\x00a", "\x01/a//b/../", "\x02c:\\x", "\x03\\\\host\\share", "\x01\ud800", "\x01a\0b", "\x04a", ""]
_TYPES: Final = [
    "<i8",
    "|i1",
    "|V0",
    "|O",
    "<M8[ns]",
    "<M8[7s/3]",
    "m8",
    "U",
    "<U999999999",
    "2i4,i4",
    "(2,3)f8",
    "i4" * 50,
    "?",
    "S3",
]
_DTYPES: Final = st.recursive(
    st.one_of(st.sampled_from(_TYPES), st.sampled_from(_TYPES), st.integers(-1, 1), st.none()),
    lambda inner: st.one_of(
        st.lists(st.lists(inner, min_size=2, max_size=3), max_size=3),
        st.lists(st.tuples(st.sampled_from(["", "a", "b"]), inner).map(list), max_size=3),
        st.tuples(inner, st.lists(_LENGTHS, max_size=3)).map(list),
    ),
    max_leaves=6,
)
_SHAPES: Final = st.one_of(
    st.lists(st.integers(0, 3), max_size=3),
    st.lists(st.one_of(_LENGTHS, st.sampled_from([-1, 2**62, 2**63, 2**64 - 1])), max_size=70),
    st.sampled_from([None, "a", [None]]),
)
_ORDERS: Final = st.sampled_from(["C", "C", "F", "A", None, 1])
_DATES: Final = [struct.pack("<HBB", *date) for date in ((1, 1, 1), (9999, 12, 31), (0, 1, 1), (2023, 2, 29))]
_CLOCKS: Final = [
    struct.pack("<BBBBI", *clock)
    for clock in ((0, 0, 0, 0, 0), (23, 59, 59, 1, 999_999), (24, 0, 0, 2, 0), (1, 1, 1, 0, 2**32 - 1))
]
_SPANS: Final = [struct.pack("<iII", days, 3600, 0) for days in (0, 1, -1, 999_999_999, 2**31 - 1)]


def _packed(*fields: Any) -> bytes:
    return bytes(msgpack.packb(list(fields)))


def _texts(texts: list[str]) -> Bytes:
    return st.sampled_from([text.encode("utf-8", "surrogatepass") for text in texts])


@st.composite
def _good_arrays(draw: st.DrawFn) -> bytes:
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    items = math.prod(shape)
    description, size = draw(st.sampled_from([("<i8", 8), ("|b1", 1), ("<U2", 8), ("<M8[ns]", 8), ([["a", "|i1"]], 1)]))
    order = draw(st.sampled_from(["C", "F"]))
    if items * size <= 64 and draw(st.booleans()):
        return extension(79, _packed(description, order, shape, 64 - items * size, items * size))
    return extension(78, _packed(description, order, shape, b"a\0\0\0\0\0\0\0"[:size] * items))


# What an extension of each code may have inside, and nearly that.
_CONTENTS: Final[dict[int, Bytes]] = {
    67: st.binary(min_size=15, max_size=17),
    68: st.binary(max_size=20),
    69: _texts(_DECIMALS),
    70: st.sampled_from(_DATES),
    71: st.builds(bytes.__add__, st.sampled_from(_CLOCKS), st.sampled_from([b"", extension(75, b"UTC"), b"\x01"])),
    72: st.builds(
        lambda date, clock, zone: date + clock + zone,
        st.sampled_from(_DATES),
        st.sampled_from(_CLOCKS),
        st.sampled_from(
            [b"", extension(75, b"Europe/Berlin"), extension(74, _array([extension(73, _SPANS[0])], None))]
        ),
    ),
    73: st.sampled_from(_SPANS),
    74: st.builds(lambda span: _array([extension(73, span)], None), st.sampled_from(_SPANS)),
    75: _texts(_ZONES),
    76: st.binary(min_size=15, max_size=17),
    77: _texts(_PATHS),
    78: st.builds(_packed, _DTYPES, _ORDERS, _SHAPES, st.binary(max_size=8)),
    79: st.builds(_packed, _DTYPES, _ORDERS, _SHAPES, _LENGTHS, _LENGTHS),
    80: st.builds(_packed, _DTYPES, st.binary(max_size=8)),
}
_LEAVES: Final = st.one_of(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.text(max_size=5),
        st.binary(max_size=5),
    ).map(msgpack.packb),
    _good_arrays(),
    *(content.map(lambda data, code=code: extension(code, data)) for code, content in _CONTENTS.items()),
    st.builds(extension, st.integers(0, 255), st.one_of(*_CONTENTS.values())),
    st.sampled_from(
        [b"\xc1", b"\xd6\xff\0\0\0\1", b"\xc7\x0c\xff" + b"\xff" * 12, b"\xd9\x02\xff\xff", b"\xc6" + b"\xff" * 4]
    ),
)
_ANNOUNCED: Final = st.one_of(*[st.none()] * 11, _LENGTHS)  # mostly what there is

bodies: Final[Bytes] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(_array, st.lists(inner, max_size=4), _ANNOUNCED),
        st.builds(_map, st.lists(inner, max_size=6), _ANNOUNCED),
        st.builds(
            lambda code, items, announced: extension(code, _array(items, announced)),
            st.sampled_from([64, 65, 66, 74]),
            st.lists(inner, max_size=4),
            _ANNOUNCED,
        ),
        st.builds(extension, st.integers(64, 80), inner, _ANNOUNCED),
        # Many of the same: what is bounded by number, and announcements inside one another.
        st.builds(lambda item, times: _array([item] * times, None), _LEAVES, st.sampled_from([256, 257, 300])),
        st.builds(lambda item, times: _array([item] * times, None), st.just(b"\xc0"), st.sampled_from([4096, 4097])),
        st.builds(lambda item, times: _map([item] * (2 * times), None), _LEAVES, st.sampled_from([256, 257, 300])),
        st.builds(lambda item, times: b"\xdc\xff\xff" * times + item, inner, st.integers(1, 1100)),
        st.builds(lambda item, times: b"\x91" * times + item, inner, st.integers(500, 1030)),
    ),
    max_leaves=8,
)


@st.composite
def _nested_extensions(draw: st.DrawFn) -> bytes:
    body = draw(bodies)
    for _ in range(draw(st.integers(1, 70))):
        body = extension(64, b"\x91" + body)
    return body


codec_input: Final[Bytes] = st.one_of(
    st.binary(max_size=200), bodies, bodies, damaged(bodies), _nested_extensions(), damaged(_nested_extensions())
)


# -- messages

_FIELDS: Final[dict[str, SearchStrategy[Any]]] = {
    "path": st.lists(st.one_of(st.text(max_size=3), st.none()), max_size=2),
    "keep_path": st.booleans(),
    "preload": st.lists(st.text(max_size=3), max_size=2),
    "adapter": st.one_of(st.none(), st.text(max_size=3)),
    "init": st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    "host_pid": st.integers(),
    "max_frame": st.integers(),
    "name": st.text(max_size=3),
    "pid": st.integers(),
    "python": st.text(max_size=3),
    "msgpack": st.text(max_size=3),
    "commands": st.lists(st.text(max_size=3), max_size=2),
    "target": st.integers(),
    "module": st.text(max_size=3),
    "function": st.text(max_size=3),
    "each": st.booleans(),
    "kind": st.sampled_from(["user", "load", "encode", "decode", "unexpected", "start", "odd"]),
    "type": st.text(max_size=3),
    "message": st.text(max_size=3),
    "traceback": st.text(max_size=3),
}
_ODD: Final = st.one_of(st.none(), st.booleans(), st.integers(), st.lists(st.none(), max_size=2), st.binary(max_size=2))


def _record(names: list[str]) -> SearchStrategy[dict[str, Any]]:
    good = st.fixed_dictionaries({name: _FIELDS[name] for name in names})
    one_odd = st.builds(lambda record, name, value: {**record, name: value}, good, st.sampled_from(names), _ODD)
    one_less = st.builds(
        lambda record, name: {k: v for k, v in record.items() if k != name}, good, st.sampled_from(names)
    )
    return st.one_of(good, good, one_odd, one_less)


_FAILURES: Final = _record(["kind", "type", "message", "traceback"])


@st.composite
def _reply_sides(draw: st.DrawFn) -> bytes:
    indexes = draw(st.lists(st.integers(0, 6), max_size=4).map(sorted))
    failures = draw(st.lists(_FAILURES, min_size=max(0, len(indexes) - 1), max_size=len(indexes)))
    head = bytes([draw(st.integers(0, 4)), draw(st.sampled_from([len(indexes), len(indexes), 5]))])
    return head + struct.pack(f"<{len(indexes)}I", *indexes) + encode(failures)


def _reply_bodies(items: list[Any], announced: int | None, command: bool) -> bytes:
    value = {"items": items, "more": 1} if command else items
    return bytes([len(items) if announced is None else announced]) + encode(value)


_MESSAGES: Final = [
    _record(["path", "keep_path", "preload", "adapter", "init", "host_pid", "max_frame", "name"]).map(encode),
    _record(["pid", "python", "msgpack", "commands"]).map(encode),
    _record(["target", "module", "function", "each"]).map(encode),
    _FAILURES.map(encode),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3).map(encode),
    _reply_sides(),
    st.builds(_reply_bodies, st.lists(_ODD, max_size=4), st.one_of(st.none(), st.integers(0, 255)), st.booleans()),
]
messages_input: Final[Bytes] = st.one_of(
    *[damaged(each).map(lambda data, kind=kind: bytes([kind]) + data) for kind, each in enumerate(_MESSAGES)],
    st.builds(lambda kind, data: bytes([kind]) + data, st.integers(0, 6), codec_input),
)


# -- frames


def _frame(
    kind: int,
    magic: bytes,
    version: int,
    lengths: tuple[int, int, int],
    announced: tuple[int, int, int] | None,
    filler: int,
) -> bytes:
    side, body, buffers = lengths if announced is None else announced
    header = HEADER.pack(magic, version, kind, 0, 0, 1, side, body, buffers, 0, 0, 0)
    return header + bytes([filler]) * sum(lengths)


_SIZES: Final = st.one_of(st.integers(0, 50), st.sampled_from([65_535, 262_100, 262_144, 300_000]))
_FRAMES: Final = st.builds(
    _frame,
    st.integers(0, 16),
    st.sampled_from([MAGIC] * 8 + [b"SB", b"Sa", b"\0\0"]),
    st.sampled_from([VERSION] * 8 + [0, 1, VERSION - 1, VERSION + 1]),
    st.tuples(st.integers(0, 50), _SIZES, _SIZES),
    st.one_of(
        st.none(),
        st.none(),
        st.none(),
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)),
    ),
    st.integers(0, 255),
)
frames_input: Final[Bytes] = st.one_of(
    st.binary(max_size=200), damaged(st.lists(_FRAMES, min_size=1, max_size=4).map(b"".join))
)


# -- YAML

# Pieces that mean something to YAML or to us, in any order: nearer to the edges than random bytes are.
_PIECES: Final = st.sampled_from(
    [
        "a",
        "b: ",
        ": ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\n",
        "\n  ",
        "\n    ",
        "&x ",
        "*x ",
        "<<: ",
        "!t ",
        "!!str ",
        "'",
        '"',
        "|\n",
        ">-\n",
        "|9\n",
        "#",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "%TAG ! x\n",
        "%x\n",
        "no",
        "0x1",
        "1_0",
        ".nan",
        "1e999",
        "0." + "3" * 300,
        "12:30:45",
        "\\x41",
        "\\U0010ffff",
        "\\ud800",
        "\\",
        "\t",
        "\r",
        "\x00",
        "\x85",
        "\u2028",
        "\ufeff",
        "\U0001f600",
        "9" * 5000,
        "-" * 100,
        "a b" * 3000,
        "[" * 40,
        "- " * 40,
        "? " * 40,
        "kind: actor\n",
        "kind: supervisor\n",
        "children:\n",
        "pools:\n",
        "tree:\n",
        "size: 0\n",
        "sise: 1\n",
        "on_error: {retry: {}}\n",
        "class: a:b\n",
        "path: [.]\n",
        "id: x\n",
        "restart: permanant\n",
    ]
)
_VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.sampled_from(["pools", "tree", "kind", "id", "size", "children", "class"]), st.text(max_size=8)
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@st.composite
def _many(draw: st.DrawFn) -> str:
    """Wide, or with many mistakes."""
    head, tail = draw(
        st.sampled_from([("[", "]"), ("{", "}"), ("tree: [", "]"), ("pools: {", "}"), ("- ", ""), ("", "")])
    )
    piece = draw(
        st.sampled_from(["a,", "no,", "{},", "k%d: 1,", "k%d: {sise: 1},", "{kind: actor, id: %d}, ", "k%d: 1\n"])
    )
    pieces = (piece % number if "%" in piece else piece for number in range(draw(st.integers(90, 400))))
    return f"{head}{''.join(pieces)}{tail}"


@st.composite
def _mutated(draw: st.DrawFn, texts: list[str]) -> str:
    """An example with a few cuts and insertions."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(_PIECES) + text[at + draw(st.integers(0, 30)) :]
    return text


def yaml_input(examples: list[str]) -> Bytes:
    """Any bytes, pieces of YAML, what has many of something, values written out, and examples with mistakes."""
    return st.one_of(
        st.binary(max_size=200),
        st.one_of(
            st.lists(_PIECES, max_size=40).map("".join),
            _many(),
            _mutated(examples),
            st.text(max_size=100),
            _VALUES.map(json.dumps),
        ).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
