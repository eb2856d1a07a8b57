"""numpy arrays and scalars on the wire."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
import pytest

from slither_actors.wire.codec import OUT_OF_BAND, DecodeError, EncodeError, Encoder, decode, encode
from slither_actors.wire.extension_codes import ARRAY_BESIDE, SCALAR

ARRAYS = [
    np.arange(10),
    np.array(3.5),
    np.zeros((3, 0)),
    np.zeros((0, 5), "S3"),
    np.arange(100)[::2],
    np.arange(5)[::-1],
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    np.array(["a", "bcd"]),
    np.array([b"a"]),
    np.array(["2020-01-01"], "M8[D]"),
    np.zeros(3, "m8[ns]"),
    np.zeros(3, [("a", "<i4"), ("b", "f8", (2,))]),
    np.arange(5, dtype=">i8"),
    np.array([1, 2], np.longlong),
    np.array([True, False]),
    np.array([1 + 2j], "c8"),
    np.array([1.5], np.longdouble),
    np.float16([1.5]),
    np.broadcast_to(np.arange(3), (4, 3)),
    np.zeros(2, np.dtype([("a", "u1"), ("b", "f8")], align=True)),
]


def alike(one: Any, other: Any) -> bool:
    return (
        type(one) is type(other)
        and one.dtype == other.dtype
        and one.dtype.type is other.dtype.type
        and one.shape == other.shape
        and bool((one == other).all())
    )


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
@pytest.mark.parametrize("times", [1, 60_000])
def test_an_array_comes_out_alike_and_writable(array: Any, times: int) -> None:
    if times > 1:
        array = np.tile(array, times)
    body, buffers = Encoder().encode([array, (array,)])
    assert bool(buffers) == (array.nbytes >= OUT_OF_BAND)
    together = b"".join(buffers)
    for region in (bytearray(together), together):
        first, (second,) = decode(body, region)
        assert alike(first, array)
        assert alike(second, array)
        assert first.flags.writeable
        assert first.flags.f_contiguous or not array.flags.f_contiguous
    assert alike(decode(encode([array]))[0], array)


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(1.5),
        np.float32(1.5),
        np.int8(-1),
        np.uint64(2**64 - 1),
        np.longlong(3),
        np.bool_(True),
        np.complex64(1j),
        np.longdouble(1.5),
        np.str_("abc"),
        np.str_(""),
        np.bytes_(b"x"),
        np.datetime64("2020-01-01"),
        np.timedelta64(3, "ns"),
        np.void(b"ab"),
        np.zeros(1, [("a", "i4")])[0],
    ],
    ids=repr,
)
def test_a_scalar_keeps_its_type(scalar: Any) -> None:
    back = decode(encode([scalar]))[0]
    assert back == scalar
    assert type(back) is type(scalar)
    assert back.dtype == scalar.dtype


@pytest.mark.parametrize(
    "scalar",
    [np.bytes_(b"a\0"), np.bytes_(b"\0"), np.str_("a\0\0"), np.str_("\0"), np.str_("\u00e9\0"), np.str_("\ud83d\0")],
    ids=repr,
)
def test_text_keeps_the_zeros_at_its_end(scalar: Any) -> None:
    again = decode(encode([scalar, {scalar: 1}]))
    assert type(again[0]) is type(scalar)
    assert (len(again[0]), again[0].tobytes()) == (len(scalar), scalar.tobytes())
    assert scalar in again[1]


def test_records_come_out_as_records() -> None:
    array = np.array([(1, b"a\0"), (2, b"b")], np.dtype((np.record, [("x", int), ("s", "S3")])))
    again, scalar = decode(encode([array, array[0]]))
    assert alike(again, array)
    assert again.dtype.type is np.record
    assert type(scalar) is np.record
    assert scalar.s == b"a"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros(1, {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]}), "send each field as an array"),
        (np.zeros(1, [("a", (np.record, [("x", int)]))]), "numpy.record inside a field"),
        (np.zeros(1, [("a", (np.record, [("x", int)]), (2,))]), "numpy.record inside a field"),
        (np.void(b""), "send None"),
    ],
    ids=["overlapping fields", "a record in a field", "records in a field", "a void of nothing"],
)
def test_what_would_come_out_as_something_else_is_refused(value: Any, said: str) -> None:
    with pytest.raises(EncodeError, match=said):
        encode([value])


@pytest.mark.parametrize("description", [{"record": "i4"}, {"record": [], "more": 1}, {"other": []}, {}])
def test_a_map_that_describes_no_dtype_is_a_decode_error(description: Any) -> None:
    forged = msgpack.packb([msgpack.ExtType(SCALAR, msgpack.packb([description, b""]))])
    with pytest.raises(DecodeError):
        decode(forged)


def test_a_structured_scalar_can_be_written_to_and_so_is_no_key() -> None:
    scalar = np.zeros(1, [("a", "i4")])[0]
    back = decode(encode([scalar]))[0]
    back["a"] = 3
    assert back["a"] == 3
    with pytest.raises(DecodeError, match="unhashable"):
        decode(b"\x81" + encode(scalar) + b"\xc0")


def test_a_large_array_is_not_copied_on_either_side() -> None:
    array = np.arange(100_000)
    _, buffers = Encoder().encode([array])
    assert np.shares_memory(np.frombuffer(buffers[0], array.dtype), array)
    body, buffers = Encoder().encode([b"", array])
    region = bytearray(b"".join(buffers))
    back = decode(body, memoryview(region))[1]
    assert np.shares_memory(back, np.frombuffer(region, "u1"))


def test_arrays_beside_the_body_begin_at_cache_lines() -> None:
    arrays = [np.arange(OUT_OF_BAND + n, dtype="u1") for n in range(3)]
    body, buffers = Encoder().encode(arrays)
    region = bytearray(b"".join(buffers))
    base = np.frombuffer(region, "u1").ctypes.data
    found = decode(body, region)
    assert [(array.ctypes.data - base) % 64 for array in found] == [0, 0, 0]
    assert all(alike(one, other) for one, other in zip(found, arrays, strict=True))


def test_the_same_encoder_begins_anew_with_each_value() -> None:
    encoder = Encoder()
    for _ in range(3):
        body, buffers = encoder.encode(np.zeros(100_000))
        assert len(b"".join(buffers)) == 800_000
        assert alike(decode(body, b"".join(buffers)), np.zeros(100_000))
    assert encoder.encode(1) == (b"\x01", [])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.array([object()]), "Python objects"),
        (np.array(["a"], np.dtypes.StringDType()), "Python objects"),
        (np.zeros(2, [("a", "O")]), "Python objects"),
        (np.ma.masked_array([1]), r"has a mask, .*; send \.filled\(\) of it, or its \.data and \.mask as two arrays"),
        (np.recarray((1,), [("a", "i4")]), r"subclass of numpy\.ndarray; send numpy\.asarray\(\) of it"),
        (np.zeros(3, "V0"), "no bytes"),
        (np.dtype("i4"), "plain data"),
    ],
)
def test_arrays_that_do_not_travel_are_refused(value: Any, said: str) -> None:
    with pytest.raises(EncodeError, match=said) as caught:
        encode({"x": [value]})
    assert caught.value.path == "['x'][0]"


def test_what_a_masked_array_is_to_be_sent_as_travels() -> None:
    masked = np.ma.masked_array([1, 2, 3], [False, True, False])
    filled, data, mask = decode(encode([masked.filled(0), masked.data, masked.mask]))
    assert (filled.tolist(), data.tolist(), mask.tolist()) == ([1, 0, 3], [1, 2, 3], [False, True, False])
    assert decode(encode(np.ma.masked_array([1]).mask)) == np.False_  # of one without any, it is a scalar


def beside(description: Any = "<i8", order: Any = "C", shape: Any = (2,), offset: Any = 0, size: Any = 16) -> bytes:
    import msgpack

    fields = [description, order, list(shape) if isinstance(shape, tuple) else shape, offset, size]
    return bytes(msgpack.packb(msgpack.ExtType(ARRAY_BESIDE, msgpack.packb(fields))))


def test_what_the_refused_ones_differ_from_is_good() -> None:
    assert decode(beside(), bytes(16)).tolist() == [0, 0]


@pytest.mark.parametrize("text", ["i8,i8", "2i4", "(2,)i4", "i4" * 50, "<i8 ", "V99999999999", "", "<M8[ns]x"])
@pytest.mark.parametrize("within", [lambda text: text, lambda text: [["a", text]], lambda text: [["a", [["b", text]]]]])
def test_a_type_is_one_type_as_we_write_it_and_no_list_of_types(text: str, within: Any) -> None:
    with pytest.raises(DecodeError, match="describes no dtype"):
        decode(beside(description=within(text)), bytes(16))


def test_dimensions_are_counted_before_they_are_multiplied() -> None:
    assert decode(beside(shape=(1,) * 31 + (2,)), bytes(16)).ndim == 32
    with pytest.raises(DecodeError, match="of 65 dimensions"):
        decode(beside(shape=(1,) * 64 + (2,)), bytes(16))


@pytest.mark.parametrize(
    "fields",
    [
        {"offset": 1},
        {"offset": -16},
        {"size": 17},
        {"size": 15},
        {"offset": 1 << 63},
        {"offset": None},
        {"shape": (3,)},
        {"shape": (-2,)},
        {"shape": (1 << 62, 1 << 62)},
        {"shape": (2.0,)},
        {"shape": 2},
        {"order": "A"},
        {"description": "O"},
        {"description": "nonsense"},
        {"description": 7},
        {"description": "S0", "shape": (1 << 40,), "size": 0},
        {"description": [["a"]]},
    ],
)
def test_a_forged_array_is_a_decode_error(fields: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode(beside(**fields), bytes(16))
