"""Large bytes travel beside the body: put there without a copy, and copied once where they arrive."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import pytest

from slither_actors.wire.codec import OUT_OF_BAND, DecodeError, EncodeError, Encoder, decode
from slither_actors.wire.extension_codes import BYTES_BESIDE

LARGE = bytes(range(256)) * (OUT_OF_BAND // 256)


def there_and_back(encoder: Encoder, value: Any) -> tuple[Any, int]:
    """The value that comes out, and how many bytes went beside the body."""
    body, buffers = encoder.encode(value)
    return decode(body, b"".join(buffers)), sum(map(len, buffers))


@pytest.mark.parametrize("wrap", [list, lambda items: {"items": items, "more": 1}])
def test_large_bytes_go_beside_the_body_from_the_first_batch(wrap: Any) -> None:
    value = wrap([LARGE, b"small", LARGE + b"x"])
    encoder = Encoder()
    back, beside = there_and_back(encoder, value)
    assert back == value
    assert type(back["items"][0] if isinstance(value, dict) else back[0]) is bytes
    assert beside >= 2 * len(LARGE) + 1
    assert encoder.copied


def test_the_bytes_themselves_are_what_goes() -> None:
    _, buffers = Encoder().encode([LARGE])
    assert buffers[0] is LARGE


def test_large_bytes_inside_values_are_found_after_a_large_body() -> None:
    encoder = Encoder()
    value = [{"blob": LARGE + LARGE + LARGE, "n": [1, (2, 3)]}]
    assert there_and_back(encoder, value) == (value, 0)
    for _ in range(4):
        assert there_and_back(encoder, value) == (value, 3 * len(LARGE))


def test_the_search_ends_where_large_bodies_have_no_large_bytes() -> None:
    encoder = Encoder()
    value = ["x" * 3 * OUT_OF_BAND]
    for _ in range(6):
        assert there_and_back(encoder, value) == (value, 0)
    assert there_and_back(encoder, [{"blob": LARGE}]) == ([{"blob": LARGE}], 0)  # not searched any more
    assert there_and_back(encoder, [LARGE])[1] == len(LARGE)  # and this needs no search


def test_a_bytearray_comes_out_as_bytes_as_a_small_one_does() -> None:
    (back,), beside = there_and_back(Encoder(), [bytearray(LARGE)])
    assert (back, type(back), beside) == (LARGE, bytes, len(LARGE))


def test_a_value_without_a_form_is_named_among_large_bytes() -> None:
    with pytest.raises(EncodeError) as caught:
        Encoder().encode([LARGE, {"a": [LARGE, object()]}])
    assert caught.value.path == "[1]['a'][1]"


def test_bytes_stay_in_the_body_where_nothing_may_go_beside_it() -> None:
    body, buffers = Encoder(out_of_band=None).encode([LARGE])
    assert buffers == []
    assert decode(body) == [LARGE]


@pytest.mark.parametrize("places", [[(1, 64)], [(64, 1)], [(2**63, 1)], [(0, 64), (0, 1)], [(0, 40), (30, 30)]])
def test_bytes_outside_buffers_or_upon_each_other_are_refused(places: list[tuple[int, int]]) -> None:
    """A reference is 20 bytes long and copies as much as it names: many to the same bytes would cost any memory."""
    body = msgpack.packb([msgpack.ExtType(BYTES_BESIDE, struct.pack("<QQ", *place)) for place in places])
    with pytest.raises(DecodeError):
        decode(body, bytes(64))


def test_many_references_to_the_same_bytes_cost_no_memory() -> None:
    body = msgpack.packb([msgpack.ExtType(BYTES_BESIDE, struct.pack("<QQ", 0, 32_768))] * 1_500)
    with pytest.raises(DecodeError):
        decode(body, bytes(32_768))
