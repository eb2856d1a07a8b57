"""Batched work on long-lived Python worker processes, supervised, with bounded memory and results in order.

Names are imported when they are first used (PEP 562): a worker process imports this package too, for the sake of
``slither_actors.worker``, and must load neither actors nor pipeline for it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from slither_actors import telemetry
    from slither_actors.context import Context
    from slither_actors.default_dispatch import Dispatch, current_system
    from slither_actors.errors import (
        BatcherClosed,
        BatchTimeout,
        DeadlineExceeded,
        DispatchError,
        ForkedSystemError,
        LoadError,
        OptionError,
        OptionTypeError,
        Overloaded,
        PayloadError,
        PoolUnavailable,
        ProtocolError,
        QueueTimeout,
        ReaderTimeout,
        SessionBusy,
        SessionLost,
        SlitherError,
        StartTimeout,
        StrategyError,
        StreamBroken,
        StreamClosed,
        SystemStopped,
        UnexpectedResponse,
        UnknownCommand,
        UnknownOption,
        UnknownPool,
        WorkerCrashed,
        WorkerError,
        WorkerRecycled,
        WorkerUnwanted,
    )
    from slither_actors.item import Item
    from slither_actors.loops import EventLoopBlocked
    from slither_actors.policies import Retry, Route
    from slither_actors.pools.spec import PoolSpec
    from slither_actors.system.system import System

__version__ = "0.1.0"

__all__ = [
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
]

_ELSEWHERE = {
    "Context": "slither_actors.context",
    "Dispatch": "slither_actors.default_dispatch",
    "EventLoopBlocked": "slither_actors.loops",
    "Item": "slither_actors.item",
    "PoolSpec": "slither_actors.pools.spec",
    "Retry": "slither_actors.policies",
    "Route": "slither_actors.policies",
    "System": "slither_actors.system.system",
    "current_system": "slither_actors.default_dispatch",
}
# The names of __all__ that are not listed above are errors.


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "telemetry":
        return import_module("slither_actors.telemetry")
    value = getattr(import_module(_ELSEWHERE.get(name, "slither_actors.errors")), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
