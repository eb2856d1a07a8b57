"""Which parts of an arena are in use: whole pages, the lowest that fit, so that the same few are used again. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PAGE: Final = 4096
"""Everything begins at a multiple of this, so that no two parts share a page or a cache line."""


class Extents:
    """The free parts of an arena of so many bytes. Not thread-safe.

    Args:
        size: of the arena; what does not make a whole page is left over.
    """

    __slots__ = ("_free", "size", "used")

    def __init__(self, size: int) -> None:
        self.size = size // PAGE * PAGE
        self.used = 0
        self._free: list[tuple[int, int]] = [(0, self.size)] if self.size else []  # (offset, size), by offset

    def free(self) -> list[tuple[int, int]]:
        """Return the parts (offset, size) that are not in use, by offset."""
        return self._free.copy()

    def take(self, size: int) -> int | None:
        """Take ``size`` bytes into use and return their offset; None if there is no place for them."""
        size = rounded(size)
        for index, (offset, room) in enumerate(self._free):
            if room >= size:
                if room == size:
                    del self._free[index]
                else:
                    self._free[index] = (offset + size, room - size)
                self.used += size
                return offset
        return None

    def give(self, offset: int, size: int) -> None:
        """Give back the part at ``offset``, taken with this ``size``.

        Raises:
            ValueError: it is not in use, or not all of it.
        """
        size = rounded(size)
        free = self._free
        low, high = 0, len(free)
        while low < high:
            middle = (low + high) // 2
            if free[middle][0] < offset:
                low = middle + 1
            else:
                high = middle
        end = offset + size
        before = free[low - 1] if low else None
        after = free[low] if low < len(free) else None
        if (
            offset < 0
            or offset % PAGE
            or end > self.size
            or (before is not None and sum(before) > offset)
            or (after is not None and after[0] < end)
        ):
            raise ValueError(f"{size} bytes at {offset} are not in use")
        self.used -= size
        start = offset
        if after is not None and after[0] == end:
            end = sum(after)
            del free[low]
        if before is not None and sum(before) == offset:
            start = before[0]
            low -= 1
            del free[low]
        free.insert(low, (start, end - start))


def rounded(size: int) -> int:
    """``size`` in whole pages, one at least."""
    return -(-max(size, 1) // PAGE) * PAGE
