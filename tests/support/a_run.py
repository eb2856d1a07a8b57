"""A run without a System: its batches are made, answered and delivered by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slither_actors.option_parsing import parse_options
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.runs.batch import Batch
from slither_actors.runs.run import Run
from slither_actors.wire.codec import encode
from slither_actors.wire.header import FAILURE, REPLY, Frame
from slither_actors.wire.messages import Failure, reply_side
from supervisors.testing import ManualScheduler


class Recorder:
    """A reference that keeps what it is sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.alive = True

    def tell(self, message: Any) -> None:
        """Keep a message."""
        self.messages.append(message)

    def is_alive(self) -> bool:
        """Return what the test says."""
        return self.alive

    def take(self) -> list[Any]:
        """Return what has come since the last time."""
        taken, self.messages = self.messages, []
        return taken


class FakeRole:
    """A Producer or a Batcher that keeps its messages, and counts how often it was woken."""

    def __init__(self) -> None:
        self.inbox_ref = Recorder()
        self.ended = False
        self.wakes = 0

    def wake(self) -> None:
        """Count."""
        self.wakes += 1

    def stuck_in(self) -> None:
        """Have no thread."""

    def leftover(self) -> list[Any]:
        """Return what it leaves behind."""
        return ["left"]

    def monitored_by(self, watcher: object) -> None:
        """Report its end itself."""


def a_run(scheduler: ManualScheduler | None = None, **options: Any) -> Run:
    """Return a run of a function of one argument, which has not started."""
    given = {"module": "m", "function": "f", **options}
    if "executor" in options or "command" in options:
        given = options
    parsed = parse_options(given)
    parsed.settle(2)
    return Run(parsed, scheduler)  # type: ignore[arg-type]  # what needs no scheduler gets none


def a_queue(**options: Any) -> RunQueue:
    """Return a run's place in a pool."""
    return RunQueue(**{"max_in_flight": 2, "ahead": True, "timeout": None, **options})


def started(run: Run) -> Recorder:
    """Start a run with a Collector that only keeps its messages."""
    collector = Recorder()
    run.start(a_queue(), collector)
    return collector


def a_batch(run: Run, positions: Sequence[int], **fields: Any) -> Batch:
    """Return a batch of bare payloads, ten times their positions, entered as the Batcher does."""
    entries = [10 * position for position in positions]
    number = run.next_ref()
    fields = {"positions": positions, "entries": entries, "bare": True, **fields}
    batch = run.undelivered[number] = Batch(a_queue(), number, len(entries), **fields)
    run.ledger.batched += len(entries)
    return batch


def a_reply(values: Sequence[Any], failed: dict[int, str] | None = None) -> Frame:
    """Return the reply of a worker: results, and the messages of the items that failed, by index."""
    failures = {index: Failure("user", "builtins.ValueError", text) for index, text in (failed or {}).items()}
    side = reply_side(sorted(failures), [failures[index] for index in sorted(failures)])
    return Frame(REPLY, 0, 1, 1, len(values), len(failures), side, encode(list(values)))


def a_failure(text: str = "no") -> Frame:
    """Return a worker's frame for a batch that failed as a whole."""
    return Frame(FAILURE, 0, 1, 1, 0, 0, b"", Failure("user", "builtins.ValueError", text).to_body())


def a_refusal(batch: Batch, *indexes: int) -> Frame:
    """Return a worker's frame for a batch of which it could not decode these items."""
    failures = [Failure("decode", "DecodeError", f"at [{index}]") for index in indexes]
    side, good = reply_side(indexes, failures), batch.count - len(indexes)
    return Frame(FAILURE, 0, 1, 1, good, len(indexes), side, failures[0].to_body())


def replied(batch: Batch) -> Batch:
    """Give a batch its reply: its own payloads."""
    batch.reply = a_reply(batch.payloads())
    return batch


__all__ = ["Recorder", "a_batch", "a_failure", "a_queue", "a_refusal", "a_reply", "a_run", "replied", "started"]
