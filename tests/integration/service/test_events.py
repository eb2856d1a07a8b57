"""What telemetry tells of actors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.worker import FUNCTIONS

from slither_actors import DispatchError, PoolSpec, System, telemetry


def test_a_crash_is_one_exit_event_and_one_restart_event(eventually: Callable[..., None]) -> None:
    exits: list[telemetry.Event] = []
    restarts: list[telemetry.Event] = []
    with (
        System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system,
        telemetry.attach(telemetry.ACTOR_EXIT, exits.append),
        telemetry.attach(telemetry.ACTOR_RESTART, restarts.append),
    ):
        with pytest.raises(DispatchError):
            system.dispatch.run([-1], module="tasks", function="crashes_on_negative")
        eventually(lambda: len(restarts) == 1)
        executors = [event for event in exits if event.metadata["actor"] == "Executor"]
        assert len(executors) == 1
        assert "SIGABRT" in str(executors[0].metadata["reason"])
        assert restarts[0].metadata["child"] == 0
