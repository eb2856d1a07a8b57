"""Each figure of the pacing, held where it is used: at it, and one beyond it."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.a_run import Recorder, a_batch, a_reply, a_run, started
from support.echo import echoing

from slither_actors.pools.assignment.slots import AHEAD_SECONDS
from slither_actors.pools.assignment.target import Target
from slither_actors.runs.flow import pacing
from slither_actors.runs.flow.byte_budget import ByteBudget
from slither_actors.runs.flow.credit import Credit
from slither_actors.runs.input.async_producer import AsyncProducer
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import BatchesReady, SourceEnded, Wake
from slither_actors.runs.output import asyncio_driver
from slither_actors.runs.output.asyncio_driver import AsyncioDriver, small
from slither_actors.runs.output.delivery import DeliveryReader
from slither_actors.runs.output.driver_protocol import PAUSE


def sizes(collector: Recorder) -> list[int]:
    """Return how many batches came in each message."""
    return [len(message.batches) for message in collector.take() if isinstance(message, BatchesReady)]


# --- how much is handed over at a time


def test_batches_go_to_the_collector_in_chunks() -> None:
    run = a_run(batch_size=1)
    collector = started(run)
    batcher = Batcher(run, RequestEncoder(run.options, Target))
    count = 2 * pacing.CHUNK_BATCHES + 1
    run.credit.pulled = count
    batcher.feed(list(range(count)))
    assert sizes(collector) == [pacing.CHUNK_BATCHES, pacing.CHUNK_BATCHES, 1]


def test_a_consumer_that_blocks_feeds_several_batches() -> None:
    consumer, echo = echoing(range(1000), batch_size=3, prefetch=100)
    steps = consumer.steps()
    for _ in range(2):
        assert next(steps) is PAUSE
        assert sum(sizes(echo)) == pacing.FEED_BATCHES
    steps.close()


def test_in_an_event_loop_it_feeds_one_and_does_not_grow() -> None:
    consumer, echo = echoing(range(10), batch_size=1)

    async def main() -> list[Any]:
        driver, payloads = AsyncioDriver(consumer), []
        while (piece := await driver.next()) is not None:
            payloads += [item.payload for item in piece]
        return payloads

    assert asyncio.run(main()) == list(range(10))
    assert set(sizes(echo)) - {0} == {pacing.FEED_BATCHES_IN_LOOP} == {1}
    assert not consumer.run.credit.grows


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (range(pacing.SMALL_SOURCE), True),
        (range(pacing.SMALL_SOURCE + 1), False),
        ([0] * pacing.SMALL_SOURCE, True),
        (itertools.repeat(0), False),
        (itertools.count(), False),
        (range(1 << 70), False),
        ((n for n in range(1)), False),
    ],
    ids=["full", "too long", "list", "repeat", "count", "huge", "lazy"],
)
def test_a_small_source_is_one_that_the_loop_can_spare(items: Any, expected: bool) -> None:
    assert small(items) is expected


# --- turns of other tasks in the loop


def turns_between_pieces(monkeypatch: pytest.MonkeyPatch, seconds: float) -> int:
    """Return how many turns another task has between two pieces that are there, after so many seconds of work."""
    now = [100.0]
    monkeypatch.setattr(asyncio_driver, "monotonic", lambda: now[0])
    consumer, _ = echoing(range(4), batch_size=2, prefetch=10)

    async def main() -> int:
        driver, turns = AsyncioDriver(consumer), [0]

        async def other() -> None:
            while True:
                turns[0] += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        assert await driver.next() is not None
        assert not consumer.run.inbox.empty()
        before = turns[0]
        now[0] += seconds
        assert await driver.next() is not None
        after = turns[0]
        await driver.aclose()
        task.cancel()
        return after - before

    return asyncio.run(main())


def test_other_tasks_get_their_turn_after_so_much_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert turns_between_pieces(monkeypatch, pacing.LOOP_SECONDS * 0.9) == 0
    assert turns_between_pieces(monkeypatch, pacing.LOOP_SECONDS * 1.1) == 1


class FakeBatcher:
    """Only receives."""

    def __init__(self) -> None:
        self.idle = False
        self.inbox_ref = Recorder()


def test_a_source_that_never_waits_lets_others_have_turns() -> None:
    run, batcher = a_run(batch_size=1000), FakeBatcher()
    fake: Any = batcher
    run.batcher = fake
    buffer: deque[Any] = deque()

    async def source() -> AsyncIterator[int]:
        for number in range(2 * pacing.SOURCE_ITEMS + 1):
            yield number

    async def main() -> list[int]:
        seen: list[int] = []
        producer = AsyncProducer(run, source(), buffer)
        producer._serve(Wake())
        while not producer.ended:
            await asyncio.sleep(0)
            seen.append(len(buffer))
        return seen

    items = pacing.SOURCE_ITEMS
    assert asyncio.run(main()) == [items, 2 * items, 2 * items + 1]
    assert batcher.inbox_ref.take() == [SourceEnded(None)]


# --- credit


def test_credit_returns_when_a_quarter_was_delivered() -> None:
    assert pacing.RETURNED_PART == 4
    window = 4 * pacing.RETURNED_PART
    consumer, _ = echoing(range(1000), batch_size=1, max_in_flight=2, prefetch=window - 2)
    run, inbox = consumer.run, consumer.run.inbox
    steps: Any = consumer.steps()
    step, returned = next(steps), []
    while len(returned) < 6:
        if isinstance(step, list):
            returned.append(run.credit.returned)
            step = steps.send(None)
        else:
            step = steps.send(None if step is PAUSE else inbox.get())  # type: ignore[attr-defined]  # a BlockingInbox
    steps.close()
    assert run.credit.limit == window
    assert returned == [0, 0, 0, 0, 4, 4]


def grown(batches: int, size: int = 1, work: float = 0.0) -> int:
    """Return the window, of batches of one item, after the consumer has waited once more."""
    credit = Credit(batches, 1)
    credit.may_grow()
    credit.returned = credit.limit
    credit.waits(size, work)
    return credit.limit


def test_a_window_doubles_up_to_so_many_batches() -> None:
    most = pacing.GROW_BATCHES
    assert [grown(most // 4), grown(most // 2), grown(most - 1), grown(most)] == [most // 2, most, most, most]
    almost, full = Credit(most - 1, 1), Credit(most, 1)
    almost.may_grow()
    full.may_grow()
    assert (almost.grows, full.grows) == (True, False)


def test_a_window_grows_to_so_many_bytes() -> None:
    size = pacing.GROW_BYTES // 8
    assert (grown(4, size), grown(4, size + 1)) == (8, 4)


def test_a_window_grows_to_so_many_seconds_of_work() -> None:
    assert pacing.GROW_SECONDS == 2 * AHEAD_SECONDS
    work = pacing.GROW_SECONDS / 4
    assert (grown(4, work=work * 0.99), grown(4, work=work * 1.01)) == (8, 4)


def test_more_is_sent_at_a_time_once_the_window_has_grown() -> None:
    credit = Credit(4, 10)
    assert (credit.chunk(), credit.part()) == (pacing.CHUNK_BATCHES, 0)
    credit.may_grow()
    assert credit.chunk() == pacing.CHUNK_BATCHES
    while credit.limit < 10 * pacing.GROW_BATCHES:
        credit.pulled = credit.returned = credit.returned + credit.limit
        credit.waits(1, 0.0)
    assert credit.chunk() == pacing.GROW_BATCHES // pacing.CHUNK_PART > pacing.CHUNK_BATCHES
    assert credit.part() == 10 * credit.chunk()


def test_a_batch_grows_to_so_many_items() -> None:
    credit = Credit(1, None)
    widened = 0
    while credit.widen(0):
        widened += 1
    assert (credit.limit, widened) == (pacing.GROW_LIMIT, 10)
    assert Credit(1, None, unbounded=True).room() == pacing.GROW_LIMIT


# --- bytes


def test_few_items_of_unknown_size_are_pulled_ahead() -> None:
    budget = ByteBudget(1 << 30, lambda: None)
    assert budget.ahead() == pacing.AHEAD_ITEMS
    budget.encoded(1, 1)
    assert budget.ahead() == pacing.MOST_AHEAD_ITEMS
    budget.encoded(1, 1 << 32)
    assert budget.ahead() == 1


@pytest.mark.parametrize(("more", "at_once"), [(0, True), (1, False)])
def test_replies_up_to_so_many_bytes_are_unpacked_in_one_go(more: int, at_once: bool) -> None:
    run = a_run(batch_size=1)
    started(run)
    batches = [a_batch(run, range(position, position + 1)) for position in range(2)]
    half = pacing.TOGETHER_BYTES // 2
    texts = ["a" * (half - 4), "b" * (half - 4 + more)]  # an array's head, and a string's
    for batch, text in zip(batches, texts, strict=True):
        batch.reply = a_reply([text])
    assert sum(len(batch.reply.body) for batch in batches if batch.reply) == pacing.TOGETHER_BYTES + more
    reader = DeliveryReader(run)
    items = reader.all_together(list(batches))
    assert (items is not None) is at_once
    if items is None:
        items = [item for piece in reader.pieces(list(batches)) for item in piece]
    assert [item.payload for item in items] == texts


def test_so_many_items_are_made_before_any_is_handed_out() -> None:
    run = a_run(batch_size=64)
    started(run)
    batches: list[Any] = [a_batch(run, range(start, start + 64)) for start in range(0, 10 * 64, 64)]
    parts = list(DeliveryReader.parts(batches))
    assert [sum(batch.count for batch in part) for part in parts] == [pacing.PIECE_ITEMS, 2 * 64]
    assert [batch for part in parts for batch in part] == batches
    large: list[Any] = [a_batch(run, range(start, start + 1000)) for start in (640, 1640)]
    assert list(DeliveryReader.parts(large)) == [[large[0]], [large[1]]]
