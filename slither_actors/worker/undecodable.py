"""Which items of a request cannot be decoded here, and what to do about it. Loaded when the first one comes."""

from __future__ import annotations

from slither_actors.wire.codec import decode
from slither_actors.wire.extension_codes import DecodeError
from slither_actors.wire.missing_modules import remedy
from slither_actors.wire.msgpack_settings import elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from slither_actors.wire.frames import Frame


def bad_items(frame: Frame, key: str | None) -> dict[int, DecodeError]:
    """Why items cannot be decoded, by their index; none if the request is not one value for each item.

    Args:
        frame: the request, which cannot be decoded as a whole.
        key: of its items, where it is a map.
    """
    try:
        parts = elements(frame.body, key)
    except Exception:  # it is no list of items at all
        return {}
    bad: dict[int, DecodeError] = {}
    if len(parts) == frame.count:
        for index, part in enumerate(parts):
            try:
                decode(part, frame.buffers)
            except DecodeError as error:
                bad[index] = explained(error, f"at [{index}]: ")
    return bad


def explained(error: DecodeError, where: str = "") -> DecodeError:
    """Return the error with the place and, where a module is missing in this interpreter, the remedy."""
    made = DecodeError(f"{where}this cannot be decoded in the worker: {error}{remedy(error, 'send')}")
    made.__cause__ = error.__cause__
    return made
