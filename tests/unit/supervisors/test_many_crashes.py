"""Many children of a static supervisor crash at once: each costs what it costs among few."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from support.opcodes import Opcodes

from supervisors import ChildSpec, LightActor, Normal, Supervisor
from supervisors.testing import ManualScheduler


class Fragile(LightActor):
    def on_receive(self, message: Any) -> None:
        if message == "crash":
            raise RuntimeError("as it was told")
        self.exit(Normal())


@pytest.fixture(autouse=True)
def no_records() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def cost(count: int, strategy: Any = "one_for_one", restart: Any = "permanent") -> float:
    """Instructions for each of so many crashes, restarts included."""
    scheduler, refs = ManualScheduler(), []

    def start() -> Any:
        refs.append(Fragile.start(scheduler=scheduler))
        return refs[-1]

    specs = [ChildSpec(id=number, start=start, restart=restart) for number in range(count)]
    Supervisor.start(specs, strategy, max_restarts=None, scheduler=scheduler)
    scheduler.advance(0)
    for ref in refs[:]:
        ref.tell("crash")
    with Opcodes() as opcodes:
        scheduler.advance(0)
        scheduler.advance(1)
    assert len(refs) == (1 if restart == "temporary" else 2) * count
    scheduler.stop()
    return opcodes.total / count


def cost_of_ends(count: int, *, backwards: bool) -> float:
    """Instructions for each of so many significant children that end normally, where one goes on."""
    scheduler, refs = ManualScheduler(), []

    def start() -> Any:
        refs.append(Fragile.start(scheduler=scheduler))
        return refs[-1]

    specs = [ChildSpec(id=number, start=start, restart="transient", significant=True) for number in range(count)]
    ref = Supervisor.start(specs, auto_shutdown="all_significant", scheduler=scheduler)
    scheduler.advance(0)
    for each in reversed(refs[1:]) if backwards else refs[:-1]:
        each.tell("end")
    with Opcodes() as opcodes:
        scheduler.advance(0)
    assert sum(each.is_alive() for each in refs) == 1
    assert ref.is_alive()
    scheduler.stop()
    return opcodes.total / count


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_two_thousand_crashes_at_once_cost_no_more_each(strategy: str, restart: str) -> None:
    few, many = cost(200, strategy, restart), cost(2000, strategy, restart)
    assert many <= 1.1 * few


@pytest.mark.parametrize("backwards", [False, True])
def test_ends_of_significant_thousands_cost_no_more_each(backwards: bool) -> None:
    few, many = cost_of_ends(200, backwards=backwards), cost_of_ends(2000, backwards=backwards)
    assert many <= 1.1 * few
