"""The requests of one System: who makes them, and the ways back to their callers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.requests.futures import FutureReplyTo
from slither_actors.requests.lanes import Lanes
from slither_actors.requests.reply_to import EventLoops, ThreadReplyTo
from slither_actors.requests.requester import Requester
from slither_actors.run_options import RunOptions
from slither_actors.runs.live_runs import LiveRuns
from slither_actors.runs.opener import RunOpener
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.places import affinity_of
from slither_actors.strategies import FixedBatch
from supervisors import Scheduler


class RequestDesk:
    """Makes the Requesters of one System.

    Args:
        opener: of its runs.
    """

    def __init__(self, opener: RunOpener) -> None:
        self._opener = opener
        self._lanes = Lanes(opener)
        self._threads = ThreadReplyTo(opener.scheduler)
        self._loops = EventLoops(opener.scheduler)
        self._futures = FutureReplyTo(opener.scheduler)

    @property
    def scheduler(self) -> Scheduler:
        """The System's."""
        return self._opener.scheduler

    @property
    def live(self) -> LiveRuns:
        """The runs of the System."""
        return self._opener.live

    def requester(self, options: RunOptions, open_run: Callable[[list[Any]], Consumer]) -> Requester | None:
        """Return a Requester for these options; None if a run of one batch cannot be a request with them.

        Args:
            options: of each of its requests.
            open_run: opens a run of items with these options.

        Raises:
            UnknownPool: naming the known ones.
        """
        if not is_request(options, self._opener):
            return None
        return Requester(self._opener, options, self._lanes, self._threads, self._loops, self._futures, open_run)

    def close(self, timeout: float) -> None:
        """End what it has of its own, when the scheduler has ended. May be repeated.

        Args:
            timeout: seconds to wait.
        """
        self._futures.close(timeout)


def is_request(options: RunOptions, opener: RunOpener) -> bool:
    """Return whether a run of one batch with these options may be a request: no actor of its own has to keep anything.

    Raises:
        UnknownPool: naming the known ones.
    """
    if options.inline or type(options.executor) not in (SnakeBridge, Snakepit):
        return False
    if type(options.strategy) is not FixedBatch or options.max_in_flight_bytes is not None:
        return False
    return affinity_of(options, opener.spec_of(opener.link_of(options.pool))) == "none"
