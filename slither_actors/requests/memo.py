"""Requesters by the options of calls, so that options are parsed once and not at each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, NoneType
from typing import Any

from slither_actors.requests.requester import Requester

MOST = 256
"""Sets of options that are remembered."""

_PLAIN = frozenset({str, int, bool, float, NoneType, FunctionType, BuiltinFunctionType, type})
"""Types of options that stay what they are, and that are equal only if they mean the same."""


class Memo:
    """Requesters by the options that they were made of.

    Args:
        make: returns the Requester for options; None if no request can be made with them.
    """

    def __init__(self, make: Callable[[Mapping[str, object]], Requester | None]) -> None:
        self._make = make
        self._known: dict[Any, Requester | None] = {}

    def find(self, options: Mapping[str, object]) -> Requester | None:
        """Return the Requester for the options of a call; None if it has to be a run."""
        values = tuple(options.values())
        kinds = tuple(map(type, values))
        key = (*options, values, kinds)  # 1, 1.0 and True are equal, and not the same option
        try:
            return self._known[key]
        except KeyError:
            if not _PLAIN.issuperset(kinds):
                return None
        except TypeError:  # what cannot be hashed
            return None
        if len(self._known) >= MOST:
            self._known.clear()
        found = self._known[key] = self._make(options)
        return found
