"""Interrupts at every bytecode of a run, a stream and a tree, at 300 of start and stop, and by 20,000 signals."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from faults.test_interrupts import random_interrupts
from support.interrupts import (
    KINDS,
    Bytecodes,
    Interrupt,
    Kind,
    bytecodes_of,
    bytecodes_of_a_tree,
    interrupt,
    interrupt_a_tree,
    interrupted,
)
from support.leaks import held, left_behind

from slither_actors import PoolSpec, System

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

POINTS = 300


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1)}, name="interrupted") as running:
        yield running


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_bytecode_of_a_run(system: System, kind: Kind) -> None:
    total = bytecodes_of(system, kind)
    for at in range(total):
        interrupt(system, kind, at, (Interrupt, KeyboardInterrupt, TimeoutError)[at % 3])
    assert total > 1000


def test_every_bytecode_of_a_tree() -> None:
    total = bytecodes_of_a_tree()
    for at in range(total):
        interrupt_a_tree(at)
    assert total > 1000


def test_many_bytecodes_of_a_start() -> None:
    def start(made: list[System]) -> None:
        system = System({"default": PoolSpec(size=1)})
        made.append(system)
        system.start()

    with Bytecodes() as codes:
        start(made := [])
    made[0].stop()
    for point in range(POINTS):
        before, made = held(), []
        where = interrupted(codes.count * point // POINTS, partial(start, made))
        for one in made:
            one.stop()
        assert not left_behind(before), where


@pytest.mark.parametrize("again", [True, False])
def test_many_bytecodes_of_a_stop(again: Any) -> None:
    with System({"default": PoolSpec(size=1)}) as system, Bytecodes() as codes:
        system.stop()
    for point in range(POINTS // 2):
        before = held()
        system = System({"default": PoolSpec(size=1)}).start()
        where = interrupted(codes.count * point * 2 // POINTS, system.stop)
        if again or not system.stopped:  # else it was interrupted before its first step
            system.stop()
        assert not left_behind(before), where


@pytest.mark.parametrize("chunk", range(10))
def test_signals_at_random_moments(tmp_path: Path, chunk: int) -> None:
    assert random_interrupts(tmp_path, 2000, seed=100 + chunk) > 300
