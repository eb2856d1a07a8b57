"""The driver of a Consumer that awaits in an event loop. `blocking_driver` is the one that blocks a thread."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from operator import length_hint
from time import monotonic
from typing import Any

from slither_actors.item import Item
from slither_actors.runs.flow.pacing import FEED_BATCHES_IN_LOOP, LOOP_SECONDS, SMALL_SOURCE
from slither_actors.runs.input.async_producer import AsyncProducer
from slither_actors.runs.input.producer import ProducerActor, in_memory
from slither_actors.runs.messages import ConsumerMessage
from slither_actors.runs.output.asyncio_inbox import AsyncioInbox
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.output.driver_protocol import Steps, Wait
from slither_actors.runs.run import Run
from slither_actors.runs.stragglers import GRACE
from supervisors import Scheduler


def small(items: Iterable[Any]) -> bool:
    """Whether the roles of Producer and Batcher may be played in the loop's thread."""
    if not in_memory(items):
        return False
    try:
        return length_hint(items, SMALL_SOURCE + 1) <= SMALL_SOURCE
    except (OverflowError, TypeError):  # a range longer than any address space; an endless `repeat`
        return False


LOOP_LOOK = 1.0
"""Seconds between two looks whether the loop of a run with an asynchronous source was closed."""


class AsyncioDriver:
    """The results of a run, in lists as they come due. For one task at a time.

    Args:
        consumer: which was not driven yet.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self._steps: Steps | None = None
        self._inbox: AsyncioInbox[ConsumerMessage] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self._turn_began = 0.0
        self._first = True

    async def next(self) -> list[Item] | None:
        """Return the next piece; None after the last one.

        Whatever ends the wait, the caller's cancellation too, closes the run.

        Raises:
            DispatchError: the run failed.
            StreamClosed: it was closed meanwhile.
            RuntimeError: another task is waiting for the next one, or this is another loop than before.
        """
        if self._busy:
            raise RuntimeError("another task is waiting for the next result of this run")
        begins = self._steps is None
        steps = self._steps if self._steps is not None else self._begin()
        inbox = self._inbox
        assert inbox is not None
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("this run belongs to another event loop")
        self._busy = True
        answer: Any = None
        try:
            if not begins and monotonic() - self._turn_began > LOOP_SECONDS:
                await self._others()
            while True:
                step = steps.send(answer)
                answer = None
                if type(step) is list:
                    return step
                if type(step) is not Wait:
                    await self._others()
                    continue
                waits = inbox.empty()
                if self._first:
                    self._first = False
                    if not waits:
                        # Results of runs that came before are there too, and their tasks are woken in two turns of the
                        # loop, one for the future and one for the task: this one is not to overtake all of them.
                        await self._others()
                        await self._others()
                answer = await inbox.get(step.deadline)
                if waits:
                    self._turn_began = monotonic()
        except StopIteration:
            return None
        except BaseException:
            self.consumer.close()
            raise
        finally:
            self._busy = False

    async def _others(self) -> None:
        await asyncio.sleep(0)
        self._turn_began = monotonic()

    def _begin(self) -> Steps:
        consumer = self.consumer
        loop = self._loop = asyncio.get_running_loop()
        # Weakly: what a run's actors hold must not hold the consumer, which is closed by being dropped.
        self._inbox = consumer.run.inbox = AsyncioInbox(loop, partial(_close, weakref.WeakMethod(consumer.close)))
        produce: Callable[..., Any] = ProducerActor.start
        if hasattr(type(consumer.items), "__aiter__"):
            produce = AsyncProducer
            # Its source stands still with the loop, so that no message may come that finds the loop closed.
            run = consumer.run
            run.spec.scheduler.post(_watch_loop, run.spec.scheduler, weakref.ref(run))
        self._steps = consumer.steps(
            plays=small, start_producer=produce, feed_batches=FEED_BATCHES_IN_LOOP, grows=False
        )
        self._turn_began = monotonic()
        return self._steps

    async def aclose(self) -> None:
        """Close the run, and wait until an asynchronous source of it has been closed too, for the grace at most."""
        consumer = self.consumer
        consumer.close()
        producer = consumer.run.producer
        if isinstance(producer, AsyncProducer):
            await producer.finished(GRACE)


def _watch_loop(scheduler: Scheduler, known: weakref.ref[Run]) -> None:
    """Look now and then, as long as the run goes on, whether its loop was closed with its task in the middle of it."""
    run = known()
    if run is None or run.ending.closed:
        return
    inbox = run.inbox
    assert isinstance(inbox, AsyncioInbox)
    if inbox.check_loop():
        scheduler.call_later(LOOP_LOOK, _watch_loop, scheduler, known)


def _close(close: weakref.WeakMethod[Callable[[], None]]) -> None:
    if (still_there := close()) is not None:
        still_there()
