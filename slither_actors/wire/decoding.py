"""Bytes to values: what an :class:`.codec.Encoder` has made of them."""

from __future__ import annotations

from _thread import _local  # threading.local, without loading threading

from .decoders import MOST_KEYS, BesideBody, Hook
from .extension_codes import DecodeError
from .msgpack_settings import exceeded, unpack_on_heap, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .header import Buffer


class _Here(_local):
    """What the calling thread decodes with."""

    def __init__(self) -> None:
        self.hook = Hook(0, BesideBody(b""))
        """For bodies that have nothing beside them."""


_here = _Here()


def decode(body: Buffer, buffers: Buffer = b"") -> Any:
    """Decode the value that an :class:`.codec.Encoder` made ``body`` and ``buffers`` of.

    Arrays beside the body are views of ``buffers`` where that can be written to, else of a copy: writable either way.
    Of what a map or set holds, 256 keys or members may have the same hash.

    Raises:
        DecodeError: these bytes are no value; nothing else is raised, whatever they are.
    """
    hook = _here.hook
    try:
        if buffers:
            hook = Hook(0, BesideBody(buffers))
        if not hook.on_stack:
            return unpack_on_heap(body, hook, most_keys=MOST_KEYS)
        return unpackb(body, strict_map_key=False, max_map_len=MOST_KEYS, ext_hook=hook)
    except DecodeError:
        raise
    except Exception as error:
        if not exceeded(error):
            raise _undecodable(error)  # noqa: B904  # which names its cause itself
    from .careful_decoder import decode_large

    try:
        return decode_large(body, BesideBody(buffers))
    except DecodeError:
        raise
    except Exception as error:
        raise _undecodable(error)  # noqa: B904


def decode_each(bodies: Iterable[Buffer]) -> list[Any]:
    """Decode values that have nothing beside them: as :meth:`decode` for each, in less time if they are small.

    Raises:
        DecodeError: the bytes of one are no value.
    """
    hook = _here.hook
    if hook.on_stack:
        try:
            return [unpackb(body, strict_map_key=False, max_map_len=MOST_KEYS, ext_hook=hook) for body in bodies]
        except Exception as error:
            from .handlers import raised_by_handler

            if raised_by_handler(error):
                raise
            # said better, or after all decoded, one by one
    return [decode(body) for body in bodies]


def _undecodable(error: Exception) -> Exception:
    """Return the exception to raise for an error of decoding."""
    from .handlers import raised_by_handler

    if raised_by_handler(error):
        return error
    made = DecodeError(f"{type(error).__name__}: {error}")
    made.__cause__ = error
    return made
