"""How long a batch took, as events tell it: the worker's own measure of the user's function."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import pytest
from support.worker import FUNCTIONS

from slither_actors import PoolSpec, System, telemetry
from slither_actors.executors import Snakepit

Eventually = Callable[..., None]


def durations(system: System, event: str, count: int, eventually: Eventually, payloads: Any, **options: Any) -> Any:
    events: list[telemetry.Event] = []
    with telemetry.attach(event, events.append):
        system.dispatch.run(payloads, **options)
        eventually(lambda: len(events) == count)
    return [each.measurements["duration"] for each in events]


def test_no_short_batch_takes_no_time(system: System, eventually: Eventually) -> None:
    took = durations(
        system, telemetry.BATCH_STOP, 5000, eventually, range(5000), module="tasks", function="double", batch_size=1
    )
    assert min(took) > 0
    assert statistics.median(took) < 0.001  # of the function alone: not what it waited, nor the way there and back


@pytest.mark.parametrize("size", [1, 4])
def test_batches_that_sleep_take_what_they_sleep(system: System, eventually: Eventually, size: int) -> None:
    payloads = [0.005] + [0.0] * (size - 1)
    took = durations(
        system, telemetry.BATCH_STOP, 40, eventually, payloads * 40, module="tasks", function="sleeps", batch_size=size
    )
    assert min(took) >= 0.005
    assert statistics.median(took) < 0.05


@pytest.mark.parametrize(
    ("function", "each"), [("negative_ones_fail", False), ("negative_fails", True)], ids=["batch", "each"]
)
def test_batches_that_fail_have_their_time_as_well(
    system: System, eventually: Eventually, function: str, each: bool
) -> None:
    took = durations(
        system,
        telemetry.BATCH_EXCEPTION,
        100,
        eventually,
        [-1] * 100,
        module="tasks",
        function=function,
        each=each,
        batch_size=1,
        on_error="skip",
    )
    assert min(took) > 0
    assert statistics.median(took) < 0.01


def test_an_inline_executors_batches_have_theirs(system: System, eventually: Eventually) -> None:
    class Inline:
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            return batch

    took = durations(system, telemetry.BATCH_STOP, 200, eventually, range(200), executor=Inline(), batch_size=1)
    assert min(took) > 0


def test_batch_that_was_killed_has_time_that_it_was_waited_for(eventually: Eventually) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system:
        (took,) = durations(
            system,
            telemetry.BATCH_EXCEPTION,
            1,
            eventually,
            [60.0],
            module="tasks",
            function="sleeps",
            timeout=0.3,
            on_error="skip",
        )
    assert 0.3 <= took < 30


def test_a_command_has_its_time(eventually: Eventually) -> None:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], adapter="tasks:Scorer")}) as system:
        took = durations(
            system, telemetry.BATCH_STOP, 10, eventually, range(10), executor=Snakepit, command="score", batch_size=1
        )
    assert min(took) > 0


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (range(5), {"batch_size": 2}, ["end", "full", "full"]),
        (range(4), {"batch_size": 2}, ["full", "full"]),
        (range(9), {"batch_size": 100, "max_in_flight": 1, "prefetch": 0}, ["end"]),
    ],
)
def test_events_say_why_a_batch_was_closed(
    system: System, eventually: Eventually, source: Any, options: dict[str, Any], expected: list[str]
) -> None:
    events: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_START, events.append):
        system.dispatch.run(source, module="tasks", function="double", **options)
        eventually(lambda: len(events) == len(expected))
    assert sorted(event.metadata["closed_by"] for event in events) == expected
