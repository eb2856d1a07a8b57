"""Values to bytes and back: msgpack, with extension types where msgpack alone would change a value's type."""

from __future__ import annotations

from . import extensions
from .extensions import MAX_NESTING, MOST_KEYS, DecodeError, EncodeError, RefusedError
from .pack import ExtType, exceeded, packer, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from .header import Buffer

__all__ = ["DecodeError", "EncodeError", "Encoder", "decode", "encode"]

OUT_OF_BAND: Final = 64 * 1024
"""Arrays from this many bytes on travel beside the body, uncopied; below it a copy costs less than the bookkeeping."""

# A packer keeps the buffer of the largest value it ever packed: beyond this it is thrown away after use.
_KEEP: Final = 4 * 1024 * 1024
_PACKER_BUFFER: Final = 64 * 1024
_NESTED_BUFFER: Final = 4 * 1024

_new_tuple = tuple.__new__


class Encoder:
    """Encodes values, one after the other; for use by one thread.

    What comes out of :func:`decode` is equal and of the same type, but for bytearray and memoryview, which come out as
    bytes. ``msgpack.ExtType`` with the codes 64 to 127 is ours, with 0 to 63 it is the caller's.

    :param out_of_band: arrays of at least so many bytes go beside the body; None: all go into it.
    """

    __slots__ = ("_buffers", "_depth", "_offset", "_pack", "_packs", "_threshold")

    def __init__(self, out_of_band: int | None = OUT_OF_BAND) -> None:
        self._threshold = out_of_band
        self._reset()

    def _reset(self) -> None:
        self._pack = packer(self._default, _PACKER_BUFFER)
        self._packs = [self._pack]  # by depth of nesting: a packer cannot begin a value inside another
        self._depth = 0
        self._buffers: list[Buffer] = []
        self._offset = 0

    def encode(self, value: object) -> tuple[bytes, list[Buffer]]:
        """The body and the out-of-band buffers for ``value``. The buffers are views: leave the arrays alone until sent.

        :raises EncodeError: something in the value has no form on the wire; says what and where.
        """
        try:
            body = self._pack(value)
        except Exception as error:
            self._reset()
            from .explain import explain

            raise explain(value, error) from error
        except BaseException:  # an interrupt in mid-value: the next value must not begin at its depth
            self._reset()
            raise
        if len(body) > _KEEP:
            buffers = self._buffers
            self._reset()
            return body, buffers
        if self._buffers:
            buffers = self._buffers
            self._buffers = []
            self._offset = 0
            return body, buffers
        return body, []

    def _default(self, value: object) -> object:
        """The extension type for a value that msgpack does not know, or that it would change."""
        cls = type(value)
        encoder = extensions.ENCODERS.get(cls) or extensions.learn(cls, value)
        code, data = encoder(value, self)
        return _new_tuple(ExtType, (code, data))

    def nested(self, value: object) -> bytes:
        """``value`` as bytes inside an extension; for the encoders of extension types."""
        depth = self._depth = self._depth + 1
        if depth > MAX_NESTING:
            raise RefusedError(f"more than {MAX_NESTING} tuples, sets or the like inside one another (or a cycle)")
        packs = self._packs
        if depth == len(packs):
            packs.append(packer(self._default, _NESTED_BUFFER))
        data = packs[depth](value)
        self._depth = depth - 1
        return data

    def beside(self, data: Buffer, size: int) -> int | None:
        """Take ``size`` bytes of ``data`` as an out-of-band buffer: its offset, or None if it belongs into the body."""
        if self._threshold is None or size < self._threshold:
            return None
        gap = -self._offset % extensions.ALIGNMENT
        if gap:
            self._buffers.append(bytes(gap))
        offset = self._offset + gap
        self._buffers.append(data)
        self._offset = offset + size
        return offset


def encode(value: object) -> bytes:
    """``value`` as one piece, arrays included.

    :raises EncodeError: as :meth:`Encoder.encode` does.
    """
    return Encoder(out_of_band=None).encode(value)[0]


_hook = extensions.Hook(0, memoryview(b""))


def decode(body: Buffer, buffers: Buffer = b"") -> Any:
    """The value that an :class:`Encoder` made ``body`` and ``buffers`` of.

    Arrays beside the body are views of ``buffers`` where that can be written to, else of a copy: writable either way.
    Of what a map or set holds, 256 keys or members may have the same hash.

    :raises DecodeError: these bytes are no value; nothing else is raised, whatever they are.
    """
    hook = _hook
    try:
        if buffers:
            view = memoryview(buffers)
            hook = extensions.Hook(0, memoryview(bytearray(view)) if view.readonly else view)
        return unpackb(body, strict_map_key=False, max_map_len=MOST_KEYS, ext_hook=hook)
    except DecodeError:
        raise
    except Exception as error:
        if not exceeded(error):
            raise DecodeError(f"{type(error).__name__}: {error}") from error
    from .large import decode_large

    try:
        return decode_large(body, hook.buffers)
    except DecodeError:
        raise
    except Exception as error:
        raise DecodeError(f"{type(error).__name__}: {error}") from error
