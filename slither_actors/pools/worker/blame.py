"""Which item of a batch is charged with its worker's death or timeout. Pure.

Blame is by position: the item at which the worker was, by its own word, is charged with one attempt. Those before it
were completed and those behind it had not begun, so they are executed again and charged with nothing. A crash that
comes late (memory that an earlier item has overwritten, a thread that it has left behind) is so blamed on a neighbour.

A worker can make its host charge a wrong item of its batch, and live as long as each item may take. It can do no more:
its word counts for the batch it is at alone, within that batch, and forwards only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from msgspec import Struct

if TYPE_CHECKING:
    from slither_actors.pools.assignment.job import Job
    from slither_actors.pools.hosts.base import Progress

MOST_SPARED: Final = 3
"""Deaths at no item of a batch (before the first, or behind the last) that it is spared: then it is charged as a whole,
as one that kills its worker while it is decoded would go on without end."""


class Charge(Struct, frozen=True):
    """What a death costs the batch that its worker was at.

    Args:
        index: of the item that is charged; None: no single one.
        spared: nothing is charged, the batch is redelivered as it is.
    """

    index: int | None = None
    spared: bool = False


WHOLE: Final = Charge()
SPARED: Final = Charge(spared=True)


def charge(count: int, index: int | None, *, each: bool, spared: int) -> Charge:
    """Decide what is charged.

    Args:
        count: items in the batch.
        index: where the worker was; `count`: all were done; None: it has not said.
        each: the worker says where it is before each item, so that its silence means that it was at none.
        spared: how often the batch was spared before.
    """
    if index is not None and 0 <= index < count:
        return Charge(index) if count > 1 else WHOLE
    if (each or index is not None) and spared < MOST_SPARED:
        return SPARED
    return WHOLE


@final
class Watch:
    """Where a worker is in the first batch of its pipe, as far as its word is believed."""

    __slots__ = ("_looked", "_request", "_stood", "_stood_at", "_stood_in", "index", "since", "tells")

    def __init__(self) -> None:
        self._request = 0
        self._looked = 0.0
        # The standstills of one batch: seconds in all, when the last one was seen, and of which request.
        self._stood = self._stood_at = 0.0
        self._stood_in = 0
        self.index: int | None = None
        """Of the item; the number of items: all are done; None: it has not said."""
        self.since = 0.0
        """When that item began, or the batch."""
        self.tells = False
        """Whether there is a way for the worker to say where it is."""

    def look(self, job: Job, told: Progress | None, now: float) -> None:
        """Take the worker's word on the batch that is first in its pipe.

        Only an index that grows is news. Its item began after the look before, whatever the worker says, and not later
        than now: so a deadline moves with each item once, and never behind what is known.

        Args:
            job: the first in the pipe.
            told: the worker's word; None: it cannot say.
            now: by the clock of `Job.began`.
        """
        if job.request_id != self._request:
            self._request = job.request_id
            self.index = None
            self.since = self._looked = job.began
        self.tells = told is not None
        if told is not None and told.request_id == job.request_id and self._is_news(told.index, job.count):
            self.index = told.index
            began = now - told.seconds
            if self._stood_in == job.request_id and began <= self._stood_at:
                began += self._stood  # its clock went on while nothing ran
            self.since = min(max(self._looked, began), now)
        self._looked = now

    def stood(self, job: Job, seconds: float, now: float) -> None:
        """Take a standstill out of the time that the first batch, and the item that it is at, have had.

        Args:
            job: the first in the pipe.
            seconds: how long it was.
            now: when it was seen, by the clock of `Job.began`.
        """
        if self._stood_in != job.request_id:
            self._stood_in, self._stood = job.request_id, 0.0
        self._stood += seconds
        self._stood_at = now
        job.began += seconds
        self.since += seconds
        self._looked += seconds

    def _is_news(self, index: int, count: int) -> bool:
        return (-1 if self.index is None else self.index) < index <= count

    def deadline(self, job: Job) -> float | None:
        """When the item at which the worker is has had its time; None: it has no bound, or is not known."""
        timeout = job.run_queue.timeout
        return None if timeout is None or self.index is None else self.since + timeout

    def is_over(self, job: Job, now: float) -> bool:
        """Whether the item at which the worker is has had its time."""
        at = self.deadline(job)
        return at is not None and at <= now and self.index != job.count

    def charge(self, job: Job) -> Charge:
        """Return what the worker's death at this look costs the batch."""
        each = self.tells and job.target is not None and job.target.each
        return charge(job.count, self.index, each=each, spared=job.spared)
