"""Items that have no form on the wire, taken out of their batch: they fail alone, and their siblings are sent."""

from __future__ import annotations

from collections.abc import Mapping

from slither_actors.errors import PayloadError
from slither_actors.runs.batch import Batch
from slither_actors.runs.run import Run


def take_out(run: Run, batch: Batch, errors: Mapping[int, PayloadError]) -> list[Batch]:
    """Leave a batch its good items, and make one of each bad item, which has its error.

    A batch of bad items only is left the first of them.

    Args:
        run: whose batch it is; what is made is entered where the run looks for what is on its way.
        batch: unknown to the Collector yet, so no other role reads it.
        errors: by the item's index in the batch; at least one.
    """
    left = [index for index in range(batch.count) if index not in errors]
    alone = [*errors] if left else [*errors][1:]
    parts = []
    for index in alone:
        part = batch.subset([index], run.next_ref())
        part.attempt = batch.attempt
        part.avoid = batch.avoid
        part.error = errors[index]
        run.undelivered[part.ref] = part
        parts.append(part)
    # Last, so that at no moment an item is in none of them.
    rest = batch.subset(left or [*errors][:1], batch.ref)
    batch.positions, batch.entries, batch.count = rest.positions, rest.entries, rest.count
    return parts
