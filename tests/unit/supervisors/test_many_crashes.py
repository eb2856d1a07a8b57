"""Many children of a static supervisor crash at once: each costs what it costs among few."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.opcodes import Opcodes

from supervisors import ChildSpec, LightActor, Supervisor
from supervisors.testing import ManualScheduler


class Fragile(LightActor):
    def on_receive(self, message: Any) -> None:
        raise RuntimeError("as it was told")


@pytest.fixture(autouse=True)
def no_records() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def cost(count: int) -> float:
    """Instructions for each of so many crashes, restarts included."""
    scheduler, refs = ManualScheduler(), []

    def start() -> Any:
        refs.append(Fragile.start(scheduler=scheduler))
        return refs[-1]

    Supervisor.start([ChildSpec(id=number, start=start) for number in range(count)], max_restarts=None,
                     scheduler=scheduler)  # fmt: skip
    scheduler.advance(0)
    for ref in refs[:]:
        ref.tell("crash")
    with Opcodes() as opcodes:
        scheduler.advance(0)
        scheduler.advance(1)
    assert len(refs) == 2 * count
    scheduler.stop()
    return opcodes.total / count


def test_two_thousand_crashes_at_once_cost_no_more_each() -> None:
    few, many = cost(200), cost(2000)
    assert many <= 1.1 * few
