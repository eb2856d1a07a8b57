"""Items that a lazy source may write to again before they are sent: taken as they are when they are pulled. Pure.

``while f.readinto(buffer): yield buffer`` gives one object every time, and items are held by reference until their
batch is encoded. So buffers that can be written to are copied, also those in a tuple, list or dict beside other fields.
Lists and dicts themselves are not: that would cost every source that makes a new one for each item.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from operator import is_ as _is
from typing import Any

from slither_actors.item import Item

SCALARS: frozenset[type] = frozenset({int, str, bytes, float, bool, type(None), complex})
UNTOUCHED: frozenset[type] = SCALARS | {list, dict, tuple, set, frozenset}
"""Types that need no look, once a source is known to have no buffers inside its containers."""
LOOKS = 256
"""Items of a source whose fields are looked at. If none of them has a buffer, later ones are taken to have none either,
as a look costs as much as the rest of pulling an item."""
MOST_FIELDS = 16
LEVELS = 2
"""Containers are searched as rows are made: few fields, few levels."""


class BufferGuard:
    """Copies the buffers that one source gives. For one thread."""

    __slots__ = ("_found", "_left", "untouched")

    def __init__(self) -> None:
        self.untouched: frozenset[type] = SCALARS
        """Types of items that `owned` returns as they are; looked up first, as a call for each costs more."""
        self._left = LOOKS
        self._found = False

    def owned(self, entry: Any) -> Any:
        """Return an item that the source cannot change by writing to its buffer.

        Args:
            entry: an Item or a bare payload.

        Returns:
            A copy of a bytearray, a memoryview, a numpy array or a row of one that can be written to, by this reference
            or by another one; a container with copies of those in it; everything else as it is.
        """
        if type(entry) is Item:
            payload = entry.payload
            if type(payload) in self.untouched:
                return entry
            own = self._own(payload)
            return entry if own is payload else entry.update_payload(own)
        return self._own(entry)

    def _own(self, payload: Any) -> Any:
        if type(payload) not in UNTOUCHED:
            return _own_buffer(payload)
        own = _own_fields(payload, LEVELS)
        if own is not payload:
            self._found = True
        elif not self._found:
            self._left -= 1
            if not self._left:
                self.untouched = UNTOUCHED
        return own


def _own_fields(value: Any, levels: int) -> Any:
    """Return a container with its buffers copied; the same one if it has none."""
    kind = type(value)
    if kind not in (tuple, list, dict) or not levels or len(value) > MOST_FIELDS:
        return value
    fields: Collection[Any] = value.values() if kind is dict else value
    own = [
        field
        if type(field) in SCALARS
        else _own_fields(field, levels - 1)
        if type(field) in UNTOUCHED
        else _own_buffer(field)
        for field in fields
    ]
    if all(map(_is, own, fields)):
        return value
    return dict(zip(value, own, strict=True)) if kind is dict else kind(own)


def _own_buffer(value: Any) -> Any:
    kind = type(value)
    if kind is bytearray:
        return bytearray(value)
    if kind is memoryview:
        return _copy_of_view(value)
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return value
    if kind is getattr(numpy, "ndarray", None):
        return value if _is_constant(value) else value.copy(order="K")
    if issubclass(kind, getattr(numpy, "void", ())):  # a row of a structured array is a view of that
        return value.copy()
    return value


def _copy_of_view(view: memoryview) -> memoryview:
    if view.readonly and type(view.obj) is bytes:
        return view
    flat = memoryview(view.tobytes())
    return flat if view.format == "B" and view.ndim == 1 else flat.cast(view.format, view.shape)  # type: ignore[call-overload]


def _is_constant(array: Any) -> bool:
    """Whether nothing of an array, or of what it is a view of, can be written to."""
    while type(array).__name__ == "ndarray":
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or type(array) is bytes
