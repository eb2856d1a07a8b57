"""OTP's process and supervisor model on Pykka.

Light actors share one scheduler thread and never block; actors that block have a daemon thread of their own. Both end
with a reason, can be monitored, and belong to trees of supervisors that start, restart and stop them by OTP's rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisors.actors.calls import call
from supervisors.actors.daemon_actor import DaemonActor, DaemonRef, abandoned_threads, supervise_threading
from supervisors.actors.light_actor import Down, LightActor, LightRef, Monitor, monitor
from supervisors.actors.ref import Ref
from supervisors.actors.registry import Registry
from supervisors.actors.reply import Reply
from supervisors.actors.via import Via
from supervisors.errors import (
    AlreadyPresent,
    AlreadyRegistered,
    AlreadyStarted,
    CallTimeout,
    ChildError,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    MaxChildren,
    NotRegistered,
    NotSupported,
    RestartBudgetExceeded,
    SchedulerStopped,
    SpecError,
    StartFailed,
    StartTimeout,
    SupervisorError,
    SupervisorStopping,
    WaitTimeout,
    WouldDeadlock,
)
from supervisors.exits import DEFERRED, IGNORE, Crashed, ExitReason, Killed, Normal, Shutdown
from supervisors.runtime.background_thread import BackgroundThread
from supervisors.runtime.scheduler import Scheduler, Timer
from supervisors.supervision.child import SupervisorStatistics
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.client import (
    count_children,
    delete_child,
    kill,
    restart_child,
    start_child,
    stop,
    terminate_child,
    wait_ended,
    wait_started,
    which_children,
)
from supervisors.supervision.dynamic_supervisor import DynamicSupervisor
from supervisors.supervision.intensity import Backoff
from supervisors.supervision.messages import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    SupervisorMessage,
    TerminateChild,
    WhichChildren,
)
from supervisors.supervision.snapshot import TreeNode, tree
from supervisors.supervision.supervisor import Supervisor

if TYPE_CHECKING:
    from supervisors.actors.deferred_init import with_deferred_init
    from supervisors.config.errors import ConfigError
    from supervisors.config.tree_config import SupervisorSpec, load
    from supervisors.supervision.partitions import Partitions, PartitionSupervisor
    from supervisors.supervision.run import run
    from supervisors.supervision.task_future import TaskFuture
    from supervisors.supervision.tasks import Tasks, TaskSupervisor

__all__ = [
    "DEFERRED",
    "IGNORE",
    "AlreadyPresent",
    "AlreadyRegistered",
    "AlreadyStarted",
    "BackgroundThread",
    "Backoff",
    "CallTimeout",
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
    "PartitionSupervisor",
    "Partitions",
    "Ref",
    "Registry",
    "Reply",
    "RestartBudgetExceeded",
    "RestartChild",
    "Scheduler",
    "SchedulerStopped",
    "Shutdown",
    "SpecError",
    "StartChild",
    "StartFailed",
    "StartTimeout",
    "Supervisor",
    "SupervisorError",
    "SupervisorMessage",
    "SupervisorSpec",
    "SupervisorStatistics",
    "SupervisorStopping",
    "TaskFuture",
    "TaskSupervisor",
    "Tasks",
    "TerminateChild",
    "Timer",
    "TreeNode",
    "Via",
    "WaitTimeout",
    "WhichChildren",
    "WouldDeadlock",
    "abandoned_threads",
    "call",
    "count_children",
    "delete_child",
    "kill",
    "load",
    "monitor",
    "restart_child",
    "run",
    "start_child",
    "stop",
    "supervise_threading",
    "terminate_child",
    "tree",
    "wait_ended",
    "wait_started",
    "which_children",
    "with_deferred_init",
]

# Imported at their first use (PEP 562): programs without files do not load the YAML and JSON Schema readers, and a
# System needs neither tasks nor partitions.
_ELSEWHERE = {
    "ConfigError": "supervisors.config.errors",
    "PartitionSupervisor": "supervisors.supervision.partitions",
    "Partitions": "supervisors.supervision.partitions",
    "SupervisorSpec": "supervisors.config.tree_config",
    "TaskFuture": "supervisors.supervision.task_future",
    "TaskSupervisor": "supervisors.supervision.tasks",
    "Tasks": "supervisors.supervision.tasks",
    "load": "supervisors.config.tree_config",
    "run": "supervisors.supervision.run",
    "with_deferred_init": "supervisors.actors.deferred_init",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_ELSEWHERE[name]), name)
    globals()[name] = value  # the next use does not call this function
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
