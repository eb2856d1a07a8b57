"""All results of a run, in one list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slither_actors.errors import DispatchError
from slither_actors.item import Item
from slither_actors.runs.output.blocking_driver import drive
from slither_actors.runs.output.consumer import Consumer


def gather(consumer: Consumer) -> list[Item]:
    """Drive a run to its end, blocking this thread.

    Raises:
        DispatchError: the run failed; all results there were are in its ``partial_results``.
    """
    with _gathering(consumer) as results:
        for piece in drive(consumer):
            results += piece
            consumer.run.ledger.emitted += len(piece)
    return results


async def agather(consumer: Consumer) -> list[Item]:
    """Drive a run to its end, awaiting in the running event loop.

    Raises:
        DispatchError: as in `gather`.
    """
    # asyncio is imported on first use: that alone takes some 50 ms, which a command-line program would pay for nothing.
    from slither_actors.runs.output.asyncio_driver import AsyncioDriver

    drive = AsyncioDriver(consumer)
    try:
        with _gathering(consumer) as results:
            while (piece := await drive.next()) is not None:
                results += piece
                consumer.run.ledger.emitted += len(piece)
    except GeneratorExit:
        raise  # destroyed, as its loop is gone: nothing may be awaited any more
    except BaseException:
        await drive.aclose()
        raise
    await drive.aclose()
    return results


@contextmanager
def _gathering(consumer: Consumer) -> Iterator[list[Item]]:
    """Give a list for all results of a run; if it fails, they are put into its error."""
    results: list[Item] = []
    try:
        yield results
    except DispatchError as error:
        error.partial_results[:0] = results
        raise
    finally:
        consumer.close()
