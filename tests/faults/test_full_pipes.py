"""Both pipes of a worker are full at the same time: neither side waits for the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from support.evil import stand_in
from support.victims import beside, counts, works

from slither_actors import System

pytestmark = pytest.mark.fault(15)

Start = Callable[..., System]
BIG = 4 * (1 << 20)


def test_4_mib_replies_and_requests_cross_in_the_pipes(start: Start, tmp_path: Path) -> None:
    """Its worker reads nothing until all of its reply is taken, and the request pipe is full."""
    system = start(1, python=stand_in(tmp_path, "early"), shared_memory=False)
    results = system.dispatch.run([b"x" * BIG] * 3, module="tasks", function="double", batch_size=1, timeout=60)
    assert [len(item.payload) >= BIG and set(item.payload) == set(b"y") for item in results] == [True] * 3
    assert works(system)
    assert (counts(system).kills, counts(system).exits, counts(system).protocol_errors) == ({}, {}, {})


@pytest.mark.parametrize("shared", [True, False], ids=["shared memory", "pipes"])
@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
def test_many_large_requests_and_replies_with_several_workers(start: Start, lazy: bool, shared: bool) -> None:
    system = start(2, shared_memory=shared)
    source = itertools.repeat(b"x" * BIG, 12)
    stream = system.dispatch.stream(
        source if lazy else list(source), module="tasks", function="double", batch_size=1, timeout=60
    )
    assert [len(item.payload) for item in stream] == [2 * BIG] * 12
    assert (counts(system).kills, stream.statistics().failed) == ({}, 0)


@pytest.mark.parametrize("shared", [True, False], ids=["shared memory", "pipes"])
def test_full_pipes_do_not_hold_up_a_run_on_another_worker(start: Start, shared: bool) -> None:
    system = start(2, shared_memory=shared)

    def large() -> None:
        source = itertools.repeat(b"x" * BIG, 8)
        stream = system.dispatch.stream(
            source, module="tasks", function="double", batch_size=1, max_in_flight=1, timeout=60
        )
        assert sum(1 for _ in stream) == 8

    with beside(large):
        for _ in range(20):
            assert works(system)
