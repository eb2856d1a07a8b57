"""What the futures of a `PoolExecutor` fail with, beside what the function raised."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from pickle import PicklingError

from slither_actors.errors import SlitherError, WorkerCrashed

__all__ = ["CallCrashed", "InitializerFailed", "UnsendableError"]


class UnsendableError(SlitherError, TypeError, PicklingError):
    """A function, an argument or a result cannot travel between host and worker; the text says which, and the remedy.

    It is a PicklingError, too, as code written for `ProcessPoolExecutor` expects one.
    """


class CallCrashed(WorkerCrashed, BrokenProcessPool):
    """The worker died while it executed this call. Only this future fails: the executor goes on with another worker.

    It is a BrokenProcessPool, too, as code written for `ProcessPoolExecutor` expects one; nothing has to be built
    again, though.
    """

    @classmethod
    def of(cls, crash: WorkerCrashed) -> CallCrashed:
        """Return the same crash as an error of this class."""
        error = cls.__new__(cls, *crash.args)
        error.__dict__.update(crash.__dict__)
        return error


class InitializerFailed(SlitherError, BrokenProcessPool):
    """The workers of the executor cannot be started: its initializer raised, say; the cause says why."""
