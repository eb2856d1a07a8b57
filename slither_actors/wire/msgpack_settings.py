"""msgpack, as this package uses it: the one module that imports it, so that its settings are in one place.

Settings that matter: ``strict_types``, else subclasses would lose their type and tuples become lists; any hashable
value may be a key; lengths are bounded by the bytes that are there (msgpack's own default when it is given all of
them), and more tightly where they could add up, see :mod:`.careful_decoder`.
"""

from __future__ import annotations

from msgpack import ExtType, Packer, Unpacker, unpackb, version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from .header import Buffer

__all__ = ["VERSION", "ExtType", "check_announced", "elements", "exceeded", "packer", "unpack_on_heap", "unpackb"]

VERSION: Final = ".".join(map(str, version))
"""The version of msgpack."""


def packer(default: Callable[[Any], Any], buffer_size: int) -> Callable[[object], bytes]:
    """Return a function that packs values one after the other; not within one another."""
    pack: Callable[[object], bytes] = Packer(strict_types=True, default=default, buf_size=buffer_size).pack
    return pack


def unpack_on_heap(
    data: Buffer,
    hook: Callable[[int, bytes], Any],
    most_items: int = -1,
    most_keys: int = -1,
    pairs_hook: Callable[[list[tuple[Any, Any]]], Any] | None = None,
) -> Any:
    """Do what ``unpackb`` does, with its work space on the heap: slower, but next to nothing on the C stack.

    Args:
        data: one whole value.
        hook: decodes an extension.
        most_items: that a list may have; -1: as many as there are bytes.
        most_keys: that a map may have; -1: half as many.
        pairs_hook: makes something of the keys and values of a map; None: a dict.
    """
    unpacker = Unpacker(
        None,
        strict_map_key=False,
        ext_hook=hook,
        read_size=1,
        max_buffer_size=len(data) or 1,
        max_array_len=most_items,
        max_map_len=most_keys,
        object_pairs_hook=pairs_hook,
    )
    unpacker.feed(data)
    value = unpacker.unpack()
    if unpacker.tell() != len(data):
        raise ValueError("bytes are left over after a nested value")
    return value


def check_announced(data: Buffer) -> None:
    """Walk over ``data`` without making anything of it: if all of it is there, its lists announce no more than is.

    Raises:
        Exception: it is not one whole value.
    """
    unpacker = Unpacker(None, read_size=1, max_buffer_size=len(data) or 1)
    unpacker.feed(data)
    unpacker.skip()
    if unpacker.tell() != len(data):
        raise ValueError("bytes are left over after the value")


def elements(data: Buffer, key: str | None = None) -> list[Buffer]:
    """Return the items of a list in ``data``, or of the one that a map there has under ``key``, still encoded.

    Raises:
        Exception: there is no such list.
    """
    unpacker = Unpacker(None, read_size=1, max_buffer_size=len(data) or 1, strict_map_key=False)
    unpacker.feed(data)
    if key is not None:
        for _ in range(unpacker.read_map_header()):
            if unpacker.unpack() == key:
                break
            unpacker.skip()
    found: list[Buffer] = []
    for _ in range(unpacker.read_array_header()):
        start = unpacker.tell()
        unpacker.skip()
        found.append(data[start : unpacker.tell()])
    return found


def exceeded(error: Exception) -> bool:
    """Whether ``unpackb`` may have raised it because a list or map has more items than its bounds allow.

    msgpack has no type of error of its own for that. A plain ValueError also means bytes that end too early, and
    whatever a hook raised: the careful decoder then comes to the same end.
    """
    return type(error) is ValueError
