"""The memory that large frames are read into, and what is kept of it for the next ones."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap
    from typing import Any, Final

# Memory that a mere announcement may cost. Larger frames are mapped: pages that nothing has come for cost nothing, and
# nothing is copied while the frame grows, which would hold up the thread that reads for all the others.
AHEAD: Final = 16 * 1024 * 1024
# Large frames whose memory is kept for the next ones: some are being unpacked while others come.
SPARES: Final = 4


def _memory(size: int) -> bytearray | mmap:
    """Memory for the sections of a large frame, all zero.

    Raises:
        MemoryError: the system has not so much.
    """
    if size <= AHEAD:
        return bytearray(size)
    from mmap import mmap

    try:
        return mmap(-1, size)
    except (OSError, ValueError, OverflowError) as error:
        raise MemoryError(str(error)) from error


class Spares:
    """Memory of earlier large frames, to be used again once nothing looks into it any more.

    Fresh memory has to be zeroed and mapped by the kernel page by page, which takes longer than reading into it.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[bytearray | mmap] = []

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, size: int) -> bytearray | mmap:
        """Memory of at least ``size`` bytes, whose content is of no interest.

        Raises:
            MemoryError: the system has not so much.
        """
        if size > AHEAD:
            return _memory(size)
        kept = self._kept
        for spare in kept:
            # What a frame gives out are views, each of which refers to the memory.
            if size <= len(spare) <= 2 * size and sys.getrefcount(spare) == _UNUSED:
                return spare
        made = _memory(size)
        if len(kept) == SPARES:
            kept.pop(0)
        kept.append(made)
        return made

    def clear(self) -> None:
        """Keep none."""
        self._kept.clear()


def _references(kept: list[Any]) -> int:
    """How many references an entry has that only this list, a loop and an argument have: not the same everywhere."""
    for spare in kept:
        return sys.getrefcount(spare)
    return 0


def _unused() -> int:
    """Return the reference count of a spare without views; -1 where the count does not show that."""
    kept = [bytearray(1)]
    alone = _references(kept)
    view = memoryview(kept[0])
    told = _references(kept) > alone
    view.release()
    return alone if told else -1


_UNUSED: Final = _unused()
