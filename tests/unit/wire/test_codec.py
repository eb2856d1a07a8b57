"""Values there and back, and what is refused."""

from __future__ import annotations

import array
import collections
import contextlib
import dataclasses
import datetime as dt
import decimal
import enum
import gc
import pathlib
import pickle
import sqlite3
import subprocess
import sys
import threading
import tracemalloc
import types
import uuid
import zoneinfo
from typing import Any, NamedTuple

import msgpack
import pytest
from support.ids import stable

from slither_actors.wire.codec import DecodeError, EncodeError, Encoder, decode, decode_each, encode
from slither_actors.wire.extension_codes import MAX_NESTING

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")

VALUES = [
    None,
    True,
    0,
    -1,
    2**64 - 1,
    -(2**63),
    2**64,
    -(2**63) - 1,
    2**5000,
    1.5,
    float("inf"),
    -0.0,
    "",
    "äöü\0",
    b"\xff",
    [],
    {},
    (),
    set(),
    frozenset(),
    (1,),
    ((),),
    [(1, [2, (3,)])],
    {1, "a", (2, 3)},
    frozenset({frozenset({1})}),
    {(1, 2): 3, None: 4, 1.5: 5, b"k": 6, True: 7, frozenset({1}): 8},
    1j,
    complex(-0.0, 2),
    decimal.Decimal("1.50"),
    decimal.Decimal("-Infinity"),
    decimal.Decimal("1E+999999"),
    dt.date.min,
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001
    dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    dt.time(1, 2, 3, 4),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
    dt.time(1, tzinfo=dt.timezone(dt.timedelta(hours=-3), "x")),
    dt.timedelta.min,
    dt.timedelta.max,
    dt.UTC,
    dt.timezone(dt.timedelta(seconds=1), ""),
    BERLIN,
    uuid.UUID(int=7),
    pathlib.Path("/a/b"),
    pathlib.PurePosixPath("."),
    pathlib.PureWindowsPath("c:\\x\\y"),
    pathlib.Path("not utf-8: \udcff"),
    msgpack.ExtType(5, b"users own"),
    msgpack.Timestamp(-1, 5),
]


@pytest.mark.parametrize("value", VALUES, ids=stable)
def test_a_value_comes_out_equal_and_of_the_same_type(value: object) -> None:
    for packed in (value, [value], {"k": (value,)}):
        back = decode(encode(packed))
        assert back == packed
        assert type(back) is type(packed)
    assert type(decode(encode([value]))[0]) is type(value)
    assert repr(decode(encode(value))) == repr(value)


def test_fold_and_zone_of_a_datetime_survive() -> None:
    moment = dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN)
    back = decode(encode(moment))
    assert (back.fold, back.tzinfo, back.utcoffset()) == (1, BERLIN, dt.timedelta(hours=1))


def test_signalling_nans_survive() -> None:
    assert str(decode(encode(decimal.Decimal("sNaN123")))) == "sNaN123"


def test_bytearray_and_memoryview_come_out_as_bytes() -> None:
    assert decode(encode([bytearray(b"a"), memoryview(b"b")])) == [b"a", b"b"]


def cursor() -> sqlite3.Cursor:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute("select 1")


class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int


class Text(str):
    __slots__ = ()


class Pair(NamedTuple):
    a: int
    b: int


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Colour.RED, "enum"),
        (Number.ONE, "enum"),
        (Point(1), "dataclass"),
        (Pair(1, 2), "named tuple"),
        (collections.OrderedDict(), "dict()"),
        (collections.defaultdict(list), "dict()"),
        (Text("a"), "str()"),
        (ValueError("x"), "exception"),
        (object(), "plain data"),
        (Point, "class"),
        (lambda: 0, "function"),
        (iter([1]), "iterator"),
        (range(3), "list()"),
        ({}.keys(), "list()"),
        ({}.items(), "list()"),
        (collections.deque(), "list()"),
        (types.MappingProxyType({}), "dict()"),
        (collections.ChainMap(), "dict()"),
        (collections.UserDict(), "dict()"),
        (array.array("i"), "tolist()"),
        (cursor(), "list() of its rows"),
        (sys.__stderr__, "open file"),
        (map(str, ()), "iterator"),
        (dt.datetime(2024, 1, 1, tzinfo=type("Zone", (dt.tzinfo,), {})()), "Zone"),
    ],
)
def test_a_value_without_a_form_is_refused_with_hint_and_place(value: object, said: str) -> None:
    with pytest.raises(EncodeError, match=r".*") as caught:
        encode(value)
    assert caught.value.path == ""
    assert said in str(caught.value)
    with pytest.raises(EncodeError) as caught:
        encode([1, {"user": (0, value)}])
    assert caught.value.path == "[1]['user'][1]"
    assert caught.value.steps == (1, "user", 1)
    assert said in caught.value.reason


def test_a_key_that_cannot_go_is_named() -> None:
    with pytest.raises(EncodeError) as caught:
        encode([{Colour.RED: 1}])
    assert caught.value.path == "[0] key <Colour.RED: 1>"


def test_a_value_whose_repr_raises_is_refused_all_the_same() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(EncodeError, match="Bad"):
        encode({Bad(): [Bad()]})


def test_cycles_and_depth_are_errors() -> None:
    cycle: list[Any] = [1]
    cycle.append({"again": cycle})
    with pytest.raises(EncodeError, match="itself") as caught:
        encode([cycle])
    assert caught.value.path == "[0][1]['again']"
    deep: Any = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(EncodeError, match="nested"):
        encode(deep)
    through_a_tuple: list[Any] = []
    through_a_tuple.append((through_a_tuple,))
    with pytest.raises(EncodeError, match="itself"):
        encode(through_a_tuple)


def nested(levels: int) -> Any:
    value: Any = ()
    for _ in range(levels - 1):
        value = (value,)
    return value


def test_no_encoder_is_left_to_the_garbage_collector() -> None:
    def encoders() -> set[int]:
        return {id(found) for found in gc.get_objects() if type(found) is Encoder}

    gc.collect()
    gc.disable()
    try:
        before = encoders()  # others in this process may have one of theirs
        for _ in range(5):
            encode([1, (2,), {3}])
        assert encoders() <= before
    finally:
        gc.enable()


def test_lists_too_deep_are_told_from_unsendable_values() -> None:
    def lists(levels: int, inside: Any) -> Any:
        for _ in range(levels):
            inside = [inside]
        return inside

    assert decode(encode(lists(500, 1))) == lists(500, 1)
    with pytest.raises(EncodeError, match="nested more than 1024 levels deep"):
        encode(lists(1025, 1))
    with pytest.raises(EncodeError, match="objects of type object cannot be sent"):
        encode(lists(600, object()))


def test_extensions_nest_64_deep_and_no_deeper() -> None:
    assert decode(encode(nested(MAX_NESTING))) == nested(MAX_NESTING)
    with pytest.raises(EncodeError, match="64"):
        encode(nested(MAX_NESTING + 1))


def test_deeper_bytes_are_a_decode_error() -> None:
    data = encode(())
    for _ in range(5000):
        data = msgpack.packb(msgpack.ExtType(64, b"\x91" + data))
        if len(data) > 30_000:
            break
    with pytest.raises(DecodeError):
        decode(data)


def test_the_deepest_value_fits_a_thread_with_a_small_stack() -> None:
    data = encode(nested(MAX_NESTING))
    found = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=lambda: found.append(decode(data)))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert found == [nested(MAX_NESTING)]


def test_an_encoder_goes_on_after_an_error() -> None:
    encoder = Encoder()
    for _ in range(3):
        with pytest.raises(EncodeError):
            encoder.encode([(1, (2, object()))])
        assert decode(encoder.encode([(1, 2)])[0]) == [(1, 2)]


def test_an_encoder_does_not_keep_the_memory_of_a_large_value() -> None:
    encoder = Encoder()
    big = b"x" * 20_000_000
    tracemalloc.start()
    try:
        encoder.encode([big])
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91",
        b"\x01\x01",
        b"\xa1\xff",
        b"\x81\x90\x01",  # a list as key
        b"\x81\xc7\x01\x41\x90\x01",  # a set as key
        b"\xd4\x41\x91",
        b"\xd4\x7f\x00",  # no such extension
        b"\xd4\x40\x01",  # a tuple of an int
        b"\xd4\x45x",  # Decimal("x")
        b"\xd4\xff\x00",  # a timestamp of one byte
        b"\xc7\x03\x4b../",  # a zone outside the zones
        b"\xc7\x04\x48\xff\xff\xff\xff",
        b"\xd4\x4d\x09",
    ],
)
def test_bytes_that_are_no_value_are_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


@pytest.mark.parametrize("header", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"])
@pytest.mark.parametrize("outer", [b"", b"\xdd\x00\x00\xff\xff"])
def test_an_announced_length_is_not_allocated(header: bytes, outer: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(outer + header)  # loads what it needs
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(outer + header)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_thousand_nested_announcements_cost_a_bounded_amount() -> None:
    data = b"\xdd\x00\xff\xff\xff" * 1000 + b"\xc0" * 0xFFFFFF
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(data)
        # msgpack takes some 80 KiB ahead for each open list, of which there are 1,024 at most.
        assert tracemalloc.get_traced_memory()[1] < 300_000_000
    finally:
        tracemalloc.stop()


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(EncodeError("[1]", "because", (1,))))
    assert (error.path, error.reason, error.steps) == ("[1]", "because", (1,))
    assert str(error) == "at [1]: because"


def test_no_module_is_loaded_for_values_that_do_not_come() -> None:
    code = """
import sys
before = set(sys.modules)
from slither_actors.wire.codec import Encoder, decode
decode(Encoder().encode([1, "a", (1,), {2}, 2**70])[0])
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(loaded & {"decimal", "uuid", "pathlib", "numpy", "traceback", "enum", "dataclasses", "typing", "inspect"})
"""
    program = f"import sys; sys.path = {sys.path!r}\n{code}"
    out = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_the_pure_python_msgpack_understands_the_same() -> None:
    values = [value for value in VALUES if not isinstance(value, (msgpack.ExtType, msgpack.Timestamp))]
    code = f"""
import sys; sys.path = {sys.path!r}
import msgpack.fallback
from slither_actors.wire.codec import decode, encode
assert msgpack.Packer is msgpack.fallback.Packer
data = sys.stdin.buffer.read()
value = decode(data)
assert decode(encode(value)) == value
sys.stdout.buffer.write(encode(value))
"""
    out = subprocess.run(
        [sys.executable, "-c", code],
        input=encode(values),
        capture_output=True,
        check=True,
        env={"MSGPACK_PUREPYTHON": "1"},
    )
    back = decode(out.stdout)
    assert back == values
    assert [type(value) for value in back] == [type(value) for value in values]


def test_small_batches_are_encoded_and_decoded_together() -> None:
    batches: list[list[Any]] = [[1, 2], [("a", None)], [{"b": b"c"}, 1.5]]
    bodies = Encoder().encode_each(batches)
    assert bodies == [encode(batch) for batch in batches]
    assert decode_each(bodies) == batches


@pytest.mark.parametrize("odd", [[b"a" * (1 << 16)], ["a" * (1 << 18)], [object()]])
def test_what_is_not_small_and_plain_is_encoded_one_by_one(odd: list[Any]) -> None:
    encoder = Encoder()
    assert encoder.encode_each([[1], odd]) is None
    assert encoder.encode([1]) == (encode([1]), [])  # as if nothing had been tried


def test_one_of_several_bodies_that_is_no_value_is_an_error() -> None:
    with pytest.raises(DecodeError):
        decode_each([encode([1]), b"\x92\x01"])
    keys = {str(number): number for number in range(1000)}  # more than are decoded the quick way
    assert decode_each([encode([keys]), encode([1])]) == [[keys], [1]]
