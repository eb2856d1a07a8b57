"""The ledger begins at zero, and a run's statistics are made of it."""

from __future__ import annotations

import pytest
from support.a_run import a_batch, a_run, started

from slither_actors.runs.ledger import Ledger

# What a counter that grows by one changes in the statistics of a run of five items, of which three are in batches.
CHANGES = {
    "batched": {"buffered": -1, "in_flight": 1},
    "resolved": {"in_flight": -1, "held": 1},
    "skipped": {"skipped": 1},
    "unread_skipped": {"skipped": 1},
    "routed": {"routed": 1},
    "unread_routed": {"routed": 1},
    "retries": {"retries": 1},
    "failed": {"failed": 1},
    "unread_failed": {"failed": 1},
    "awaiting_retry": {"in_flight": -1, "awaiting_retry": 1},
    "emitted": {"held": -1, "emitted": 1},
    "fed": {},
}


def test_all_counters_begin_at_zero() -> None:
    ledger = Ledger()
    assert [getattr(ledger, name) for name in Ledger.__slots__] == [0] * 12


def test_a_counter_that_there_is_not_cannot_be_written() -> None:
    with pytest.raises(AttributeError):
        Ledger().droped = 1  # type: ignore[attr-defined]


def test_each_counter_has_a_change_that_is_known() -> None:
    assert set(CHANGES) == set(Ledger.__slots__)


@pytest.mark.parametrize("counter", CHANGES)
def test_a_counter_moves_the_statistics_of_its_run(counter: str) -> None:
    run = a_run()
    started(run)
    run.credit.pulled = 5
    a_batch(run, [0, 1, 2])
    run.ledger.resolved = 1
    before = run.statistics()
    setattr(run.ledger, counter, getattr(run.ledger, counter) + 1)
    after = run.statistics()
    names = type(after).__struct_fields__
    changes = {name: getattr(after, name) - getattr(before, name) for name in names}
    assert {name: change for name, change in changes.items() if change} == CHANGES[counter]
    assert before.accounted == after.accounted == 5
