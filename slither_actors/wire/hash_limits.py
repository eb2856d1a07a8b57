"""How many keys of one hash a map may have. Loaded when the first large map comes.

Keys may be made to share one hash, so that the n-th insertion compares n times.
"""

from __future__ import annotations

from .extension_codes import DecodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

MOST_ALIKE: Final = 256
"""Keys or members of one hash that a map or set may have. Numbers that people have share theirs with one other, if any;
256 of the slowest to compare (those whose ``__eq__`` is Python) take 2 ms."""


def check_hashes(values: list[Any]) -> None:
    """Refuse values too many of which have one hash.

    Raises:
        DecodeError: more than :data:`MOST_ALIKE` of them do.
        TypeError: one has none.
    """
    distinct = set(map(hash, values))
    if len(values) - len(distinct) < MOST_ALIKE:
        return
    counts = dict.fromkeys(distinct, 0)
    for each in map(hash, values):
        counts[each] += 1
    if max(counts.values()) > MOST_ALIKE:
        raise DecodeError(f"more than {MOST_ALIKE} keys of a map, or members of a set, have one hash")
