"""Items that have no form on the wire, taken out of their batches: they fail alone, and their siblings are sent."""

from __future__ import annotations

from collections.abc import Iterable

from slither_actors.errors import PayloadError
from slither_actors.pipeline.batch import Batch
from slither_actors.pipeline.run import Run


class BadItems(Exception):
    """The `error` of a batch between encoder and Batcher: some of its items are known to be at fault.

    Args:
        errors: by the item's index in the batch.
    """

    def __init__(self, errors: dict[int, PayloadError]) -> None:
        super().__init__(errors)
        self.errors = errors


def take_apart(run: Run, batches: Iterable[Batch]) -> tuple[list[Batch], list[Batch]]:
    """Replace each batch with bad items by one of its good items and one for each bad item, which has its error.

    Args:
        run: whose batches they are; what is made is entered where it looks for what is on its way.
        batches: with the errors that the encoder has left.

    Returns:
        All batches, in order; and those among them that are not encoded yet.
    """
    all_of_them: list[Batch] = []
    good: list[Batch] = []
    for batch in batches:
        error = batch.error
        if type(error) is not BadItems:
            all_of_them.append(batch)
            continue
        parts: list[Batch] = []
        rest = [index for index in range(batch.count) if index not in error.errors]
        if rest:
            parts.append(batch.subset(rest, run.next_ref()))
            good.append(parts[0])
        for index, its_error in error.errors.items():
            part = batch.subset([index], run.next_ref())
            part.error = its_error
            parts.append(part)
        for part in parts:
            part.attempt = batch.attempt
            part.avoid = batch.avoid
            run.undelivered[part.ref] = part
        run.undelivered.pop(batch.ref, None)  # last, so that at no moment an item is in none
        all_of_them += parts
    return all_of_them, good
