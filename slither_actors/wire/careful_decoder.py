"""The careful way of decoding: for bodies with more in one map, or deeper inside, than the quick way takes on trust.

Two things let a few bytes cost much. A list announces its length, and room for it is made before anything of it has
come; msgpack makes room for 10,000 items at most, but at each of 1,024 levels, and again inside each extension. And
keys may be made to share one hash, so that the n-th insertion compares n times. The quick way bounds both by bounds so
small that nothing can add up. What exceeds them comes here, is checked first, and then has no such bounds.
"""

from __future__ import annotations

import re

from .c_stack import room
from .decoders import BesideBody, Hook
from .hash_limits import MOST_ALIKE, check_hashes
from .msgpack_settings import check_announced, unpack_on_heap, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

    from .header import Buffer

# Below it, what lists announce within an extension is not worth a look: 340 headers of 1,024 items take 3 MB together.
_SMALL: Final = 1024

# How msgpack's own extension begins, in each of its sizes. Looked for from its last byte on: that is rare in text.
_TIMESTAMP: Final = re.compile(rb"\xff(?:(?<=[\xd6\xd7]\xff)|(?<=\xc7\x0c\xff))")


class _NotPlain(Exception):
    """The body has an extension in it."""


def decode_large(body: Buffer, beside: BesideBody) -> Any:
    """Decode ``body`` without the bounds of the quick way. Raises whatever msgpack and the extensions raise."""
    check_announced(body)
    if _TIMESTAMP.search(body) is None:
        # Without extensions keys are text, bytes and numbers of 64 bits. No more than some 50 of those have one hash,
        # and that of text is keyed differently in each process.
        try:
            if not room.large:
                return unpack_on_heap(body, _not_plain)
            return unpackb(body, strict_map_key=False, ext_hook=_not_plain)
        except _NotPlain:
            pass
    return CarefulHook(0, beside).unpacked(body)


def _not_plain(code: int, data: bytes) -> NoReturn:
    raise _NotPlain


class CarefulHook(Hook):
    """Checks what is announced before there is room for it, and the hashes of keys before they are put into a dict."""

    __slots__ = ()

    def unpacked(self, data: Buffer) -> Any:
        """Decode ``data``, whose extensions come to this hook."""
        if self.on_stack:
            return unpackb(data, strict_map_key=False, object_pairs_hook=_mapping, ext_hook=self)
        return unpack_on_heap(data, self, pairs_hook=_mapping)

    def value(self, data: bytes | memoryview) -> Any:
        """Decode the value inside an extension's data."""
        inner = self.deeper()
        if len(data) > _SMALL:
            check_announced(data)
        return inner.unpacked(data)


def _mapping(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    if len(pairs) > MOST_ALIKE:
        check_hashes([key for key, _ in pairs])
    return dict(pairs)
