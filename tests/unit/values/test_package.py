from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import slither_actors

NAMES = {
    "BatchTimeout",
    "BatcherClosed",
    "DeadlineExceeded",
    "Overloaded",
    "Context",
    "Dispatch",
    "DispatchError",
    "ForkedSystemError",
    "Item",
    "LoadError",
    "OptionError",
    "OptionTypeError",
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
    "EventLoopBlocked",
    "__version__",
    "current_system",
    "telemetry",
}


def test_the_public_names_are_these():
    assert set(slither_actors.__all__) == NAMES
    assert sorted(slither_actors.__all__) == list(slither_actors.__all__)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_public_name_is_there(name):
    assert getattr(slither_actors, name) is not None
    assert name in dir(slither_actors)


def test_every_error_is_a_public_name():
    errors = importlib.import_module("slither_actors.errors")
    assert set(errors.__all__) <= NAMES


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Dispach'"):
        slither_actors.Dispach  # noqa: B018


def test_importing_the_package_imports_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import slither_actors; "
        "print(sorted(set(sys.modules) - before - {'__future__'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['slither_actors']"


def test_values_and_errors_need_no_actors_nor_configuration():
    code = (
        "import sys; from slither_actors import Item, Context, Retry, DispatchError; "
        "import slither_actors.run_options; "
        "print([name for name in ('pykka', 'yaml', 'msgpack', 'subprocess') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
