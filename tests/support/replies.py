"""What a reply says, as tests read it; the product decodes the bodies of replies in the consumer's thread."""

from __future__ import annotations

from typing import Any

from slither_actors.wire.codec import DecodeError, decode
from slither_actors.wire.header import REPLY, Frame


def reply_results(frame: Frame) -> tuple[list[Any], dict[Any, Any] | None]:
    """The good results of a reply, and the whole mapping where it answers a command (else None).

    Raises:
        DecodeError: the body is no value, or holds another number of results than the header says.
    """
    assert frame.kind == REPLY
    value = decode(frame.body, frame.buffers)
    mapping = value if type(value) is dict else None
    results = value.get("items") if mapping is not None else value
    if type(results) is not list:
        raise DecodeError(f"a reply holds a {type(results).__name__} where the results belong")
    if len(results) != frame.count:
        raise DecodeError(f"a reply announces {frame.count} results and holds {len(results)}")
    return results, mapping
