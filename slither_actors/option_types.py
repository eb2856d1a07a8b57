"""The options of runs and pools as type checkers and editors see them.

`Dispatch.run(items, **options: Unpack[RunKwargs])` lets an editor complete an option's name, and a type checker refuse
an unknown name or a value of a wrong type. What is checked at run time is declared in `run_options`, in the executors
and strategies (for their own parameters), and in `pools.spec`; a test holds that the names are the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from slither_actors.context import Context
from slither_actors.executors.base import Affinity, InlineExecutor, RemoteExecutor
from slither_actors.item import Item
from slither_actors.policies import Policy
from slither_actors.strategies.base import Strategy
from supervisors import Backoff

__all__ = ["BatcherKwargs", "CallKwargs", "ChunkKwargs", "OnError", "Ordering", "PoolKwargs", "RunKwargs"]

Ordering = Literal["preserve", "as_completed"]
OnError = Literal["halt", "skip"] | Policy


class CallKwargs(TypedDict, total=False):
    """Options of `call_batch` and `acall_batch`; docs/options.md says what each of them means.

    The parameters of an executor or strategy class of one's own are options too. A type checker takes them as a mapping
    of Any: ``own: dict[str, Any] = {"speed": 3}`` and ``run(items, executor=Mine, **own)``.
    """

    executor: type[RemoteExecutor | InlineExecutor] | RemoteExecutor | InlineExecutor | None
    module: str | None
    function: str | Callable[..., Any]
    each: bool
    command: str
    pool: str | None
    context: Context | None
    affinity: Affinity | None
    max_in_flight_bytes: int | None
    ordering: Ordering
    on_error: OnError
    timeout: float | None
    batch_timeout: float | None
    deadline: float | None
    on_abandon: Literal["finish", "kill"]


class RunKwargs(CallKwargs, total=False):
    """Options of `run`, `stream`, `arun` and `astream`, and the defaults of ``System(dispatch=...)``."""

    strategy: Strategy | type[Strategy] | None
    batch_size: int | None
    weight_fn: Callable[[Item], float] | None
    max_weight: float
    key_fn: Callable[[Item], Hashable]
    linger: float | None
    max_in_flight: int | None
    prefetch: int | None


class ChunkKwargs(TypedDict, total=False):
    """Options of `stream_one` itself."""

    reader_timeout: float | None
    max_ahead: int
    max_ahead_bytes: int


class BatcherKwargs(CallKwargs, total=False):
    """Options of `System.batcher`."""

    max_batch_size: int
    max_wait: float
    max_queue: int | None
    weight_fn: Callable[[Any], float] | None
    max_weight: float | None
    split: bool


class PoolKwargs(TypedDict, total=False):
    """The parameters of `PoolSpec`, for a pool that is given as a mapping."""

    size: int
    concurrency: int
    path: Sequence[str | os.PathLike[str]]
    python: str | os.PathLike[str] | None
    env: Mapping[str, str]
    preload: Sequence[str]
    adapter: str | None
    init: Mapping[str, Any]
    start_timeout: float
    timeout: float | None
    batch_timeout: float | None
    max_waiting: int | None
    queue_timeout: float | None
    shutdown: float
    max_frame: int
    shared_memory: bool
    max_batches: int | None
    max_rss: int | None
    memory_limit: int | None
    affinity: Affinity
    max_restarts: int | Literal["auto"] | None
    max_seconds: float
    restart_backoff: Backoff
