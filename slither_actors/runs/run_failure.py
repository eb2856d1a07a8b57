"""The error of a run that failed, with all that is known: what is done and not handed out, and what is not done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slither_actors.errors import DispatchError, WorkerError
from slither_actors.item import Item
from slither_actors.runs.batch import Batch, describe
from slither_actors.runs.error_policy import END_OF_RUN
from slither_actors.runs.messages import Delivery, Finished, Results
from slither_actors.runs.output.unpack import Unpack
from slither_actors.runs.run import Run
from supervisors.runtime.interrupts import raised_by_handler


def run_failure(
    run: Run,
    finished: Finished,
    error: BaseException,
    *,
    leftover: list[Any],
    held: dict[int, Item],
    late: Iterable[Delivery],
    unpack: Unpack,
) -> DispatchError:
    """Return the error to raise.

    Args:
        run: which failed.
        finished: the Collector's last word.
        error: the cause.
        leftover: ids of what was pulled and is in no batch. To be looked up before this is called: afterwards nothing
            moves any more from where is looked last to where was looked already.
        held: by position, items whose turn had not come.
        late: deliveries that came and were not unpacked any more.
        unpack: makes the Items of a delivery.
    """
    kept: list[tuple[int, Item]] = list(held.items())
    for delivery in [*late, *finished.held]:
        try:
            items = unpack(delivery)
        except BaseException as failure:  # the one that ended the run, or its like: its items are unfinished
            if raised_by_handler(failure):
                raise
            continue
        if type(delivery) is not Results:
            run.undelivered.pop(delivery.ref if isinstance(delivery, Batch) else delivery.batch.ref, None)
        kept.extend(zip(delivery.positions, items, strict=True))
    kept.sort(key=lambda pair: pair[0])
    limit = finished.limit
    partial = [item for position, item in kept if limit is None or position < limit]
    lost = [(position, item.id) for position, item in kept if limit is not None and position >= limit]
    done = {position for position, _ in kept}
    for batch in list(run.undelivered.values()):
        pairs = zip(batch.positions, batch.ids(), strict=True)
        lost.extend((position, item_id) for position, item_id in pairs if position not in done)
    lost.sort(key=lambda pair: pair[0])
    failed = "the run failed" if finished.batch is None else f"{describe(finished.batch)} failed"
    failed = run.ending.blamed(error) or failed
    return failure_of(error, failed, finished.batch, partial, [item_id for _, item_id in lost] + leftover)


def not_started(error: Exception) -> DispatchError:
    """Return the error of a run of which nothing was pulled yet."""
    failure = DispatchError(
        f"the run could not start: {error}", reason=error, batch_ref=None, partial_results=[], unfinished=[]
    )
    failure.__cause__ = error
    return failure


def failure_of(
    error: BaseException, failed: str, batch: Batch | None, partial: list[Item], unfinished: list[Any]
) -> DispatchError:
    """Return the error of a run.

    Args:
        error: the cause.
        failed: what failed, as in "batch 3 (item 17) failed".
        batch: the batch that failed, if it was one.
        partial: results that were not handed out.
        unfinished: ids of the items without one.
    """
    try:
        text = str(error)
    except BaseException as unprintable:  # an exception that cannot be printed is still one
        if raised_by_handler(unprintable):
            raise
        text = "(it cannot be printed)"
    return DispatchError(
        f"{failed}: {type(error).__name__}{f': {text}' if text else ''}{_remedy(error)}",
        reason=error,
        batch_ref=batch.ref if batch is not None else None,
        partial_results=partial,
        unfinished=unfinished,
        failed=_failed_ids(error, batch),
    )


def _failed_ids(error: BaseException, batch: Batch | None) -> list[Any]:
    """Return the ids of the items that the error is about."""
    if batch is None or isinstance(error, END_OF_RUN):
        return []
    # Of several that failed alone, each has an error of its own, and the run ends with the first one's.
    return batch.ids()[:1] if isinstance(error, WorkerError) and error.alone else batch.ids()


def _remedy(error: BaseException) -> str:
    """Return what to do about an error whose own text does not say how it came about."""
    if type(error).__module__ == "sqlite3" and type(error).__name__ == "ProgrammingError" and "thread" in str(error):
        return (
            " A lazy source is pulled by a thread of the run: give the rows themselves, cursor.fetchall(), or connect "
            "with check_same_thread=False"
        )
    return ""
