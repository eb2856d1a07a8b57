"""The specification of a pool: one validated, frozen record, which declares each key of a pool once."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.executors.base import AFFINITIES, Affinity
from slither_actors.pools.processes.processors import processors
from slither_actors.validation.kinds import Choice, Flag, Seconds, Whole
from slither_actors.validation.option import Schema, check_fields, documented, option
from slither_actors.wording import did_you_mean, shown
from supervisors import Backoff


def default_size() -> int:
    """Return one worker for each processor that this process may use."""
    return min(processors(), MAX_SIZE)


MAX_SIZE = 10_000
"""Workers of a pool: each is a process, six descriptors and some kilobytes here. No machine runs more."""
MAX_CONCURRENCY = 128
"""Batches that a worker executes at a time: the cursors of so many are in one page of memory (`worker.cursor`)."""
MAX_BYTES = sys.maxsize
"""What the kernel's limits and lengths can hold."""
MAX_RESTARTS = 1_000_000
"""Restarts within a window that are kept in mind; None lifts the budget."""

RESTART = Backoff(base=0.05, factor=2.0, maximum=5.0, jitter=0.0)
"""The first restart at once, as one crash says little; then doubling, so that one that cannot live costs little."""


# -- kinds of values that only pools have


@dataclass(frozen=True, slots=True)
class _Path:
    """Text or a path object, without a NUL character, which would end it in a system call."""

    def check(self, name: str, value: object) -> str:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or not value:
            raise OptionTypeError(f"{name} must be text that is not empty, not {shown(value)}", name)
        if "\0" in value:
            raise OptionError(f"{name} must have no NUL character in it, as {shown(value)} has; leave it out", name)
        return value

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class _Paths:
    """A list of such texts."""

    def check(self, name: str, value: object) -> tuple[str, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise OptionTypeError(f"{name} must be a list of texts, not {shown(value)}", name)
        return tuple(_Path().check(f"{name}[{index}]", part) for index, part in enumerate(value))

    def schema(self) -> Schema:
        return {"type": "array", "items": _Path().schema()}


@dataclass(frozen=True, slots=True)
class _ClassPath:
    """``package.module:Class``."""

    def check(self, name: str, value: object) -> str:
        text = _Path().check(name, value)
        module, _, cls = text.partition(":")
        if not module or not cls:
            raise OptionError(f"{name} must be 'package.module:Class', not {shown(value)}", name)
        return text

    def schema(self) -> Schema:
        from supervisors.config.import_paths import DOTTED  # only files need it, and what it imports

        return {"type": "string", "pattern": DOTTED, "errorMessage": "must be of the form package.module:Class"}


@dataclass(frozen=True, slots=True)
class _Arguments:
    """A mapping with text keys."""

    def check(self, name: str, value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise OptionTypeError(f"{name} must be a mapping with text keys, not {shown(value)}", name)
        return dict(value)

    def schema(self) -> Schema:
        return {"type": "object"}


@dataclass(frozen=True, slots=True)
class _Variables:
    """A mapping of variables that an environment can have."""

    def check(self, name: str, value: object) -> dict[str, str]:
        variables = _Arguments().check(name, value)
        for key, text in variables.items():
            if not isinstance(text, str):
                raise OptionTypeError(f"{name}[{key!r}] must be text, not {shown(text)}; write str() of it", name)
            if fault := variable_fault(key, text):
                raise OptionError(f"{name}[{key!r}] cannot be {shown(text)}: {fault}", name)
        return variables

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class _Backoff:
    """A `supervisors.Backoff`; in a file a mapping of its arguments."""

    def check(self, name: str, value: object) -> Backoff:
        if not isinstance(value, Backoff):
            raise OptionTypeError(f"{name} must be a supervisors.Backoff, not {shown(value)}", name)
        return value

    def schema(self) -> Schema:
        from supervisors.config.schema import BACKOFF  # only files need it, and what it imports

        return {rule: what for rule, what in BACKOFF.items() if rule != "description"}


_COUNT = Whole(1, MAX_BYTES)


@documented
@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSpec:
    """A pool of worker subprocesses. Each field is a key of a pool in a file, too; see docs/configuration.md.

    Raises:
        OptionError: a value is out of range or of a wrong type; its `option` names it.
    """

    size: int = field(
        default_factory=default_size,
        metadata=option(
            Whole(1, MAX_SIZE), "Number of workers", unless="one for each processor this process may use, quotas heeded"
        ),
    )
    concurrency: int = field(
        default=1,
        metadata=option(
            Whole(1, MAX_CONCURRENCY),
            "Batches that each worker executes at a time: of `async def` functions on its event loop, of others on "
            "threads",
            see="workers.md#several-batches-at-a-time",
        ),
    )
    path: Sequence[str | os.PathLike[str]] = field(
        default=(),
        metadata=option(
            _Paths(), "Folders put first on the workers' `sys.path`; in a file they count from the file's folder"
        ),
    )
    python: str | os.PathLike[str] | None = field(
        default=None,
        metadata=option(
            _Path(),
            "Another interpreter for the workers; it needs msgpack and keeps its own `sys.path` behind `path`. In a "
            "file a name is looked for on PATH, and with a slash in it it counts from the file's folder",
        ),
    )
    env: Mapping[str, str] = field(
        default_factory=dict,
        metadata=option(
            _Variables(),
            "Variables added to the workers' environment",
            see="workers.md#the-process",
        ),
    )
    preload: Sequence[str] = field(
        default=(), metadata=option(_Paths(), "Modules that each worker imports before it is ready")
    )
    adapter: str | None = field(
        default=None,
        metadata=option(
            _ClassPath(),
            "Where the `slither_actors.worker.Adapter` is whose commands the workers serve, as `package.module:Class`",
        ),
    )
    init: Mapping[str, Any] = field(
        default_factory=dict, metadata=option(_Arguments(), "Keyword arguments for the adapter's `init`")
    )
    start_timeout: float = field(
        default=60.0,
        metadata=option(Seconds(), "Seconds a worker may take to be ready, and a function to be imported"),
    )
    timeout: float | None = field(
        default=30.0,
        metadata=option(
            Seconds(endless=True),
            "Seconds a batch, or with `each` an item, may take unless its run says",
            none="no limit",
        ),
    )
    batch_timeout: float | None = field(
        default=None,
        metadata=option(
            Seconds(endless=True), "Seconds a batch may take in any case unless its run says", none="no limit"
        ),
    )
    max_waiting: int | None = field(
        default=None,
        metadata=option(
            Whole(0, MAX_BYTES),
            "Runs and requests that may wait for a worker without having been served at all; one more is refused at "
            "once with `Overloaded`",
            none="no limit",
            see="guide.md#more-than-the-workers-can-do",
        ),
    )
    queue_timeout: float | None = field(
        default=None,
        metadata=option(
            Seconds(endless=True),
            "Seconds that a batch may wait for a worker the first time while its run has none; then it fails with "
            "`QueueTimeout`",
            none="no limit",
            see="guide.md#more-than-the-workers-can-do",
        ),
    )
    shutdown: float = field(
        default=5.0,
        metadata=option(Seconds(zero=True), "Seconds a worker gets to end by itself before it is killed"),
    )
    max_frame: int = field(
        default=1 << 30,
        metadata=option(Whole(1024, MAX_BYTES), "Bytes that one frame may have, on both sides of the pipe"),
    )
    shared_memory: bool = field(
        default=True,
        metadata=option(
            Flag(),
            "Whether large `bytes` (of 64 KiB and more) go through memory shared with the workers, where the system "
            "has such (Linux); else, and with `memory_limit` or `max_rss`, through the pipes, as arrays do",
        ),
    )
    max_batches: int | None = field(
        default=None,
        metadata=option(_COUNT, "Batches after which a worker is replaced by a new one", none="never"),
    )
    max_rss: int | None = field(
        default=None,
        metadata=option(
            _COUNT,
            "Bytes of resident memory (on macOS the largest that there were); a worker that has more after a batch is "
            "replaced before the next one",
            none="no limit",
        ),
    )
    memory_limit: int | None = field(
        default=None,
        metadata=option(
            _COUNT,
            "Bytes of address space that a worker may have (RLIMIT_AS): what goes beyond is a MemoryError in its "
            "batch. Threads and numerical libraries reserve much more than they use: try it out",
            none="no limit",
        ),
    )
    affinity: Affinity = field(
        default="hint", metadata=option(Choice(AFFINITIES), "What a session id means to the choice of worker")
    )
    max_restarts: int | Literal["auto"] | None = field(
        default="auto",
        metadata=option(
            Whole(0, MAX_RESTARTS, ("auto",)),
            "What the pool survives within `max_seconds`, over all workers: failed starts, and deaths with no item "
            "completed in the pool since the last one; auto: the larger of 20 and 4 for each worker. With a number the "
            "pool also gives up at more deaths than that in a row in mid-batch with nothing completed, and after 8 "
            "failed starts of each worker when none gets ready any more",
            none="any number",
        ),
    )
    max_seconds: float = field(default=5.0, metadata=option(Seconds(), "The window of `max_restarts`, in seconds"))
    restart_backoff: Backoff = field(
        default=RESTART,
        metadata=option(_Backoff(), "Pauses before a worker that cannot live is started again"),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.max_restarts == "auto":
            # 20 so that a small pool rides out a burst of poison batches, 4 a worker so that a large one does too.
            object.__setattr__(self, "max_restarts", max(20, 4 * self.size))

    @property
    def shares(self) -> bool:
        """Whether memory is shared with the workers: what is mapped counts against their limits."""
        return self.shared_memory and self.memory_limit is None and self.max_rss is None

    @classmethod
    def of(cls, value: PoolSpec | Mapping[str, object], name: str) -> PoolSpec:
        """Return the spec itself, or one made from a mapping; errors name the pool.

        Args:
            value: a PoolSpec, or its keyword arguments as a mapping.
            name: the pool's name, for messages.

        Raises:
            OptionError: unknown key (with the nearest known one) or bad value.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise OptionTypeError(f"pool {name!r} must be a PoolSpec or a mapping, not {shown(value)}", "pools")
        known = [each.name for each in fields(cls)]
        for key in value:
            if key not in known:
                hint = did_you_mean(str(key), known)
                message = f"pool {name!r}: unknown key {key!r}{hint} Known: {', '.join(known)}"
                raise OptionError(message, str(key))
        arguments: dict[str, Any] = dict(value)
        try:
            return cls(**arguments)
        except OptionError as error:
            error.args = (f"pool {name!r}: {error}",)
            raise


def variable_fault(key: str, value: str) -> str:
    """Return what is wrong with a variable of an environment; empty if nothing is."""
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
