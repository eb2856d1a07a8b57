"""Both pipes of a worker are full at the same time: neither side waits for the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from support.victims import beside, counts, executor, works

from slither_actors import System

pytestmark = pytest.mark.fault(15)

Start = Callable[..., System]
BIG = 4 * (1 << 20)


def test_a_large_request_is_half_written_while_a_large_reply_is_written(start: Start, tmp_path: Path) -> None:
    """The worker waits until the next request has filled its pipe, and only then writes a reply of 4 MiB."""
    system = start(1)
    full = tmp_path / "full"
    # The small ones teach the pool that batches are short, so that it sends ahead.
    payloads: list[tuple[object, str | None]] = [(n, None) for n in range(20)]
    payloads += [(b"a" * BIG, str(full)), (b"b" * BIG, None), (b"c" * BIG, None)]
    results = system.dispatch.run(payloads, module="pipes", function="full_both_ways", batch_size=1, timeout=60)
    assert [item.payload for item in results] == [payload for payload, _ in payloads]
    assert full.exists()
    assert (counts(system).kills, counts(system).exits) == ({}, {})
    assert executor(system).done == 23


@pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
def test_many_large_requests_and_replies_with_several_workers(start: Start, lazy: bool) -> None:
    system = start(2)
    source = itertools.repeat(b"x" * BIG, 12)
    stream = system.dispatch.stream(
        source if lazy else list(source), module="tasks", function="double", batch_size=1, timeout=60
    )
    assert [len(item.payload) for item in stream] == [2 * BIG] * 12
    assert (counts(system).kills, stream.statistics().failed) == ({}, 0)


def test_with_full_pipes_a_small_run_on_another_worker_is_not_held_up(start: Start) -> None:
    system = start(2)

    def large() -> None:
        source = itertools.repeat(b"x" * BIG, 8)
        stream = system.dispatch.stream(
            source, module="tasks", function="double", batch_size=1, max_in_flight=1, timeout=60
        )
        assert sum(1 for _ in stream) == 8

    with beside(large):
        for _ in range(20):
            assert works(system)
