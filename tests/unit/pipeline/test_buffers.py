"""What a source may write to again is copied when it is pulled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from slither_actors import Item
from slither_actors.pipeline.buffers import owned

WRITABLE: list[Any] = [
    bytearray(b"abcd"),
    memoryview(bytearray(b"abcd")),
    memoryview(bytearray(b"abcdefgh")).cast("I", (1, 2)),
    memoryview(bytearray(b"abcdefgh"))[::2],
    memoryview(bytearray(b"abcd")).toreadonly(),
    np.arange(4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.broadcast_to(np.arange(3), (2, 3)),
]
LEFT_ALONE: list[Any] = [
    b"abcd", memoryview(b"abcd"), np.frombuffer(b"abcd", np.uint8), "text", 1, None, [bytearray(b"a")], {"a": 1}, (1,),
    object(),
]  # fmt: skip


@pytest.mark.parametrize("buffer", WRITABLE, ids=repr)
def test_a_writable_buffer_is_copied_with_its_type(buffer: Any) -> None:
    own = owned(buffer)
    assert type(own) is type(buffer)
    assert bytes(own) == bytes(buffer)
    assert getattr(own, "shape", None) == getattr(buffer, "shape", None)
    held, source = np.asarray(own), np.asarray(buffer)
    assert held.dtype == source.dtype
    assert not np.shares_memory(held, source)


@pytest.mark.parametrize("buffer", WRITABLE, ids=repr)
def test_an_item_with_one_keeps_its_id_and_meta(buffer: Any) -> None:
    item = Item.wrap(buffer, id="a").put_meta(of="mine")
    own = owned(item)
    assert (own.id, own.meta["of"]) == ("a", "mine")
    assert not np.shares_memory(np.asarray(own.payload), np.asarray(buffer))


@pytest.mark.parametrize("payload", LEFT_ALONE, ids=repr)
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
