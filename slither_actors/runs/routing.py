"""Asking a `Route` function where a failed item goes."""

from __future__ import annotations

from slither_actors.errors import WorkerError
from slither_actors.item import Item
from slither_actors.policies import Route
from slither_actors.runs.batch import Batch, describe
from slither_actors.runs.run import Run
from slither_actors.wording import shown


def ask_route(run: Run, route: Route, batch: Batch, item: Item, failure: Exception) -> Item:
    """Return the Item that comes out in the place of a failed one.

    Args:
        run: where an error of the function is recorded: `Ending.blame`.
        route: whose function is asked.
        batch: that failed, or has an item that did.
        item: of it.
        failure: why.

    Raises:
        BaseException: what the function raises; TypeError if it gives no Item.
    """
    try:
        routed = route.fn(item, failure)
        if not isinstance(routed, Item):
            raise TypeError(f"the route function gave {shown(routed)} for item {shown(item.id)}, not an Item")
    except BaseException as raised:
        _say(run, raised, batch, item, failure)
        raise
    return routed


def _say(run: Run, raised: BaseException, batch: Batch, item: Item, failure: Exception) -> None:
    """Say for what it was called: its own error, which becomes the run's, hides the one it was given."""
    kind = type(failure).__name__
    if isinstance(failure, WorkerError):
        kind = f"{kind} ({failure.type.removeprefix('builtins.')})"
    called = f"for item {shown(item.id)}, called because of {kind} in {describe(batch)}"
    run.ending.blame(raised, f"the route function failed {called}")
    raised.add_note(f"raised by the route function, {called}")
    alone = raised.__cause__ is None and raised.__context__ is None
    if alone and raised is not failure and raised is not failure.__cause__:
        raised.__context__ = failure  # as if the function had been called by an `except` for it
