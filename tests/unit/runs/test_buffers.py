"""What a source may write to again is copied when it is pulled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.ids import stable

from slither_actors import Item
from slither_actors.runs.input.buffers import LOOKS, BufferGuard


def owned(entry: Any) -> Any:
    return BufferGuard().owned(entry)


WRITABLE: list[Any] = [
    bytearray(b"abcd"),
    memoryview(bytearray(b"abcd")),
    memoryview(bytearray(b"abcdefgh")).cast("I", (1, 2)),
    memoryview(bytearray(b"abcdefgh"))[::2],
    memoryview(bytearray(b"abcd")).toreadonly(),
    np.arange(4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.broadcast_to(np.arange(3), (2, 3)),
    np.zeros(1, [("a", "<i4"), ("b", "<f8")])[0],
    np.rec.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f8")])[0],
]
LEFT_ALONE: list[Any] = [
    b"abcd",
    memoryview(b"abcd"),
    np.frombuffer(b"abcd", np.uint8),
    "text",
    1,
    None,
    [b"a"],
    {"a": 1},
    (1, ("b",)),
    {1},
    object(),
    [],
    (),
    {},
]


@pytest.mark.parametrize("buffer", WRITABLE, ids=stable)
def test_a_writable_buffer_is_copied_with_its_type(buffer: Any) -> None:
    own = owned(buffer)
    assert type(own) is type(buffer)
    assert bytes(own) == bytes(buffer)
    assert getattr(own, "shape", None) == getattr(buffer, "shape", None)
    held, source = np.asarray(own), np.asarray(buffer)
    assert held.dtype == source.dtype
    assert not np.shares_memory(held, source)


@pytest.mark.parametrize("buffer", WRITABLE, ids=stable)
def test_an_item_with_one_keeps_its_id_and_meta(buffer: Any) -> None:
    item = Item.wrap(buffer, id="a").put_meta(of="mine")
    own = owned(item)
    assert (own.id, own.meta["of"]) == ("a", "mine")
    assert not np.shares_memory(np.asarray(own.payload), np.asarray(buffer))


@pytest.mark.parametrize("payload", LEFT_ALONE, ids=stable)
def test_what_cannot_be_written_to_is_left_alone(payload: Any) -> None:
    assert owned(payload) is payload
    item = Item.wrap(payload, id=1)
    assert owned(item) is item


def test_an_array_whose_base_can_be_written_to_is_copied() -> None:
    base = np.arange(8)
    view = base[2:4]
    view.flags.writeable = False
    own = owned(view)
    base[:] = 0
    assert own.tolist() == [2, 3]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda buffer: (1, buffer),
        lambda buffer: [buffer, "a"],
        lambda buffer: {"chunk": buffer, "at": 0},
        lambda buffer: ("row", {"chunk": buffer}),
        lambda buffer: Item.wrap((1, buffer), id=1),
    ],
    ids=["tuple", "list", "dict", "nested", "Item"],
)
def test_a_buffer_beside_other_fields_is_copied_too(wrap: Any) -> None:
    buffer = bytearray(b"before")
    entry = wrap(buffer)
    expected = wrap(bytearray(b"before"))
    own = owned(entry)
    buffer[:] = b"after_"
    assert own == expected
    assert type(own) is type(entry)


def test_fields_are_no_longer_looked_at_where_none_had_one() -> None:
    guard = BufferGuard()
    for number in range(LOOKS):
        assert tuple not in guard.untouched
        guard.owned((number,))
    assert tuple in guard.untouched
    assert guard.owned(Item.wrap((bytearray(1),), id=0)).payload is not None


def test_fields_are_looked_at_on_once_one_had_a_buffer() -> None:
    guard = BufferGuard()
    guard.owned((bytearray(1),))
    for number in range(2 * LOOKS):
        guard.owned((number,))
    assert tuple not in guard.untouched
