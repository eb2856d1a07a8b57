"""Every actor says what it holds."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from typing import Any, get_type_hints

import pykka

import slither_actors
import supervisors
from slither_actors.runs.input.async_producer import AsyncProducer
from supervisors.actors.daemon_actor import DaemonActor
from supervisors.actors.light_actor import LightActor
from supervisors.supervision.operations import Operator
from supervisors.supervision.start_call import Starter
from supervisors.supervision.tasks import _Task


def below(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from below(sub)


def is_snapshot(cls: Any) -> bool:
    """Whether it is a record that cannot be changed."""
    if is_dataclass(cls):
        return bool(cls.__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return bool(cls.__struct_config__.frozen)


def test_every_actor_has_statistics_that_are_a_frozen_record() -> None:
    for package in (slither_actors, supervisors):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    ours = {
        cls
        for cls in below(pykka.Actor)
        if cls.__module__.startswith(("slither_actors.", "supervisors.")) and cls.__subclasses__() == []
    } - {DaemonActor, LightActor, Operator, Starter, _Task}  # the last two do one thing and end
    assert {
        "Producer",
        "Collector",
        "InlinePool",
        "BoundedPool",
        "ConcurrentExecutor",
        "Spawner",
        "PartitionSupervisor",
        "TaskSupervisor",
    } <= {cls.__name__.removesuffix("Actor") for cls in ours}
    for cls in {*ours, AsyncProducer}:
        statistics = cls.statistics
        assert statistics is not LightActor.statistics, cls
        assert is_snapshot(get_type_hints(statistics)["return"]), cls
