"""Values to bytes: msgpack, with extension types where msgpack alone would change a value's type.

The way back is in :mod:`.decoding`; its functions can be had here, too.
"""

from __future__ import annotations

from operator import itemgetter

from . import extensions
from .c_stack import room
from .decoding import decode, decode_each
from .extension_codes import ALIGNMENT, MAX_NESTING, DecodeError, EncodeError, RefusedError
from .msgpack_settings import ExtType, packer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from .header import Buffer

__all__ = ["DecodeError", "EncodeError", "Encoder", "decode", "decode_each", "encode"]

OUT_OF_BAND: Final = 64 * 1024
"""Arrays and bytes of this size and more travel beside the body, uncopied; below it a copy costs less than the
bookkeeping."""

# A packer keeps the buffer of the largest value it ever packed: beyond this it is thrown away after use.
_KEEP: Final = 4 * 1024 * 1024
_PACKER_BUFFER: Final = 64 * 1024
_NESTED_BUFFER: Final = 4 * 1024

# Bytes of a body that make it worth to look for large bytes inside the next values, how many of these are searched in
# vain, and how deep.
_LARGE_BODY: Final = 2 * OUT_OF_BAND
_HUNTS: Final = 2
_LIFT_LEVELS: Final = 3
_BYTES: Final = frozenset({bytes, bytearray})

_new_tuple = tuple.__new__
_first: Final = itemgetter(0)


class Encoder:
    """Encodes values, one after the other; for use by one thread.

    What comes out of :func:`decode` is equal and of the same type, but for bytearray and memoryview, which come out as
    bytes. ``msgpack.ExtType`` with the codes 64 to 127 is ours, with 0 to 63 it is the caller's.

    Args:
        out_of_band: arrays and bytes of at least so many bytes go beside the body; None: all go into it.
    """

    __slots__ = ("_buffers", "_depth", "_fruitless", "_hunts", "_offset", "_pack", "_packs", "_threshold", "copied")

    def __init__(self, out_of_band: int | None = OUT_OF_BAND) -> None:
        self._threshold = out_of_band
        self._hunts = 0  # values that are searched for large bytes before that is given up
        self._fruitless = False
        self.copied = True
        """Of the value encoded last: whether its buffers are bytes, which the receiver has to copy out of them. (Into
        arrays it only looks, so that these should be in memory of its own.)"""
        self._reset()

    def _reset(self) -> None:
        self._pack = packer(self._default, _PACKER_BUFFER)
        self._packs = [self._pack]  # by depth of nesting: a packer cannot begin a value inside another
        self._depth = 0
        self._buffers: list[Buffer] = []
        self._offset = 0

    def close(self) -> None:
        """Break the reference cycle with the packers, which would keep 64 KiB until a collection."""
        self._packs.clear()
        self._pack = _closed

    def encode(self, value: object) -> tuple[bytes, list[Buffer]]:
        """Return the body and out-of-band buffers for ``value``. They are views: leave the arrays alone until sent.

        Raises:
            EncodeError: something in the value has no form on the wire; says what and where.
        """
        original = value
        self.copied = True
        batch = value if type(value) is list else _items(value)
        # A batch (or a command's map of one) of large bytes is known by the first of them.
        if self._hunts or (batch and type(batch[0]) in _BYTES and self._is_large(batch[0])):
            value = self._lifted(value, _LIFT_LEVELS)
        try:
            if not room.unchecked:
                _check_depth(value)
            body = self._pack(value)
        except Exception as error:
            self._reset()
            body = self._packed_again(original, value, error)
        except BaseException:  # an interrupt in mid-value: the next value must not begin at its depth
            self._reset()
            raise
        if len(body) > _LARGE_BODY or self._hunts:
            self._reconsider(len(body))
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

    def encode_each(self, batches: Sequence[list[Any]]) -> list[bytes] | None:
        """Encode several batches, none of them empty, in one go: in less time than by :meth:`encode` if they are small.

        Returns:
            Their bodies. None: they are not all of that kind, or one cannot be encoded. They are to be encoded one by
            one, then, and those that come after them, too: for large ones this would be done twice.
        """
        if self._hunts or not room.unchecked or not _BYTES.isdisjoint(map(type, map(_first, batches))):
            return None
        try:
            bodies = list(map(self._pack, batches))
        except Exception as error:
            from .handlers import raised_by_handler

            self._reset()
            if raised_by_handler(error):
                raise
            return None
        except BaseException:
            self._reset()
            raise
        if self._buffers or max(map(len, bodies)) > _LARGE_BODY:
            self._reset()
            return None
        return bodies

    def _packed_again(self, original: object, value: object, error: Exception) -> bytes:
        """Encode again after a first attempt has failed: only text with lone surrogates has another way."""
        from .encode_errors import explain
        from .handlers import raised_by_handler

        if raised_by_handler(error):
            raise error
        if type(error) is UnicodeEncodeError:
            try:
                return self._pack(extensions.with_surrogates(value))
            except Exception as second:
                self._reset()
                if raised_by_handler(second):
                    raise
                error = second
            except BaseException:
                self._reset()
                raise
        raise explain(original, error, Encoder(out_of_band=None).try_to_pack) from error

    def try_to_pack(self, value: object) -> None:
        """Encode a value for nothing but the error that it may raise."""
        try:
            self._pack(value)
        except Exception:
            self._reset()
            raise

    def _is_large(self, data: Any) -> bool:
        return self._threshold is not None and len(data) >= self._threshold

    def _lifted(self, value: Any, levels: int) -> Any:
        """``value`` with its large bytes marked to go beside the body; those in lists and maps, some levels deep."""
        kind = type(value)
        if kind in _BYTES:
            return extensions.Beside(value) if self._is_large(value) else value
        if levels:
            if kind is list:
                return [self._lifted(item, levels - 1) for item in value]
            if kind is dict:
                return {key: self._lifted(item, levels - 1) for key, item in value.items()}
        return value

    def _reconsider(self, size: int) -> None:
        """After a large body the next values are searched for large bytes, unless some searches found none."""
        if self._buffers:
            self._hunts = _HUNTS
        elif self._hunts:
            self._hunts -= 1
            self._fruitless = self._hunts == 0
        elif size > _LARGE_BODY and self._threshold is not None and not self._fruitless:
            self._hunts = _HUNTS

    def _default(self, value: object) -> object:
        """Return the extension type for a value that msgpack does not know, or would change."""
        cls = type(value)
        encoder = extensions.ENCODERS.get(cls) or extensions.learn(cls, value)
        code, data = encoder(value, self)
        return _new_tuple(ExtType, (code, data))

    def nested(self, value: object) -> bytes:
        """``value`` as bytes inside an extension; for the encoders of extension types."""
        depth = self._depth = self._depth + 1
        if depth > MAX_NESTING:
            raise RefusedError(f"more than {MAX_NESTING} tuples, sets or the like inside one another (or a cycle)")
        if depth == room.unchecked:
            _check_depth(value)
        packs = self._packs
        if depth == len(packs):
            packs.append(packer(self._default, _NESTED_BUFFER))
        data = packs[depth](value)
        self._depth = depth - 1
        return data

    def beside(self, data: Buffer, size: int, copied: bool = False) -> int | None:
        """Take ``size`` bytes of ``data`` as an out-of-band buffer: its offset, or None if it belongs into the body."""
        if self._threshold is None or size < self._threshold:
            return None
        self.copied = self.copied and copied
        gap = -self._offset % ALIGNMENT
        if gap:
            self._buffers.append(bytes(gap))
        offset = self._offset + gap
        self._buffers.append(data)
        self._offset = offset + size
        return offset


def _items(value: object) -> list[Any] | None:
    """Return the batch in a command's map of one."""
    items = value.get("items") if type(value) is dict else None
    return items if type(items) is list else None


def _check_depth(value: object) -> None:
    """Refuse what would end the process by a stack overflow.

    Raises:
        RefusedError: it is nested too deep.
    """
    if room.lacks(value):
        raise RefusedError(
            f"nested too deep for the C stack of this thread, {room.size} bytes (or a cycle); send flatter data, or "
            f"use a thread with a larger one: threading.stack_size"
        )


def _closed(value: object) -> bytes:
    raise RuntimeError("this encoder was closed")


def encode(value: object) -> bytes:
    """``value`` as one piece, arrays included.

    Raises:
        EncodeError: as :meth:`Encoder.encode` does.
    """
    encoder = Encoder(out_of_band=None)
    try:
        return encoder.encode(value)[0]
    finally:
        encoder.close()
