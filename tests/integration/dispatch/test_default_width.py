"""How many workers a run uses unless it says: all of its pool. The window follows."""

from __future__ import annotations

from typing import Any

import pytest
from support.gates import Gates
from support.victims import beside
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System
from slither_actors.option_parsing import parse_options

GATED: dict[str, Any] = {"module": "tasks", "function": "through_gates", "batch_size": 1}


@pytest.mark.parametrize("size", [1, 3, 10])
def test_a_run_uses_as_many_workers_as_its_pool_has(size: int, tmp_path: Any) -> None:
    gates = Gates(tmp_path)
    results: list[Any] = []
    with System({"default": PoolSpec(size=size, path=[FUNCTIONS])}) as system:
        payloads = [(number, gates[str(number)]) for number in range(size)]
        with beside(lambda: results.extend(system.dispatch.run(payloads, **GATED))):
            for number in range(size):
                gates.wait_begun(str(number))  # none is let through before all have begun
            for number in range(size):
                gates.open(str(number))
    assert [item.payload for item in results] == list(range(size))


@pytest.mark.parametrize(("size", "window"), [(1, 32), (2, 32), (12, 48)])
def test_the_window_follows_the_pool_from_eight_workers_on(size: int, window: int) -> None:
    with System({"default": PoolSpec(size=size, path=[FUNCTIONS])}) as system:
        pulled: list[int] = []

        def source() -> Any:
            for number in range(10_000):
                pulled.append(number)
                yield number

        with system.dispatch.stream(source(), module="tasks", function="double", batch_size=2) as stream:
            next(stream)
            assert stream.statistics().pulled <= 2 * window + 2
        assert len(pulled) <= 2 * window + 2


def test_what_is_given_stays() -> None:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        for given, expected in [
            ({}, (2, 30)),
            ({"max_in_flight": 5}, (5, 15)),
            ({"prefetch": 0}, (2, 0)),
            ({"max_in_flight": 1}, (1, 3)),
        ]:
            options = parse_options({"module": "tasks", "function": "double", **given})
            system.open_run([1], options)
            assert (options.max_in_flight, options.prefetch) == expected


def test_pools_of_one_system_differ() -> None:
    with System({"a": PoolSpec(size=1, path=[FUNCTIONS]), "b": PoolSpec(size=3, path=[FUNCTIONS])}) as system:
        for pool, size in (("a", 1), ("b", 3)):
            options = parse_options({"module": "tasks", "function": "double", "pool": pool})
            system.open_run([1], options)
            assert options.max_in_flight == size


def test_an_inline_executor_has_eight_threads() -> None:
    class Inline:
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            return batch

    options = parse_options({"executor": Inline()})
    assert (options.max_in_flight, options.prefetch) == (8, 24)
