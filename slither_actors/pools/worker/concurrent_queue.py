"""The requests in the pipe of a worker that executes several batches at a time, and which of them have begun. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, final

from slither_actors.errors import BatchTimeout, LoadError, WorkerCrashed
from slither_actors.pools.assignment.job import AtItem, Job
from slither_actors.pools.worker.blame import WHOLE, Charge
from slither_actors.pools.worker.load_request import LoadRequest
from slither_actors.pools.worker.request_queue import RequestQueue
from slither_actors.wire.header import ALONE, Frame, ProtocolError, pack_header

if TYPE_CHECKING:
    from slither_actors.pools.assignment.job import Outcome


MOST_DEATHS = 2
"""Deaths of workers that a batch may have been at beside others: so the third attempt of `Retry`, which is the last one
unless it says otherwise, is its own."""


class Charges(Charge, frozen=True):
    """What the end of a worker costs each of the batches that it was at.

    Args:
        index: items of all of them that were completed.
        spared: never; each batch has its own charge.
        each: by request id.
        overdue: the request for whose timeout the worker was killed; 0: it was not.
    """

    each: dict[int, Charge] = {}  # noqa: RUF012 (a Struct copies it)
    overdue: int = 0


@final
class ConcurrentQueue(RequestQueue):
    """What a worker was asked and has not answered, if it executes several batches at a time.

    It begins them in order, as soon as one of its places is free, and ends them in any. So those in execution are the
    first ones without an answer, as many as there are places. What is behind a load begins when that is answered. And
    a batch that was executed at `MOST_DEATHS` deaths of workers is executed alone: else one that kills its workers
    would use up the attempts of those that happen to be beside it.

    Args:
        concurrency: how many batches it executes at a time.
    """

    __slots__ = ("_concurrency",)

    def __init__(self, concurrency: int) -> None:
        super().__init__()
        self._concurrency = concurrency

    def begun(self) -> list[Job | LoadRequest]:
        """Return the requests in execution, as far as anyone can know, in order."""
        begun: list[Job | LoadRequest] = []
        for entry in islice(self._queue, self._concurrency):
            alone = isinstance(entry, Job) and entry.deaths >= MOST_DEATHS
            if alone and begun:
                break
            begun.append(entry)
            if alone or type(entry) is LoadRequest:
                break
        return begun

    def put(self, jobs: Iterable[Job]) -> list[Any]:
        """Add batches, as in `RequestQueue`, with a notice before each that is to be executed alone."""
        jobs = list(jobs)
        if all(job.deaths < MOST_DEATHS for job in jobs):
            return super().put(jobs)
        parts: list[Any] = []
        for job in jobs:
            behind = super().put([job])
            if job.deaths >= MOST_DEATHS:
                parts.append(pack_header(ALONE, job.request_id))
            parts += behind
        return parts

    @property
    def loading(self) -> LoadRequest | None:
        """The load in execution."""
        begun = self.begun()
        last = begun[-1] if begun else None
        return last if isinstance(last, LoadRequest) else None

    def cancel(self, job: Job) -> bool:
        """Note that the worker is asked to cancel a batch, as in `RequestQueue`."""
        if job in self.begun() and not (job.target is not None and job.target.each):
            return False
        return self._ask_to_cancel(job)

    def unwanted(self) -> bool:
        """Return whether nothing that is in execution is wanted any more, and its runs want it killed."""
        begun = self.begun()
        return bool(begun) and all(entry.unwanted() for entry in begun)

    def replies(self, frames: list[Frame]) -> list[Job]:
        """Return none: answers that come in any order are all for `answer`."""
        return []

    def close(self, request_ids: Collection[int]) -> list[Job]:
        """Drop what the worker does not begin any more.

        Args:
            request_ids: of those in execution, by the worker's word.

        Returns:
            The batches in execution, which will be answered.
        """
        kept = [job for job in self.jobs() if job.request_id in request_ids][: self._concurrency]
        self._queue.clear()
        self._queue.extend(kept)
        return kept

    def died(self, error: Exception, charge: Charge = WHOLE) -> list[tuple[Job, Outcome]]:
        """Clear the queue of a dead worker. Returns what that ends; what is not named is to be redelivered as it is.

        Args:
            error: why it died.
            charge: what that costs the batches in execution.

        Returns:
            Those in execution, each with the error; where that is of one of them alone, or of a load, the others have
            a `WorkerCrashed` with it as the cause. After a death in a load, batches of its function, as in
            `RequestQueue`; but a crash beside other batches is theirs.
        """
        load = self.loading
        waiting = [job for job in self.jobs() if load is not None and job.target is load.target]
        ended = self.spare_load(error, charge)
        if load is not None:
            behind = waiting if isinstance(error, LoadError) else waiting[: not ended]
            ended += [(job, error) for job in behind]
        return ended

    def spare_load(self, error: Exception, charge: Charge) -> list[tuple[Job, Outcome]]:
        """Clear the queue of a dead worker, and end only what it was executing: of a load nothing is known."""
        begun = [entry for entry in self.begun() if isinstance(entry, Job)]
        self.clear()
        charges = charge if isinstance(charge, Charges) else Charges()
        ended: list[tuple[Job, Outcome]] = []
        for job in begun:
            its = charges.each.get(job.request_id, WHOLE)
            if its.spared:
                job.spared += 1
                continue
            job.deaths += 1
            why = error if job.request_id == charges.overdue else _seen_from_beside(error)
            ended.append((job, why if its.index is None else AtItem(its.index, why)))
        return ended

    def _asked(self, frame: Frame) -> Job | LoadRequest:
        for entry in self.begun():
            if entry.request_id == frame.request_id:
                return entry
        raise ProtocolError("unasked", f"an answer to request {frame.request_id}, which has not begun")


def _seen_from_beside(error: Exception) -> Exception:
    """Return the error of a batch in execution when its worker ended for something that may not be its doing."""
    if isinstance(error, LoadError) and isinstance(error.reason, WorkerCrashed):
        return error.reason
    if not isinstance(error, (BatchTimeout, LoadError)):
        return error
    made = WorkerCrashed()
    made.__cause__ = error
    made.add_note(
        "The worker was killed for something else that it executed at the same time: "
        f"{str(error).partition(chr(10))[0]}"
    )
    return made
