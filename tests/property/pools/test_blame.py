"""Who is charged with a worker's end, for any history of a batch and whatever the worker says."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from slither_actors.pools.assignment.job import Job, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts.base import Progress
from slither_actors.pools.worker.blame import MOST_SPARED, SPARED, WHOLE, Charge, Watch, charge

INDEXES = st.none() | st.integers(-2, 12)


@given(st.integers(1, 8), INDEXES, st.booleans(), st.integers(0, 5))
def test_one_item_none_or_all_are_charged(count: int, index: int | None, each: bool, spared: int) -> None:
    got = charge(count, index, each=each, spared=spared)
    if index is not None and 0 <= index < count:
        assert got == (Charge(index) if count > 1 else WHOLE)
    else:
        assert got == (SPARED if (each or index is not None) and spared < MOST_SPARED else WHOLE)


@given(
    st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))),
    st.data(),
)
def test_deaths_are_bad_items_and_those_at_no_item(batch: tuple[int, set[int]], data: st.DataObject) -> None:
    """The whole way of a batch under skip: it ends, and no item is charged that was not at fault."""
    count, bad = batch
    work = [(list(range(count)), 0)]
    charged: list[int] = []
    deaths = quiet = 0
    while work:
        items, spared = work.pop(0)
        at_fault = next((i for i, item in enumerate(items) if item in bad), None)
        # A death at no item: before the first one, or when all are done.
        outside = data.draw(st.sampled_from([None, len(items)])) if data.draw(st.integers(0, 4)) == 0 else "not"
        if outside == "not" and at_fault is None:
            continue
        deaths += 1
        index = at_fault if outside == "not" else outside
        got = charge(len(items), index, each=True, spared=spared)  # type: ignore[arg-type]
        if got.spared:
            quiet += 1
            work.insert(0, (items, spared + 1))
        elif got.index is not None:
            charged.append(items[got.index])
            work[:0] = [(part, 0) for part in (items[: got.index], items[got.index + 1 :]) if part]
        elif index is not None and index < len(items):
            charged += items  # it was alone
        else:
            assert spared == MOST_SPARED
            bad.difference_update(items)  # charged as a whole: it would go on without end
    assert set(charged) >= bad
    assert len(charged) == len(set(charged))
    assert deaths <= (MOST_SPARED + 1) * (2 * count + 1)


said = st.builds(
    Progress,
    st.integers(0, 3) | st.integers(0, 2**64 - 1),
    st.integers(0, 10) | st.integers(0, 2**64 - 1),
    st.floats(allow_nan=True, allow_infinity=True),
)


@given(st.lists(st.tuples(st.floats(0.001, 50), st.none() | said), max_size=20), st.integers(1, 8))
def test_a_worker_that_lies_lives_no_longer_than_its_items_may(
    looks: list[tuple[float, Progress | None]], count: int
) -> None:
    run_queue = RunQueue(max_in_flight=1, ahead=False, timeout=10.0)
    job = Job(run_queue, 1, count, Target("m", "f", each=True))
    job.request_id, job.began = 1, 100.0
    watch, now = Watch(), 100.0
    index, since = -1, 100.0
    for passed, told in looks:
        before, now = now, now + passed
        watch.look(job, told, now)
        assert 100.0 <= watch.since <= now
        assert not math.isnan(watch.since)
        at = -1 if watch.index is None else watch.index
        assert index <= at <= count
        if at == index:
            assert watch.since == since  # nothing but a growing index restarts the clock
        else:
            assert watch.since >= before
        index, since = at, watch.since
        if watch.is_over(job, now):
            assert now - watch.since >= 10.0
            assert at < count


@given(st.integers(1, 8), st.integers(0, 8))
def test_what_is_said_of_another_batch_is_not_heard(count: int, index: int) -> None:
    run_queue = RunQueue(max_in_flight=1, ahead=False, timeout=10.0)
    job = Job(run_queue, 1, count)
    job.request_id, job.began = 7, 100.0
    watch = Watch()
    watch.look(job, Progress(6, index, 0.0), 101.0)
    assert (watch.index, watch.deadline(job)) == (None, None)
    watch.look(job, Progress(7, 0, 0.5), 102.0)
    assert (watch.index, watch.since, watch.deadline(job)) == (0, 101.5, 111.5)
    other = Job(run_queue, 2, count)
    other.request_id, other.began = 8, 103.0
    watch.look(other, Progress(7, 0, 0.5), 104.0)
    assert watch.index is None
