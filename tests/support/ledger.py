"""Every run of a test, and whether its books balance when the test is over."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from slither_actors.errors import DispatchError
from slither_actors.runs.opener import RunOpener
from slither_actors.runs.output import delivery
from slither_actors.runs.run import Run

_NAMES = "pulled, batched, resolved, emitted"


class Books:
    """Notes each run that is opened, and the error that it ends with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.runs: list[Run] = []
        self.errors: dict[int, DispatchError] = {}
        open_run, run_failure = RunOpener._run, delivery.run_failure

        def opened(opener: RunOpener, *arguments: Any) -> Run:
            run = open_run(opener, *arguments)
            self.runs.append(run)
            return run

        def failed(run: Run, *arguments: Any, **named: Any) -> DispatchError:
            error = self.errors[run.id] = run_failure(run, *arguments, **named)
            return error

        monkeypatch.setattr(RunOpener, "_run", opened)
        monkeypatch.setattr(delivery, "run_failure", failed)

    def complaints(self) -> list[str]:
        """What does not balance, a line each."""
        return [f"run {run.id}: {wrong}" for run in self.runs for wrong in self._wrong(run)]

    def _wrong(self, run: Run) -> list[str]:
        now = run.statistics()
        wrong = []
        if now.pulled < now.accounted:
            wrong.append(f"more items are accounted for than were pulled: {now}")
        # Four counters, written by the one who pulls, the Batcher, the Collector and the consumer.
        written = (now.pulled, run.ledger.batched, run.ledger.resolved, now.emitted)
        if run.ending.closed and (run.has_started or run.settled):
            if (now.buffered, now.in_flight, now.awaiting_retry, now.held) != (0, 0, 0, 0):
                wrong.append(f"it has ended, and holds items: {now}")
            if now.pulled != now.accounted:
                wrong.append(f"it has ended, and the ledger does not balance: {now}")
            if run.ending.cut_short is None and (len(set(written)) != 1 or run.undelivered):
                wrong.append(f"it ended well, and undelivered are {run.undelivered}; {_NAMES}: {written}")
        if any(later > earlier for earlier, later in itertools.pairwise(written)):
            wrong.append(f"something came out that never went in; {_NAMES}: {written}")
        error = self.errors.get(run.id)
        if error is not None and len(error.unfinished) != now.dropped_by_halt:
            wrong.append(f"its error names {len(error.unfinished)} unfinished items: {now}")
        return wrong
