"""msgpack with the settings of this package: what it packs, and what it unpacks on the heap."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from slither_actors.wire import msgpack_settings
from slither_actors.wire.msgpack_settings import check_announced, elements, exceeded, packer, unpack_on_heap


class Text(str):
    __slots__ = ()


def marked(value: object) -> Any:
    return msgpack.ExtType(5, type(value).__name__.encode())


def no_hook(code: int, data: bytes) -> Any:
    raise AssertionError


def test_the_version_is_that_of_msgpack() -> None:
    assert ".".join(map(str, msgpack.version)) == msgpack_settings.VERSION


@pytest.mark.parametrize("value", [(), Text("a"), {1}, 2**64])
def test_a_packer_asks_for_what_would_lose_its_type(value: object) -> None:
    asked: list[object] = []

    def default(given: object) -> Any:
        asked.append(given)
        return marked(given)

    assert packer(default, 64)(value) == msgpack.packb(marked(value))
    assert asked == [value]


def test_a_packer_packs_one_value_after_the_other() -> None:
    pack = packer(marked, 4)
    assert [pack([1, "a"]), pack({b"k": None}), pack("x" * 100)] == [
        b"\x92\x01\xa1a",
        b"\x81\xc4\x01k\xc0",
        b"\xd9d" + b"x" * 100,
    ]


@pytest.mark.parametrize("value", [None, [], {1: [2.5, {"k": b"v"}]}, "text", [[[]]], {b"k": 1}])
def test_the_heap_gives_what_the_stack_does(value: Any) -> None:
    data = msgpack.packb(value)
    assert unpack_on_heap(data, no_hook) == value
    assert unpack_on_heap(memoryview(bytearray(data)), no_hook) == value


def test_extensions_on_the_heap_come_to_the_hook() -> None:
    data = msgpack.packb([msgpack.ExtType(7, b"data")])
    assert unpack_on_heap(data, lambda code, inside: (code, inside)) == [(7, b"data")]


def test_pairs_of_a_map_come_to_their_hook() -> None:
    assert unpack_on_heap(b"\x82\x01\x02\x01\x03", no_hook, pairs_hook=list) == [(1, 2), (1, 3)]


@pytest.mark.parametrize(
    ("data", "most_items", "most_keys"),
    [(b"\x93\x01\x02\x03", 2, -1), (b"\x82\x01\x01\x02\x02", -1, 1), (b"\x91\x93\x01\x02\x03", 2, -1)],
)
def test_bounds_on_the_heap_are_kept(data: bytes, most_items: int, most_keys: int) -> None:
    assert unpack_on_heap(data, no_hook) == msgpack.unpackb(data, strict_map_key=False)
    assert unpack_on_heap(data, no_hook, 3, 2) == msgpack.unpackb(data, strict_map_key=False)
    with pytest.raises(ValueError, match="exceeds"):
        unpack_on_heap(data, no_hook, most_items, most_keys)


def test_more_than_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="left over after a nested value"):
        unpack_on_heap(b"\x01\x02", no_hook)
    with pytest.raises(ValueError, match="left over after the value"):
        check_announced(b"\x01\x02")


@pytest.mark.parametrize("data", [b"", b"\x91", b"\xa2a", b"\xdd\xff\xff\xff\xff\x01", b"\xc1", b"\x91" * 2000])
def test_less_than_one_value_is_refused(data: bytes) -> None:
    with pytest.raises(Exception, match=r".*"):
        check_announced(data)
    with pytest.raises(Exception, match=r".*"):
        unpack_on_heap(data, no_hook)


@pytest.mark.parametrize("data", [b"\xc0", b"\x92\x01\x91\xa1a", b"\xd4\x7f\x00", b"\x81\x91\x01\x02", b"\xa1\xff"])
def test_a_walk_looks_at_lengths_only(data: bytes) -> None:
    check_announced(data)  # no text is decoded, no extension looked up, no key hashed


def test_elements_of_a_list_stay_encoded() -> None:
    parts = [msgpack.packb(value) for value in (1, [2, 3], {"k": "v"}, msgpack.ExtType(64, b"\x90"))]
    assert elements(b"\x94" + b"".join(parts)) == parts
    assert elements(b"\x90") == []


def test_elements_are_parts_of_a_view_where_that_is_given() -> None:
    data = bytearray(b"\x92\x01\x02")
    found = elements(memoryview(data))
    data[1:] = b"\x07\x08"
    assert [bytes(part) for part in found] == [b"\x07", b"\x08"]


def test_elements_may_stand_under_a_key_of_a_map() -> None:
    data = msgpack.packb({"note": [9, 9], 5: "items", "items": [1, "b"], "more": [7]})
    assert elements(data, "items") == [b"\x01", b"\xa1b"]


@pytest.mark.parametrize(
    ("data", "key"), [(b"\x01", None), (b"\x80", None), (b"\x92\x01", None), (b"", None), (b"\x91\x01", "items")]
)
def test_elements_need_a_list(data: bytes, key: str | None) -> None:
    with pytest.raises(Exception, match=r".*"):
        elements(data, key)


@pytest.mark.parametrize("value", [{}, {"others": [1]}, {"items": 1}, {"items": {"a": 1}}])
def test_elements_under_a_key_need_a_list_there(value: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r".*"):
        elements(msgpack.packb(value), "items")


def test_exceeded_bounds_are_told_from_broken_bytes() -> None:
    for data, bounds, expected in [
        (b"\x92\x01\x02", {"max_array_len": 1}, True),
        (b"\x82\x01\x02\x03\x04", {"max_map_len": 1, "strict_map_key": False}, True),
        (b"\xc1", {}, False),
        (b"\x01\x02", {}, False),
        (b"\xa1\xff", {}, False),
    ]:
        with pytest.raises(ValueError, match=r".*") as caught:
            msgpack_settings.unpackb(data, **bounds)
        assert exceeded(caught.value) is expected
