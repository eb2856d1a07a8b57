"""What a pool is to be: one validated, frozen record."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.executors.base import AFFINITIES, Affinity
from slither_actors.pools.processes.processors import processors
from slither_actors.validation import checks
from slither_actors.wording import did_you_mean, shown
from supervisors import Backoff


def default_size() -> int:
    """One worker for each processor that this process may use."""
    return processors()


MAX_SIZE = 10_000
"""Workers of a pool: each is a process, six descriptors and some kilobytes here. No machine runs more."""
MAX_BYTES = sys.maxsize
"""What the kernel's limits and lengths can hold."""
MAX_RESTARTS = 1_000_000
"""Restarts within a window that are kept in mind; None lifts the budget."""

RESTART = Backoff(base=0.05, factor=2.0, maximum=5.0, jitter=0.0)
"""The first restart at once, as one crash says little; then doubling, so that one that cannot live costs little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A pool of worker subprocesses.

    Args:
        size: number of workers, up to 10,000 (default: one for each processor this process may use, quotas heeded).
        path: folders put first on the workers' ``sys.path``.
        python: another interpreter for the workers; it needs msgpack and keeps its own ``sys.path`` behind `path`.
        env: variables added to the workers' environment. The numbers of threads of numerical libraries are set unless
            they are here or in the host's; see docs/workers.md.
        preload: modules that each worker imports before it is ready.
        adapter: ``"package.module:Class"`` of a `slither_actors.worker.Adapter` whose commands the workers serve.
        init: keyword arguments for the adapter's ``init``.
        start_timeout: seconds a worker may take to be ready, and a function to be imported.
        timeout: seconds a batch, or with ``each=True`` an item, may take unless its run says; None for no bound.
        batch_timeout: seconds a batch may take in any case unless its run says; None for no bound.
        shutdown: seconds a worker gets to end by itself before it is killed.
        max_frame: bytes one frame may have, on both sides of the pipe.
        shared_memory: whether large `bytes` (of 64 KiB and more) go through memory that host and workers share, where
            the system has such (Linux); else, and with `memory_limit` or `max_rss`, through the pipes, as arrays do.
        max_batches: batches after which a worker is replaced by a new one; None: never.
        max_rss: bytes of resident memory; a worker that has more after a batch is replaced before the next one. (On
            macOS, which tells no process its present size without a library, its largest size counts.)
        memory_limit: bytes of address space a worker may have (RLIMIT_AS); what goes beyond it is a MemoryError in
            its batch. Threads and numerical libraries reserve much more than they use: try it out.
        affinity: what a session id means to the choice of worker: "none", "hint", "strict" or "fail_fast".
        max_restarts: what the pool survives within `max_seconds`, over all workers: failed starts, and deaths with no
            item completed in the pool since the last one ("auto": the larger of 20 and 4 for each worker); None lifts
            the budget. With one, the pool also gives up at more deaths than that in a row in mid-batch with nothing
            completed, however far apart, and when no worker gets ready any more: after 8 failed starts of each.
        max_seconds: the window of `max_restarts`, in seconds.
        restart_backoff: pauses before a worker that cannot live is started again.

    Raises:
        OptionError: a value is out of range or of a wrong type; the message names it.
    """

    size: int = field(default_factory=default_size)
    path: Sequence[str | os.PathLike[str]] = ()
    python: str | os.PathLike[str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    preload: Sequence[str] = ()
    adapter: str | None = None
    init: Mapping[str, Any] = field(default_factory=dict)
    start_timeout: float = 60.0
    timeout: float | None = 30.0
    batch_timeout: float | None = None
    shutdown: float = 5.0
    max_frame: int = 1 << 30
    shared_memory: bool = True
    max_batches: int | None = None
    max_rss: int | None = None
    memory_limit: int | None = None
    affinity: Affinity = "hint"
    max_restarts: int | Literal["auto"] | None = "auto"
    max_seconds: float = 5.0
    restart_backoff: Backoff = RESTART

    def __post_init__(self) -> None:
        self._whole("size", 1, MAX_SIZE)
        checks.seconds("start_timeout", self.start_timeout, none=False)
        checks.seconds("shutdown", self.shutdown, zero=True, none=False)
        if self.timeout is not None:
            checks.seconds("timeout", self.timeout)
        if self.batch_timeout is not None:
            checks.seconds("batch_timeout", self.batch_timeout)
        if not isinstance(self.restart_backoff, Backoff):
            raise OptionTypeError(f"restart_backoff must be a supervisors.Backoff, not {self.restart_backoff!r}")
        self._whole("max_frame", 1024, MAX_BYTES)
        if not isinstance(self.shared_memory, bool):
            raise OptionTypeError(f"shared_memory must be True or False, not {self.shared_memory!r}")
        for limit in ("max_batches", "max_rss", "memory_limit"):
            if getattr(self, limit) is not None:
                self._whole(limit, 1, MAX_BYTES)
        checks.seconds("max_seconds", self.max_seconds, none=False)
        if self.max_restarts == "auto":
            # 20 so that a small pool rides out a burst of poison batches, 4 a worker so that a large one does too.
            object.__setattr__(self, "max_restarts", max(20, 4 * self.size))
        elif self.max_restarts is not None:
            self._whole("max_restarts", 0, MAX_RESTARTS)
        for name in ("path", "preload"):
            object.__setattr__(self, name, _strings(name, getattr(self, name)))
        if self.python is not None:
            object.__setattr__(self, "python", _text("python", self.python))
        if self.adapter is not None:
            module, _, name = _text("adapter", self.adapter).partition(":")
            if not module or not name:
                raise OptionError(f"adapter must be 'package.module:Class', not {self.adapter!r}")
        for name in ("env", "init"):
            value = getattr(self, name)
            if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
                raise OptionTypeError(f"{name} must be a mapping with text keys, not {value!r}")
            object.__setattr__(self, name, dict(value))
        for key, value in self.env.items():
            _variable(key, value)
        if self.affinity not in AFFINITIES:
            raise OptionError(f"affinity must be one of {', '.join(AFFINITIES)}, not {self.affinity!r}")

    def _whole(self, name: str, least: int, most: int) -> None:
        object.__setattr__(self, name, checks.whole(name, getattr(self, name), least, most))

    @property
    def shares(self) -> bool:
        """Whether memory is shared with the workers: what is mapped counts against their limits."""
        return self.shared_memory and self.memory_limit is None and self.max_rss is None

    @classmethod
    def of(cls, value: PoolSpec | Mapping[str, object], name: str) -> PoolSpec:
        """The spec itself, or one made from a mapping; errors name the pool.

        Args:
            value: a PoolSpec, or its keyword arguments as a mapping.
            name: the pool's name, for messages.

        Raises:
            OptionError: unknown key (with the nearest known one) or bad value.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise OptionTypeError(f"pool {name!r} must be a PoolSpec or a mapping, not {value!r}")
        known = [f.name for f in fields(cls)]
        for key in value:
            if key not in known:
                hint = did_you_mean(str(key), known)
                raise OptionError(f"pool {name!r}: unknown key {key!r}{hint} Known: {', '.join(known)}")
        arguments: dict[str, Any] = dict(value)
        try:
            return cls(**arguments)
        except OptionError as error:
            raise type(error)(f"pool {name!r}: {error}") from None


def variable_fault(key: str, value: str) -> str:
    """What is wrong with a variable of an environment, empty if nothing is."""
    if not key or "=" in key:
        return "the name of a variable must not be empty and have no '=' in it; write the value behind the name"
    for what, text in (("name", key), ("value", value)):
        if "\0" in text:
            return f"the {what} of a variable must have no NUL character in it, which would end it there; leave it out"
        try:
            os.fsencode(text)
        except UnicodeEncodeError as error:
            return f"the {what} of a variable must be text that {error.encoding} can carry ({error.reason})"
    return ""


def _variable(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise OptionTypeError(f"env[{key!r}] must be text, not {shown(value)}; write str() of it")
    if fault := variable_fault(key, value):
        raise OptionError(f"env[{key!r}] cannot be {shown(value)}: {fault}")


def _text(name: str, value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str) or not value:
        raise OptionTypeError(f"{name} must be text that is not empty, not {value!r}")
    if "\0" in value:
        raise OptionError(f"{name} must have no NUL character in it, as {value!r} has; leave it out")
    return value


def _strings(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise OptionTypeError(f"{name} must be a list of texts, not {value!r}")
    return tuple(_text(f"{name}[{i}]", part) for i, part in enumerate(value))
