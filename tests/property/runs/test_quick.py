"""The quick way of decoding a reply gives what the careful one gives, or leaves it to that."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processor import MOST_SECONDS, processor_time

from slither_actors.runs.output import reply_decoder
from slither_actors.runs.output.reply_decoder import LEAST, MOST, ReplyDecoder
from slither_actors.wire.codec import DecodeError, Encoder, decode
from slither_actors.wire.header import REPLY, Frame

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
keys = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.text(max_size=5), st.binary(max_size=5))
values = st.recursive(
    st.one_of(leaves, st.dates(), st.lists(leaves, max_size=2).map(tuple)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=15,
)


def reply(body: bytes) -> Frame:
    return Frame(REPLY, 0, 1, 1, 1, 0, b"", body)


def outcome(decoding: Any) -> tuple[str, Any]:
    try:
        return "value", decoding()
    except DecodeError as error:
        return "error", str(error)


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_decoder, "LEAST", 0)


@given(st.lists(values, max_size=4))
def test_what_an_encoder_made_comes_out_the_same_to_last_type(some: list[Any]) -> None:
    decoder = ReplyDecoder()
    for value in some:
        body, _ = Encoder().encode(value)
        assert repr(decoder.decode(reply(body))) == repr(decode(body)) == repr(value)


@given(st.binary(max_size=60), st.integers(0, 255))
def test_any_bytes_are_the_same_value_or_the_same_error(noise: bytes, first: int) -> None:
    body = bytes([first]) + noise
    kind, careful = outcome(lambda: decode(body))
    quickly, got = outcome(lambda: ReplyDecoder().decode(reply(body)))
    if kind == "error" and quickly == "value":
        return  # a list for a key, which is taken as a tuple
    assert (quickly, repr(got)) == (kind, repr(careful))


@pytest.mark.parametrize("stamp", [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(1900, 1, 1, 1, 1, 1, 5, dt.UTC)])
def test_a_timestamp_stays_one(stamp: dt.datetime) -> None:
    body = msgpack.packb([{"a": msgpack.Timestamp.from_datetime(stamp)}])
    assert ReplyDecoder().decode(reply(body)) == decode(body) == [{"a": msgpack.Timestamp.from_datetime(stamp)}]


def test_after_an_extension_a_run_is_not_tried_quick_way_again() -> None:
    decoder = ReplyDecoder()
    calls: list[object] = []
    inner = decoder._quick
    decoder._quick = lambda body: (calls.append(body), inner(body))[1]
    for value in ([1], [(1,)], [2]):
        assert decoder.decode(reply(Encoder().encode(value)[0])) == value
    assert len(calls) == 2


def test_what_is_large_is_left_to_the_careful_way() -> None:
    decoder = ReplyDecoder()
    decoder._quick = lambda _: pytest.fail("it was tried")
    body, _ = Encoder().encode(["x" * (MOST + 1)])
    assert decoder.decode(reply(body)) == decode(body)


def test_lists_as_keys_of_one_hash_cost_little() -> None:
    """The worst there is for it: its time grows with the square of their number."""
    prime1, prime2, prime5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
    mask = 2**64 - 1
    inverse1, inverse2 = pow(prime1, -1, 2**64), pow(prime2, -1, 2**64)

    def turned(x: int, by: int) -> int:
        return ((x << by) | (x >> (64 - by))) & mask

    def second(first: int) -> int:
        """The number that gives a pair with `first` the same hash as all others have."""
        wanted = (12345 * inverse1) & mask
        run_queue = (prime5 + first * prime2) & mask
        run_queue = (turned(run_queue, 31) * prime1) & mask
        return ((turned(wanted, 33) - run_queue) * inverse2) & mask

    pairs = []
    for first in range(1, 200_000):
        other = second(first)
        if other < 2**61 - 1:
            pairs.append((first, other))
        if len(pairs) * 15 > MOST:
            break
    assert len({hash(pair) for pair in pairs[:100]}) == 1
    many = []
    packer = msgpack.Packer()
    size = 3
    for pair in pairs:
        key = packer.pack(list(pair))
        if size + len(key) + 1 > MOST:
            break
        size += len(key) + 1
        many.append(key + b"\x00")
    body = b"\xde" + len(many).to_bytes(2, "big") + b"".join(many)
    assert LEAST <= len(body) <= MOST
    decoder, whole = ReplyDecoder(), reply(body)
    assert len(decoder.decode(whole)) == len(many)
    assert processor_time(lambda: decoder.decode(whole)) <= MOST_SECONDS
