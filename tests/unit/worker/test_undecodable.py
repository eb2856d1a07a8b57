"""Requests of which some items cannot be decoded: the answer names these."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.wire.codec import DecodeError, decode, encode
from slither_actors.wire.frames import CALL, Frame
from slither_actors.wire.missing_modules import missing_module, remedy
from slither_actors.worker.undecodable import bad_items

MANY = {(2**61 - 1) * number + 5 for number in range(257)}
"""Numbers of one hash, one more than a set may have."""


def a_frame(payloads: Any, count: int) -> Frame:
    return Frame(CALL, 0, 1, 1, count, 0, b"", encode(payloads))


def test_the_items_are_found_by_their_index() -> None:
    bad = bad_items(a_frame([1, MANY, 3, {"deep": [MANY]}], 4), None)
    assert list(bad) == [1, 3]
    assert str(bad[3]).startswith("at [3]: this cannot be decoded in the worker: more than 256 keys")
    assert list(bad_items(a_frame({"items": [MANY, 2]}, 2), "items")) == [0]


@pytest.mark.parametrize("payloads", [[MANY], MANY, {"items": [1, MANY]}, [1, MANY, 3]])
def test_where_values_are_not_the_items_none_is_named(payloads: Any) -> None:
    assert bad_items(a_frame(payloads, 2), None) == {}


def test_only_a_missing_module_has_a_remedy() -> None:
    assert remedy(ValueError("no"), "send") == ""
    assert missing_module(ModuleNotFoundError("no", name="a.b")) == "a"
    with pytest.raises(DecodeError) as caught:
        decode(b"\xc1")
    assert missing_module(caught.value) is None
