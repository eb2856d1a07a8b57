"""The public names, pinned: adding or taking one away is a decision, made here too."""

from __future__ import annotations

import importlib
import pickle
import tomllib

import pytest

from architecture.imports import ROOT

PUBLIC = {
    "slither_actors": {
        "BatchTimeout",
        "BatcherClosed",
        "Context",
        "DeadlineExceeded",
        "Dispatch",
        "DispatchError",
        "EventLoopBlocked",
        "ForkedSystemError",
        "Item",
        "LoadError",
        "OptionError",
        "OptionTypeError",
        "Overloaded",
        "PayloadError",
        "PoolSpec",
        "PoolUnavailable",
        "ProtocolError",
        "QueueTimeout",
        "ReaderTimeout",
        "Retry",
        "Route",
        "SessionBusy",
        "SessionLost",
        "SlitherError",
        "StartTimeout",
        "StrategyError",
        "StreamBroken",
        "StreamClosed",
        "System",
        "SystemStopped",
        "UnexpectedResponse",
        "UnknownCommand",
        "UnknownOption",
        "UnknownPool",
        "WorkerCrashed",
        "WorkerError",
        "WorkerRecycled",
        "WorkerUnwanted",
        "__version__",
        "current_system",
        "telemetry",
    },
    "slither_actors.executors": {
        "Call",
        "Command",
        "InlineExecutor",
        "RemoteExecutor",
        "RunSettings",
        "SnakeBridge",
        "Snakepit",
    },
    "slither_actors.strategies": {"FixedBatch", "KeyPartition", "Strategy", "WeightedBatch"},
    "slither_actors.worker": {"Adapter", "command", "in_worker", "index", "pool", "progress", "session"},
    "slither_actors.cli": {"main"},
    "slither_actors.system.config": {"SYSTEM", "SystemConfig", "load", "system_format"},
}


@pytest.mark.parametrize("module", PUBLIC)
def test_the_public_names_are_these(module: str) -> None:
    assert set(importlib.import_module(module).__all__) == PUBLIC[module]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_there_and_listed(module: str) -> None:
    package = importlib.import_module(module)
    for name in PUBLIC[module]:
        assert getattr(package, name) is not None
    assert set(dir(package)) >= PUBLIC[module]


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    package = importlib.import_module("slither_actors")
    with pytest.raises(AttributeError, match="Dispach"):
        _ = package.Dispach


def test_public_names_are_pickled_by_where_they_are_defined() -> None:
    package = importlib.import_module("slither_actors")
    for name in sorted(PUBLIC["slither_actors"] - {"__version__", "telemetry"}):
        value = getattr(package, name)
        if isinstance(value, type):
            assert pickle.loads(pickle.dumps(value)) is value


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert importlib.import_module("slither_actors").__version__ == project["version"]
