"""OTP's process and supervisor model on Pykka.

Light actors share one scheduler thread and never block; actors that block have a daemon thread of their own. Both end
with a reason, can be monitored, and live in trees of supervisors that start, restart and stop them by OTP's rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors.admin import (
    count_children,
    delete_child,
    restart_child,
    start_child,
    stop,
    terminate_child,
    wait_started,
    which_children,
)
from supervisors.child_spec import ChildSpec
from supervisors.children import SupervisorStatistics
from supervisors.dynamic import DynamicSupervisor
from supervisors.exits import (
    DEFERRED,
    IGNORE,
    AlreadyPresent,
    AlreadyStarted,
    ChildError,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    Crashed,
    ExitReason,
    Killed,
    MaxChildren,
    Normal,
    NotSupported,
    RestartBudgetExceeded,
    SchedulerStopped,
    Shutdown,
    SpecError,
    StartFailed,
    SupervisorError,
    SupervisorStopping,
    WouldDeadlock,
)
from supervisors.intensity import Backoff
from supervisors.process import Down, LightActor, LightRef, Monitor, monitor
from supervisors.registry import AlreadyRegistered, NotRegistered, Registry
from supervisors.requests import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from supervisors.scheduler import Scheduler, Timer
from supervisors.side import SideThread
from supervisors.supervisor import Supervisor
from supervisors.threading_child import DaemonActor, DaemonRef, abandoned_threads, supervise_threading
from supervisors.tree import TreeNode, tree

if TYPE_CHECKING:
    from supervisors.config import SupervisorSpec, load
    from supervisors.problems import ConfigError

__all__ = [
    "DEFERRED",
    "IGNORE",
    "AlreadyPresent",
    "AlreadyRegistered",
    "AlreadyStarted",
    "Backoff",
    "ChildCounts",
    "ChildError",
    "ChildInfo",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ConfigError",
    "CountChildren",
    "Crashed",
    "DaemonActor",
    "DaemonRef",
    "DeleteChild",
    "Down",
    "DynamicSupervisor",
    "ExitReason",
    "Killed",
    "LightActor",
    "LightRef",
    "MaxChildren",
    "Monitor",
    "Normal",
    "NotRegistered",
    "NotSupported",
    "Registry",
    "RestartBudgetExceeded",
    "RestartChild",
    "Scheduler",
    "SchedulerStopped",
    "Shutdown",
    "SideThread",
    "SpecError",
    "StartChild",
    "StartFailed",
    "Supervisor",
    "SupervisorError",
    "SupervisorSpec",
    "SupervisorStatistics",
    "SupervisorStopping",
    "TerminateChild",
    "Timer",
    "TreeNode",
    "WhichChildren",
    "WouldDeadlock",
    "abandoned_threads",
    "count_children",
    "delete_child",
    "load",
    "monitor",
    "restart_child",
    "start_child",
    "stop",
    "supervise_threading",
    "terminate_child",
    "tree",
    "wait_started",
    "which_children",
]

# Imported when they are first used (PEP 562): who has no files need not wait for the readers of YAML and JSON Schema.
_ELSEWHERE = {
    "ConfigError": "supervisors.problems",
    "SupervisorSpec": "supervisors.config",
    "load": "supervisors.config",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_ELSEWHERE[name]), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
