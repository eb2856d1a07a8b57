"""Items that a lazy source may write to again before they are sent: taken as they are when they are pulled. Pure.

``while f.readinto(buffer): yield buffer`` gives one object every time, and items are held by reference until their
batch is encoded. So buffers that can be written to are copied. Lists, dicts and other objects are not: a copy of them
would have to be a deep one, and cost every source that makes a new one for each item.
"""

from __future__ import annotations

import sys
from typing import Any

from slither_actors.item import Item

UNTOUCHED = frozenset({int, str, bytes, float, bool, type(None), list, dict, tuple, set, frozenset, complex})
"""Types of items that `owned` returns as they are; looked up first, as a call for each item would cost more."""


def owned(entry: Any) -> Any:
    """Return an item, or the payload of one, that the source cannot change by writing to its buffer.

    Args:
        entry: an Item or a bare payload.

    Returns:
        A copy of a bytearray, a memoryview or a numpy array that can be written to, by this reference or by another
        one; everything else as it is.
    """
    kind = type(entry)
    if kind is Item:
        payload = entry.payload
        if type(payload) in UNTOUCHED:
            return entry
        own = owned(payload)
        return entry if own is payload else entry.update_payload(own)
    if kind is bytearray:
        return bytearray(entry)
    if kind is memoryview:
        return _copy_of_view(entry)
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is getattr(numpy, "ndarray", None) and not _is_constant(entry):
        return entry.copy(order="K")
    return entry


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
