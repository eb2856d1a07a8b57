"""The options of a run: one validated record, and how keyword arguments become it."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from slither_actors.context import Context
from slither_actors.errors import OptionError, OptionTypeError, UnknownOption, UnknownPool
from slither_actors.executors import InlineExecutor, RemoteExecutor, SnakeBridge, Snakepit
from slither_actors.executors.base import Affinity, check_affinity, check_pool
from slither_actors.policies import Policy, parse_on_error
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch
from slither_actors.strategies.fixed import MAX_BATCH
from slither_actors.validation import checks
from slither_actors.validation.callbacks import check_call
from slither_actors.wording import closest, known_names, shown

Executor = RemoteExecutor | InlineExecutor

ORDERINGS = ("preserve", "as_completed")
INLINE_THREADS = 8
"""Threads of a run with an inline executor, unless `max_in_flight` is given."""
LEAST_WINDOW = 32
"""Batches in all that a run may have pulled where neither `max_in_flight` nor `prefetch` is given and its pool is
small: with fewer, the workers of a small pool run dry while the threads of the host take turns."""
PREFETCH = 3
"""Batches that may wait, for each that a worker is at: what is pulled while a consumer of results is at one."""

# Bounds that no sane run meets; they keep products of options within what timers and counters can hold.
_MOST_IN_FLIGHT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of one run. Made by :func:`parse_options`; bad values cannot be built.

    Args:
        executor: what a batch is to a worker, or an InlineExecutor.
        strategy: how items are grouped; serves this run only.
        max_in_flight: workers that the run may occupy at a time; None: as many as its pool has, of an inline executor
            8 threads. Replaced by that number when the pool is known (`settle`), which is before anything reads it.
        prefetch: batches that may be pulled beyond those, finished or not; None: 3 for each of `max_in_flight`
            (and, where that is not given either, no fewer than make 32 with those of small pools), and
            of a list, range or the like, whose items are in memory anyway, as many more as help while batches are
            short (no more than 256 batches and 4 MiB of requests and replies in all).
        max_in_flight_bytes: nothing new is pulled or encoded while requests and held replies exceed it; None: no such
            limit.
        ordering: "preserve" (results in the order of the input) or "as_completed".
        on_error: what becomes of a batch that failed: "halt", "skip", Retry(...) or Route(fn).
        timeout: seconds a batch may take on its worker; with ``each=True``, and where the function says at which item
            it is by `slither_actors.worker.progress`, seconds an item may take; None: no limit.
        batch_timeout: seconds a batch may take in any case; None: no limit.
        linger: seconds after which a part-filled batch is sent; None: when it is full, or nothing else is left to do.
        context: session, pipeline and stage; None: a new one.
        pool: name of the pool; None: the one that the executor names, "default", or the only one.
        affinity: what a session means to the choice of worker; None: as the pool says.

    Raises:
        OptionError: a value is out of range or of a wrong type; the message names the option.
    """

    executor: Executor
    strategy: Strategy
    max_in_flight: int = None  # type: ignore[assignment]  # None is replaced in `settle`
    prefetch: int = None  # type: ignore[assignment]  # None is replaced at once: readers never see it
    max_in_flight_bytes: int | None = None
    ordering: Literal["preserve", "as_completed"] = "preserve"
    on_error: Policy = "halt"  # type: ignore[assignment]  # parsed at once
    timeout: float | None = 30.0
    batch_timeout: float | None = None
    linger: float | None = None
    context: Context = None  # type: ignore[assignment]  # None is replaced at once
    pool: str | None = None
    affinity: Affinity | None = None
    timeout_given: bool = True
    """Whether `timeout` is the run's own; otherwise the pool's own applies."""
    batch_timeout_given: bool = True
    """The same of `batch_timeout`."""
    prefetch_given: bool = field(init=False)
    """Whether `prefetch` is the caller's own word."""
    inline: bool = field(init=False)
    """Whether the executor is an InlineExecutor."""

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("inline", _is_inline(self.executor))
        _check_methods(self.executor, _INLINE if self.inline else _REMOTE)
        _check_methods(self.strategy, _STRATEGY)
        at_a_time: Any = self.max_in_flight
        if at_a_time is not None:
            put("max_in_flight", checks.whole("max_in_flight", at_a_time, 1, _MOST_IN_FLIGHT))
        prefetch: Any = self.prefetch
        put("prefetch_given", prefetch is not None)
        if prefetch is not None:
            put("prefetch", checks.whole("prefetch", prefetch, 0, PREFETCH * _MOST_IN_FLIGHT))
        if self.max_in_flight_bytes is not None:
            put("max_in_flight_bytes", checks.whole("max_in_flight_bytes", self.max_in_flight_bytes, 1))
        checks.choice("ordering", self.ordering, ORDERINGS)
        put("on_error", parse_on_error(self.on_error))
        if self.timeout is not None:
            put("timeout", checks.seconds("timeout", self.timeout))
        if self.batch_timeout is not None:
            put("batch_timeout", checks.seconds("batch_timeout", self.batch_timeout))
        if self.linger is not None:
            put("linger", checks.seconds("linger", self.linger, zero=True))
            if self.strategy.whole_input:
                raise OptionError(
                    f"linger has no meaning with {type(self.strategy).__name__} as given here: it holds the whole "
                    "input until its end; give batch_size, too, or leave linger out"
                )
        context: Any = self.context
        if context is None:
            put("context", Context.new())
        elif not isinstance(context, Context):
            raise OptionTypeError(f"context must be a Context, not {shown(context)}; say Context.new(session_id=...)")
        for name, check in (("pool", check_pool), ("affinity", check_affinity)):
            given = check(getattr(self, name))
            if self.inline and given is not None:
                raise OptionError(
                    f"{name} has no meaning with {type(self.executor).__name__}, which executes in this process"
                )
            put(name, check(getattr(self.executor, name, None)) if given is None else given)
        if self.inline:
            self.settle(INLINE_THREADS)
        elif at_a_time is not None:
            self.settle(at_a_time)

    def settle(self, workers: int) -> None:
        """Set what depends on the pool: before anything reads `max_in_flight` and `prefetch`.

        Args:
            workers: how many the run's pool has.
        """
        at_a_time: Any = self.max_in_flight
        if at_a_time is None:
            object.__setattr__(self, "max_in_flight", workers)
        if not self.prefetch_given:
            least = LEAST_WINDOW - workers if at_a_time is None else 0
            object.__setattr__(self, "prefetch", max(PREFETCH * self.max_in_flight, least))

    @property
    def batch_size(self) -> int | None:
        """Most items in a batch; None where the strategy closes batches by other means."""
        return self.strategy.batch_size


def parse_options(options: Mapping[str, object]) -> RunOptions:
    """The options of a run from keyword arguments.

    Args:
        options: those of `RunOptions`, ``batch_size``, and the keyword parameters of the constructors of executor and
            strategy, which are made here if they were given as classes.

    Raises:
        OptionError: a value is out of range or of a wrong type, or an option is unknown, missing, or belongs to
            another executor or strategy; the message names it and what to do.
    """
    given: dict[str, Any] = dict(options)
    executor, strategy = given.pop("executor", None), given.pop("strategy", None)
    executor = _part(_default_executor(given) if executor is None else executor, "executor")
    strategy = _part(FixedBatch if strategy is None else strategy, "strategy")
    parts = {"executor": executor, "strategy": strategy}
    parameters = {what: _parameters(part) if isinstance(part, type) else {} for what, part in parts.items()}
    own = {name: given.pop(name) for name in list(given) if name in _RUN}
    batch_size = given.get("batch_size")
    if batch_size is None:  # unset: the strategy's own
        given.pop("batch_size", None)
    else:
        given["batch_size"] = checks.whole("batch_size", batch_size, 1, MAX_BATCH)
    arguments: dict[str, dict[str, Any]] = {"executor": {}, "strategy": {}}
    for name, value in given.items():
        takers = [what for what, known in parameters.items() if name in known or _ANYTHING in known]
        # Who names an option is its taker; **options of another takes what nobody names.
        takers = [what for what in takers if name in parameters[what]] or takers[:1]
        if not takers:
            raise _unknown(name, parts, parameters)
        for what in takers:
            arguments[what][name] = value
    for name in ("pool", "affinity"):  # options of the run; an executor that has such parameters is told, too
        if name in own and name in parameters["executor"]:
            arguments["executor"][name] = own[name]
    made = {what: _make(what, part, parameters[what], arguments[what]) for what, part in parts.items()}
    result = RunOptions(
        executor=made["executor"],
        strategy=made["strategy"],
        timeout_given="timeout" in own,
        batch_timeout_given="batch_timeout" in own,
        **own,
    )
    _take(result.strategy)
    return result


def check_defaults(defaults: Any, pools: Collection[str]) -> dict[str, Any]:
    """A System's defaults for the options of its runs, checked as far as that goes without what only a run gives.

    An option that nobody knows may be one of a run's own executor or strategy; only if it looks much like one of ours
    it is taken for a mistake.

    Args:
        defaults: by option; None: there are none.
        pools: names of the System's pools.

    Raises:
        OptionError: as `parse_options`; the message says that it is about the defaults.
    """
    if defaults is None:
        return {}
    if not isinstance(defaults, Mapping):
        raise OptionTypeError(
            f"dispatch must be a mapping of defaults such as {{'batch_size': 100}}, not {shown(defaults)}"
        )
    try:
        _check_defaults(dict(defaults), pools)
    except OptionError as error:
        error.args = (f"the System's defaults for runs (dispatch): {error}",)
        raise
    return dict(defaults)


def _check_defaults(given: dict[str, Any], pools: Collection[str]) -> None:
    executor, strategy = given.pop("executor", None), given.pop("strategy", None)
    if executor is not None:
        _part(executor, "executor")
    elif "function" in given or "command" in given:
        executor = _default_executor(given)
    if strategy is not None and not isinstance(_part(strategy, "strategy"), type):
        raise OptionError(
            f"strategy must be a class, not an instance, which serves one run only; give {_name(strategy)} itself, and "
            "its options as defaults beside it"
        )
    own = {name: given.pop(name) for name in list(given) if name in _RUN}
    if given.get("batch_size", 0) is None:
        del given["batch_size"]
    parts = [part for part in (executor, strategy) if isinstance(part, type)]
    takers = [*_OURS.values(), *map(_parameters, parts)]
    known = sorted({"executor", "strategy", *_RUN, *(name for names in takers for name in names)} - {_ANYTHING})
    for name in given:
        if not isinstance(name, str):
            raise OptionTypeError(f"an option's name must be text, not {shown(name)}")
        if not any(name in names or _ANYTHING in names for names in takers) and closest(name, known, 0.8):
            raise UnknownOption(name, known)
    if isinstance(given.get("function"), str):
        given = {"module": "that_a_run_names", **given}
    for cls, names in _OURS.items():
        # Ours are made to have their options checked; a user's own may do anything in its constructor.
        meant = cls in (executor, strategy) or (strategy is None and issubclass(cls, Strategy))
        if meant and all(name in given for name, required in names.items() if required):
            cls(**{name: given[name] for name in names if name in given})
    if executor is None or isinstance(executor, type):
        executor = SnakeBridge(module="that_a_run_names", function="that_too")
    # Of its own batches a run may say more, so `linger` is not held against the strategy.
    pool = RunOptions(executor=executor, strategy=FixedBatch(), **own).pool
    if pool is not None and pool not in pools:
        raise UnknownPool(pool, pools)


_RUN = frozenset(f.name for f in fields(RunOptions) if f.init) - {
    "executor",
    "strategy",
    "timeout_given",
    "batch_timeout_given",
}
_ANYTHING = "**"  # stands for **options among the names of parameters


def known_options(*classes: type[Any]) -> list[str]:
    """Return the names of all options, sorted: the run's own, and the parameters of these executors and strategies."""
    own = {name for cls in classes for name in _parameters(cls)}
    return sorted({"executor", "strategy", "batch_size", *_RUN, *own} - {_ANYTHING})


def _default_executor(given: dict[str, Any]) -> type[Any]:
    """Which of our own is meant, from the option that only it has."""
    function, command = "function" in given, "command" in given
    if function and command:
        raise OptionError("function is an option of SnakeBridge and command one of Snakepit; give one of them")
    if function:
        return SnakeBridge
    if command:
        return Snakepit
    if given.get("module") is not None and not any(map(_like, given)):
        module = given["module"]
        raise OptionError(
            f"function is not given: module={shown(module)} says only where it is; say module={shown(module)}, "
            "function='name'"
        )
    near = next((f" (is {name!r} meant as {like!r}?)" for name in given for like in _like(name)), "")
    raise OptionError(
        f"executor is not given{near}; say module='package.module', function='name' for a function that workers "
        "import, command='name' for a command of their adapter, or executor=..."
    )


def _like(name: str) -> list[str]:
    return [like for like in ("function", "command", "executor") if closest(name, [like])]


def _part(value: Any, what: str) -> Any:
    """The executor or strategy as given, if it is one: a class or an instance."""
    cls = value if isinstance(value, type) else type(value)
    if isinstance(value, str):
        hint = _meant(what, value)
        raise OptionTypeError(f"{what} must be a class or an instance, not the text {shown(value)}{hint}")
    if what == "strategy":
        if not issubclass(cls, Strategy):
            raise OptionTypeError(
                f"strategy must be a Strategy, not {shown(value)}; subclass slither_actors.strategies.Strategy"
            )
        return value
    _is_inline(value)
    return value


def _meant(what: str, text: str) -> str:
    """Which of our own classes a text names, by its name or something like it, and how to say that."""
    ours = (SnakeBridge, Snakepit) if what == "executor" else (FixedBatch, WeightedBatch, KeyPartition)
    # A class is looked for by the name of its module, too, which is how one says it for short: weighted, keyed.
    names = {name.lower(): cls.__name__ for cls in ours for name in (cls.__module__.rpartition(".")[2], cls.__name__)}
    word = "".join(filter(str.isalnum, text.rpartition(".")[2])).lower()
    close = word if word in names else closest(word, names)
    folder = "executors" if what == "executor" else "strategies"
    if not close:
        example = ours[1 if what == "strategy" else 0].__name__
        known = known_names([cls.__name__ for cls in ours])
        return f"; {known}; from slither_actors.{folder} import {example}, and say {what}={example}"
    name = names[close]
    return f", did you mean {name}? from slither_actors.{folder} import {name}, and say {what}={name}"


def _is_inline(executor: Any) -> bool:
    """Whether an executor, or a class of one, is an inline one.

    Raises:
        OptionTypeError: it is neither that nor a remote one, or both.
    """
    inline = callable(getattr(executor, "execute_batch", None))
    remote = callable(getattr(executor, "request", None)) and callable(getattr(executor, "results", None))
    if inline is remote:
        has = "both of them" if inline else "neither"
        raise OptionTypeError(
            f"executor must have request() and results() (a RemoteExecutor) or execute_batch() (an InlineExecutor), "
            f"{shown(executor)} has {has}"
        )
    return inline


_INLINE: dict[str, tuple[str, ...]] = {"execute_batch": ("batch", "context", "options")}
_REMOTE: dict[str, tuple[str, ...]] = {"request": ("batch", "context", "options"), "results": ("batch", "reply")}
_STRATEGY: dict[str, tuple[str, ...]] = {"add": ("item",), "flush": (), "release": (), "extend": ("items",)}
# What these give is iterated, so they may be generators.
_LAZY = frozenset({"execute_batch", "results", "add", "flush", "release", "extend"})


def _check_methods(part: Any, methods: dict[str, tuple[str, ...]]) -> None:
    """The methods of a user's own executor or strategy can be called as they will be.

    Raises:
        OptionTypeError: one takes other arguments, or is an async function.
    """
    if type(part) in _OURS:
        return
    for method, parameters in methods.items():
        check_call(f"{type(part).__name__}.{method}", getattr(part, method), parameters, lazy=method in _LAZY)


def _parameters(cls: type[Any]) -> dict[str, bool]:
    """The keyword parameters of a class's constructor, each with whether it must be given."""
    known = _OURS.get(cls)
    if known is not None:
        return known
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError):  # written in C, without a signature
        return {}
    return {
        _ANYTHING if p.kind is p.VAR_KEYWORD else p.name: p.kind is not p.VAR_KEYWORD and p.default is p.empty
        for p in signature.parameters.values()
        if p.kind not in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)
    }


# Our own are read once: a signature costs as much as the rest of parse_options. Users' classes may come and go.
_OURS: dict[type[Any], dict[str, bool]] = {}
_OURS.update({cls: _parameters(cls) for cls in (SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition)})


def _make(what: str, part: Any, parameters: dict[str, bool], arguments: dict[str, Any]) -> Any:
    """The executor or strategy: the instance as given, or one made of the class."""
    if not isinstance(part, type):
        return part
    for name, required in parameters.items():
        if required and name not in arguments:
            raise OptionError(f"{part.__name__} needs the option {name}: {what}={part.__name__}, {name}=...")
    return part(**arguments)


def _take(strategy: Strategy) -> None:
    """Mark a strategy as this run's. `setdefault` is atomic, so of two runs at once only one gets it."""
    mine = object()
    if vars(strategy).setdefault("_run", mine) is not mine:
        raise OptionError(
            f"this {type(strategy).__name__} serves another run already; give the class, or a new instance for each run"
        )


def _unknown(name: str, parts: dict[str, Any], parameters: dict[str, dict[str, bool]]) -> UnknownOption:
    """The error for an option that neither the run nor its executor or strategy has."""
    taken = {option for names in parameters.values() for option in names} - {_ANYTHING}
    known = sorted({"executor", "strategy", "batch_size", *_RUN, *taken})
    for what, part in parts.items():
        if not isinstance(part, type) and name in _parameters(type(part)):
            call = f"{_name(part)}({name}=...)"
            return UnknownOption(
                name, known, f"{what} is given as an instance, which has its options; say {call} instead"
            )
    if name == "batch_size":
        return UnknownOption(name, known, f"{_name(parts['strategy'])} takes no batch_size")
    for cls, names in _OURS.items():
        if name in names:
            what = "strategy" if issubclass(cls, Strategy) else "executor"
            return UnknownOption(
                name,
                known,
                f"it is an option of {cls.__name__}, and the {what} is {_name(parts[what])}; "
                f"say {what}={cls.__name__} or leave {name} out",
            )
    mistyped = next((other for names in _OURS.values() for other in names if closest(name, [other])), None)
    hint = None if mistyped is None or closest(name, known) else f"is {mistyped} meant?"
    return UnknownOption(name, known, hint)


def _name(part: Any) -> str:
    cls: type[Any] = part if isinstance(part, type) else type(part)
    return cls.__name__
