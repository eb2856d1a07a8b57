"""What a run and a batch may be given: checked at the call, with the remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.runs.output.consumer import Source

BATCHING_OPTIONS = ("strategy", "batch_size", "linger", "prefetch", "max_in_flight")


def check_source(items: Source, asynchronous: bool) -> None:
    """Refuse a source that cannot be iterated, or only asynchronously where that is not possible, with the remedy."""
    kind = type(items)
    if hasattr(kind, "__iter__") or hasattr(kind, "__getitem__"):
        return
    if not hasattr(kind, "__aiter__"):
        remedy = ""
        if hasattr(kind, "__await__"):
            remedy = "; await it, and give what comes of it"
        elif hasattr(items, "__code__"):
            remedy = "; call it, and give what it returns"
        elif hasattr(kind, "execute"):
            remedy = "; give the rows of a query"
        raise OptionTypeError(f"items must be iterable, {kind.__name__} is not{remedy}", "items")
    if not asynchronous:
        message = f"items must be iterable, {kind.__name__} is only asynchronously: use arun or astream"
        raise OptionTypeError(message, "items")


def as_it_is(batch: Sequence[Any], options: Mapping[str, object], call: str) -> dict[str, object]:
    """Return the options of a run with this one batch."""
    if not isinstance(batch, (list, tuple)):
        kind = type(batch)
        remedy = f"; give list() of it, or use {'arun' if call == 'acall_batch' else 'run'}, which makes batches"
        if not hasattr(kind, "__iter__"):
            remedy = "; arun takes it, and makes batches" if hasattr(kind, "__aiter__") else ""
        raise OptionTypeError(f"{call} takes a list or tuple of items, not {kind.__name__}{remedy}", "batch")
    others = "arun or astream" if call == "acall_batch" else "run or stream"
    for name in BATCHING_OPTIONS:
        if name in options:
            raise OptionError(
                f"{call} sends the batch as it is: {name!r} has no meaning here; use {others} for it",
                name,
            )
    return {**options, "batch_size": max(1, len(batch)), "max_in_flight": 1}
