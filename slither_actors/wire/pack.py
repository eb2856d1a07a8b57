"""msgpack, as this package uses it: the one module that imports it, so that its settings are in one place.

Settings that matter: ``strict_types``, else subclasses would lose their type and tuples become lists; any hashable
value may be a key; lengths are bounded by the bytes that are there (msgpack's own default when it is given all of
them).
"""

from __future__ import annotations

from msgpack import ExtType, Packer, Unpacker, unpackb, version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from .header import Buffer

__all__ = ["VERSION", "ExtType", "packer", "unpack_on_heap", "unpackb"]

VERSION: Final = ".".join(map(str, version))
"""The version of msgpack."""


def packer(default: Callable[[Any], Any], buffer_size: int) -> Callable[[object], bytes]:
    """A function that packs values one after the other; not within one another."""
    pack: Callable[[object], bytes] = Packer(strict_types=True, default=default, buf_size=buffer_size).pack
    return pack


def unpack_on_heap(data: Buffer, hook: Callable[[int, bytes], Any]) -> Any:
    """What ``unpackb`` does, with its work space on the heap: slower, but next to nothing on the C stack."""
    unpacker = Unpacker(None, strict_map_key=False, ext_hook=hook, read_size=1, max_buffer_size=max(1, len(data)))
    unpacker.feed(data)
    value = unpacker.unpack()
    if unpacker.tell() != len(data):
        raise ValueError("bytes are left over after a nested value")
    return value
