"""Replies that cannot be decoded here: the items concerned fail by the policy, without another attempt.

It shows in the consumer's thread, when the Collector has counted the batch as done, and perhaps the run as ended: so
the batch cannot be executed again. The function would give the same result once more, anyhow: numpy is missing here, or
the value is beyond the bounds of decoding. What is known by item fails by item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slither_actors.errors import ProtocolError, UnexpectedResponse
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.item import Item
from slither_actors.policies import Retry, Route, Skip
from slither_actors.runs.batch import Batch
from slither_actors.runs.routing import ask_route
from slither_actors.runs.run import Run
from slither_actors.wire.codec import DecodeError, decode
from slither_actors.wire.header import Frame
from slither_actors.wire.missing_modules import remedy
from slither_actors.wire.msgpack_settings import elements
from slither_actors.wording import shown
from supervisors.runtime.interrupts import raised_by_handler


class Unreadable(Exception):
    """A reply cannot be decoded, and the policy is to halt.

    Args:
        reason: for the run's error.
        batch: that it answers.
    """

    def __init__(self, reason: Exception, batch: Batch) -> None:
        super().__init__(reason, batch)
        self.reason = reason
        self.batch = batch


def resolve(
    run: Run, batch: Batch, entries: list[Any], positions: Sequence[int], frame: Frame, error: Exception
) -> list[Item]:
    """Return the Items for a reply that cannot be decoded as a whole: results where there are, else by the policy.

    Args:
        run: whose policy it is.
        batch: that was answered.
        entries: its items, or payloads, that the reply has results for.
        positions: of these.
        frame: the reply.
        error: what decoding it raised.

    Raises:
        Unreadable: the policy is to halt.
        BaseException: what a route function raises; it has been recorded as the cause.
    """
    items = list(map(Item, positions, entries)) if batch.bare else entries
    results = _one_by_one(run.options.executor, items, frame, error)
    bad = [result for result in results if isinstance(result, _Bad)]
    run.ledger.unread_failed += len(bad)
    policy: Any = run.options.on_error
    if isinstance(policy, Retry):
        policy = policy.last
    if not isinstance(policy, (Skip, Route)):
        raise Unreadable(bad[0].error, batch) from error
    out: list[Item] = []
    for item, result in zip(items, results, strict=True):
        if not isinstance(result, _Bad):
            out.append(Item(item.id, result, item.meta, item.route))
        elif isinstance(policy, Skip):
            run.ledger.unread_skipped += 1
            out.append(item.put_meta(error=result.error, skipped=True))
        else:
            out.append(ask_route(run, policy, batch, item, result.error))
            run.ledger.unread_routed += 1
    return out


class _Bad:
    """In the place of a result that cannot be decoded."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def _one_by_one(executor: Any, items: list[Item], frame: Frame, error: Exception) -> list[Any]:
    """Each item's result or why there is none; all have failed where it cannot be known which."""
    key = "items" if type(executor) is Snakepit else None
    if isinstance(error, DecodeError) and type(executor) in (SnakeBridge, Snakepit):
        try:
            parts = elements(frame.body, key)
        except Exception as failure:  # it is no list of results at all
            if raised_by_handler(failure):
                raise
            parts = []
        if len(parts) == len(items):
            results = [_decoded(item, part, frame) for item, part in zip(items, parts, strict=True)]
            if any(isinstance(result, _Bad) for result in results):
                return results
    if not isinstance(error, ProtocolError):
        error = undecodable("the reply", error)
    return [_Bad(error)] * len(items)


def _decoded(item: Item, part: Any, frame: Frame) -> Any:
    try:
        return decode(part, frame.buffers)
    except DecodeError as error:
        return _Bad(undecodable(f"the result for item {shown(item.id)}", error))


def undecodable(what: str, cause: Exception) -> UnexpectedResponse:
    """Return the error for what a worker sent and this process cannot decode."""
    error = UnexpectedResponse(f"{what} cannot be decoded in this process: {cause}{remedy(cause, 'return')}")
    error.__cause__ = cause
    _let_go(cause)
    return error


def _let_go(error: BaseException | None) -> None:
    """Drop the tracebacks of an error and its causes: their frames hold the run, and items keep the error."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        error = pending.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            error.__traceback__ = None
            pending += (error.__cause__, error.__context__)
