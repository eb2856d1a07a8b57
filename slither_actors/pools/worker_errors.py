"""From what a worker says went wrong to the exception that the host raises."""

from __future__ import annotations

from slither_actors.errors import ProtocolError, UnexpectedResponse, WorkerError
from slither_actors.wire import messages as wire
from slither_actors.wire.frames import Frame


def worker_error(frame: Frame) -> Exception:
    """Return the exception behind a FAILURE frame: the user's as data, or a complaint about what the worker sent."""
    try:
        return failure_error(wire.Failure.from_body(frame.body))
    except ProtocolError as error:
        return error


def failure_error(failure: wire.Failure) -> Exception:
    """Return the exception that a failure map stands for."""
    if failure.kind == "unexpected":
        return UnexpectedResponse(failure.message)
    return WorkerError(failure.type, failure.message, failure.traceback, kind=failure.kind)


def item_errors(frame: Frame) -> tuple[list[int], list[Exception]]:
    """Of a REPLY or FAILURE that says which items failed alone: their indexes in the batch, and why.

    Raises:
        ProtocolError: the table is not what the header announces.
    """
    failures = wire.reply_failures(frame)
    errors = [failure_error(failure) for _, failure in failures]
    for error in errors:
        if isinstance(error, WorkerError):
            error.alone = True
    return [index for index, _ in failures], errors
