"""The options of a run: one validated record, which declares each of the run's own options once.

The options of executors and strategies are declared by their classes; `option_parsing` makes a record of what a call
gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from slither_actors.context import Context
from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.executors import InlineExecutor, RemoteExecutor, SnakeBridge, Snakepit
from slither_actors.executors.base import AFFINITY, POOL, Affinity, check_affinity, check_pool
from slither_actors.policies import HALT, OnErrorKind, Policy
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch
from slither_actors.validation.callbacks import check_call
from slither_actors.validation.kinds import Choice, Seconds, Whole
from slither_actors.validation.option import check_fields, option
from slither_actors.wording import shown

Executor = RemoteExecutor | InlineExecutor

ORDERINGS = ("preserve", "as_completed")
ON_ABANDON = ("finish", "kill")
INLINE_THREADS = 8
"""Threads of a run with an inline executor, unless `max_in_flight` is given."""
LEAST_WINDOW = 32
"""Batches in all that a run may have pulled where neither `max_in_flight` nor `prefetch` is given and its pool is
small: with fewer, the workers of a small pool run dry while the threads of the host take turns."""
PREFETCH = 3
"""Batches that may wait, for each that a worker is at: what is pulled while a consumer of results is at one."""


class _NotGiven(int):
    """An integer that no caller can give: it is compared by identity."""


NOT_GIVEN: Final[int] = _NotGiven(-1)
"""`max_in_flight` and `prefetch` until `settle` replaces it."""

# Bounds that no sane run meets; they keep products of options within what timers and counters can hold.
_MOST_IN_FLIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class _ContextKind:
    """A `Context`."""

    def check(self, name: str, value: object) -> Context:
        if not isinstance(value, Context):
            raise OptionTypeError(
                f"{name} must be a Context, not {shown(value)}; say Context.new(session_id=...)", name
            )
        return value

    def schema(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of one run. Made by `option_parsing.parse_options`; bad values cannot be built.

    Raises:
        OptionError: a value is out of range or of a wrong type; its `option` names it.
    """

    executor: Executor = field(
        metadata=option(
            None,
            "What a batch is to a worker: `SnakeBridge`, `Snakepit`, or one of your own (class or instance)",
            unless="by what else is given",
            see="workers.md#executors-of-your-own",
            in_file=False,
        )
    )
    strategy: Strategy = field(
        metadata=option(
            None,
            "How items are grouped: `FixedBatch`, `WeightedBatch`, `KeyPartition`, or one of your own (class or "
            "instance)",
            unless="`FixedBatch`",
            see="guide.md#a-strategy-of-your-own",
            in_file=False,
        )
    )
    max_in_flight: int = field(
        default=NOT_GIVEN,
        metadata=option(
            Whole(1, _MOST_IN_FLIGHT),
            "Workers that a run may occupy at a time; in a pool with `concurrency` batches executed at a time",
            unless="as many as its pool has, times its `concurrency`; of an inline executor 8 threads",
        ),
    )
    prefetch: int = field(
        default=NOT_GIVEN,
        metadata=option(
            Whole(0, PREFETCH * _MOST_IN_FLIGHT),
            "Batches that may be pulled beyond those, finished or not; 0 sends none ahead",
            unless="3 for each of `max_in_flight` (if that is not given either 32 in all for pools of less than 8); of "
            "a list, whose items are in memory anyway, more while batches are short, up to 256 batches and 4 MiB",
        ),
    )
    max_in_flight_bytes: int | None = field(
        default=None,
        metadata=option(
            Whole(1),
            "Bytes of requests and held replies above which nothing new is pulled or encoded",
            none="no such limit",
        ),
    )
    ordering: Literal["preserve", "as_completed"] = field(
        default="preserve",
        metadata=option(
            Choice(ORDERINGS), "Order of the results: preserve: that of the input; as_completed: as they come"
        ),
    )
    on_error: Policy = field(
        default=HALT,
        metadata=option(
            OnErrorKind(),
            "What becomes of a batch that failed: halt, skip, a `Retry` (in a file `retry`, or `retry:` with its "
            "options), or, not in a file, a `Route`",
            unless="halt",
            see="guide.md#when-a-batch-fails",
        ),
    )
    timeout: float | None = field(
        default=30.0,
        metadata=option(
            Seconds(endless=True),
            "Seconds that a batch, or with `each` an item, may take on its worker, which is killed then; it also "
            "bounds what is being executed when the run is left",
            unless="the pool's, 30",
            none="no limit",
        ),
    )
    batch_timeout: float | None = field(
        default=None,
        metadata=option(
            Seconds(endless=True),
            "Seconds that a batch may take in any case",
            unless="the pool's, which has no limit",
            none="no limit",
        ),
    )
    deadline: float | None = field(
        default=None,
        metadata=option(
            Seconds(endless=True),
            "Seconds that the whole run may take from the call on, waiting included; then it ends with "
            "`DeadlineExceeded`",
            none="no limit",
            see="guide.md#deadlines",
        ),
    )
    on_abandon: Literal["finish", "kill"] = field(
        default="finish",
        metadata=option(
            Choice(ON_ABANDON),
            "What becomes of a batch in execution when its run is left: finish: it runs out, its result dropped; kill: "
            "its worker is killed and replaced, but once in ten times what its start takes",
            see="guide.md#work-whose-caller-is-gone",
        ),
    )
    linger: float | None = field(
        default=None,
        metadata=option(
            Seconds(zero=True, endless=True),
            "Seconds after which a part-filled batch is sent",
            none="only full ones, and the rest at the end",
        ),
    )
    context: Context = field(
        default_factory=Context.new,
        metadata=option(
            _ContextKind(),
            "A `Context`: the session, pipe and stage",
            unless="a new one",
            see="workers.md#sessions",
            in_file=False,
        ),
    )
    pool: str | None = field(default=None, metadata={"option": POOL})
    affinity: Affinity | None = field(default=None, metadata={"option": AFFINITY})
    timeout_given: bool = True
    """Whether `timeout` is the run's own; otherwise the pool's own applies."""
    batch_timeout_given: bool = True
    """The same of `batch_timeout`."""
    ready: bool = False
    """Whether the run's one batch was given as it is, to `call_batch`."""
    in_flight_given: bool = field(init=False)
    """Whether the caller gave `max_in_flight`."""
    prefetch_given: bool = field(init=False)
    """Whether the caller gave `prefetch`."""
    inline: bool = field(init=False)
    """Whether the executor is an InlineExecutor."""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "inline", is_inline(self.executor))
        _check_methods("executor", self.executor, _INLINE if self.inline else _REMOTE)
        _check_methods("strategy", self.strategy, _STRATEGY)
        put(self, "in_flight_given", self.max_in_flight is not NOT_GIVEN)
        put(self, "prefetch_given", self.prefetch is not NOT_GIVEN)
        check_fields(self)
        if self.linger is not None and self.strategy.whole_input:
            raise OptionError(
                f"linger has no meaning with {type(self.strategy).__name__} as given here: it holds the whole "
                "input until its end; give batch_size, too, or leave linger out",
                "linger",
            )
        if self.inline:
            for name in ("pool", "affinity"):
                if getattr(self, name) is not None:
                    kind = type(self.executor).__name__
                    raise OptionError(f"{name} has no meaning with {kind}, which executes in this process", name)
            if self.on_abandon == "kill":
                kind = type(self.executor).__name__
                raise OptionError(
                    f"on_abandon='kill' has no meaning with {kind}, whose threads cannot be killed; leave it out",
                    "on_abandon",
                )
        if self.pool is None:
            put(self, "pool", check_pool(getattr(self.executor, "pool", None)))
        if self.affinity is None:
            put(self, "affinity", check_affinity(getattr(self.executor, "affinity", None)))
        if self.inline:
            self.settle(INLINE_THREADS)
        elif self.in_flight_given:
            self.settle(self.max_in_flight)

    def settle(self, workers: int) -> None:
        """Set what depends on the pool: before anything reads `max_in_flight` and `prefetch`.

        Args:
            workers: how many the run's pool has, times the batches that each executes at a time.
        """
        if not self.in_flight_given:
            object.__setattr__(self, "max_in_flight", workers)
        if not self.prefetch_given:
            least = 0 if self.in_flight_given else LEAST_WINDOW - workers
            object.__setattr__(self, "prefetch", max(PREFETCH * self.max_in_flight, least))

    @property
    def batch_size(self) -> int | None:
        """Most items in a batch; None where the strategy closes batches by other means."""
        return self.strategy.batch_size


def is_inline(executor: object) -> bool:
    """Return whether an executor, or a class of one, is an inline one.

    Raises:
        OptionTypeError: it is neither that nor a remote one, or both.
    """
    inline = callable(getattr(executor, "execute_batch", None))
    remote = callable(getattr(executor, "request", None)) and callable(getattr(executor, "results", None))
    if inline is remote:
        has = "both of them" if inline else "neither"
        raise OptionTypeError(
            f"executor must have request() and results() (a RemoteExecutor) or execute_batch() (an InlineExecutor), "
            f"{shown(executor)} has {has}",
            "executor",
        )
    return inline


_INLINE: dict[str, tuple[str, ...]] = {"execute_batch": ("batch", "context", "options")}
_REMOTE: dict[str, tuple[str, ...]] = {"request": ("batch", "context", "options"), "results": ("batch", "reply")}
_STRATEGY: dict[str, tuple[str, ...]] = {"add": ("item",), "flush": (), "release": (), "extend": ("items",)}
# What these give is iterated, so they may be generators.
_LAZY = frozenset({"execute_batch", "results", "add", "flush", "release", "extend"})


# Those of this package were written to fit.
_CHECKED = (FixedBatch, WeightedBatch, KeyPartition, SnakeBridge, Snakepit)


def _check_methods(option: str, part: object, methods: dict[str, tuple[str, ...]]) -> None:
    """Refuse a user's own executor or strategy with a method that cannot be called as it will be.

    Raises:
        OptionTypeError: one takes other arguments, or is an async function.
    """
    if type(part) in _CHECKED:
        return
    for method, parameters in methods.items():
        name, lazy = f"{type(part).__name__}.{method}", method in _LAZY
        check_call(name, getattr(part, method), parameters, lazy=lazy, option=option)
