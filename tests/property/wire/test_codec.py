"""Any value comes back. What any bytes give is tested in tests/fuzz."""

from __future__ import annotations

import datetime as dt
import pathlib
import zoneinfo
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slither_actors.wire.codec import DecodeError, Encoder, decode, encode

zones = st.one_of(
    st.none(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]).map(zoneinfo.ZoneInfo),
    st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)), st.text(max_size=5)),
)
path_text = st.text(st.characters(exclude_characters="\0"), max_size=20)
hashable_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters()),
    st.binary(),
    st.decimals(),
    st.dates(),
    st.times(timezones=zones),
    st.datetimes(timezones=zones),
    st.timedeltas(),
    st.uuids(),
    st.one_of(path_text.map(pathlib.PurePosixPath), path_text.map(pathlib.PosixPath)),
    st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(dt.timezone),
)
# Not every hashable value may be a key: a NaN is no key that could be found again, a signalling one has no hash.
keys = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters()), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)),
    max_leaves=5,
)
values = st.recursive(
    st.one_of(hashable_leaves, keys, st.sets(keys, max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def written_out(value: Any) -> str:
    """The value with its types all the way down, as text that does not depend on the order inside sets."""
    kind = type(value).__name__
    if isinstance(value, (list, tuple)):
        return f"{kind}[{', '.join(map(written_out, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{kind}[{', '.join(sorted(map(written_out, value)))}]"
    if isinstance(value, dict):
        return f"{kind}[{', '.join(f'{written_out(key)}: {written_out(item)}' for key, item in value.items())}]"
    return f"{kind} {value!r}"


def same(one: Any, other: Any) -> bool:
    """Alike to the last type and digit; NaN is the same as NaN."""
    return written_out(one) == written_out(other)


@given(values)
def test_a_value_comes_back_equal_and_of_same_type_all_way_down(value: object) -> None:
    assert same(decode(encode(value)), value)


@given(st.lists(values, max_size=5))
def test_one_encoder_serves_value_after_value(some: list[Any]) -> None:
    encoder = Encoder()
    bodies = [encoder.encode(value)[0] for value in some]
    assert all(same(decode(body), value) for body, value in zip(bodies, some, strict=True))


@given(values, st.data())
def test_a_damaged_body_is_a_value_or_a_decode_error(value: object, data: st.DataObject) -> None:
    body = bytearray(encode(value))
    index = data.draw(st.integers(0, len(body) - 1))
    body[index] = data.draw(st.integers(0, 255))
    try:
        decode(body)
    except DecodeError:
        pass


arrays = hnp.arrays(
    st.one_of(
        hnp.scalar_dtypes(),
        hnp.unicode_string_dtypes(max_len=3),
        hnp.byte_string_dtypes(max_len=3),
        hnp.array_dtypes(allow_subarrays=False),
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@given(arrays, st.sampled_from(["C", "F"]), st.integers(1, 300))
def test_any_array_comes_back_alike(array: np.ndarray[Any, Any], order: Any, threshold: int) -> None:
    array = np.array(array, order=order)
    body, buffers = Encoder(out_of_band=threshold).encode([array])
    (back,) = decode(body, bytearray(b"".join(buffers)))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable
