"""The driver of a Consumer that blocks the caller's thread. `asyncio_driver` is the one for an event loop."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from queue import Empty
from time import monotonic
from typing import Any

from slither_actors.item import Item
from slither_actors.runs.output.consumer import Consumer
from slither_actors.runs.output.driver_protocol import FOREVER, Wait


def drive(consumer: Consumer) -> Generator[list[Item], None, None]:
    """Yield the results of a run, in lists as they come due.

    Args:
        consumer: which was not driven yet. It is closed at the end, also when this iterator is dropped.

    Raises:
        DispatchError: the run failed.
        StreamClosed: it was closed meanwhile.
    """
    steps = consumer.steps()
    inbox: Any = consumer.run.inbox
    answer: Any = None
    try:
        while True:
            try:
                step = steps.send(answer)
            except StopIteration:
                if not consumer.told:  # a signal handler's
                    raise
                return
            answer = None
            if type(step) is list:
                yield step
            elif step is FOREVER:
                answer = inbox.get()
            elif type(step) is Wait and step.deadline is not None:
                with contextlib.suppress(Empty):
                    answer = inbox.get(timeout=max(0.0, step.deadline - monotonic()))
    finally:
        try:
            steps.close()
        finally:
            consumer.close()
