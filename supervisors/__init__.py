"""OTP's process and supervisor model on Pykka.

Light actors share one scheduler thread and never block; actors that block have a daemon thread of their own. Both end
with a reason, can be monitored, and live in trees of supervisors that start, restart and stop them by OTP's rules.
"""

from __future__ import annotations

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
from supervisors.registry import AlreadyRegistered, Registry
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
    "SupervisorStopping",
    "TerminateChild",
    "Timer",
    "TreeNode",
    "WhichChildren",
    "WouldDeadlock",
    "abandoned_threads",
    "count_children",
    "delete_child",
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
