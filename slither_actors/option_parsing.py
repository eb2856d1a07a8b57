"""From the keyword arguments of a call to the options of its run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from slither_actors.errors import OptionError, OptionTypeError, UnknownOption
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.run_options import RunOptions, is_inline
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch
from slither_actors.strategies.base import BATCH_SIZE
from slither_actors.wording import closest, known_names, shown

__all__ = [
    "ANYTHING",
    "OURS",
    "RUN",
    "check_executor",
    "check_strategy",
    "class_name",
    "default_executor",
    "known_options",
    "parameters_of",
    "parse_options",
    "take_own",
]

_NO_OPTIONS = {"executor", "strategy", "timeout_given", "batch_timeout_given", "ready"}
RUN = frozenset(each.name for each in fields(RunOptions) if each.init) - _NO_OPTIONS
"""The run's own options; executor and strategy are made first."""
_NONE_IS_UNSET = ("max_in_flight", "prefetch", "context")
ANYTHING = "**"
"""Stands for **options among the names of parameters."""


def known_options(*classes: type[Any]) -> list[str]:
    """Return the names of all options, sorted: the run's own, and the parameters of these executors and strategies."""
    own = {name for cls in classes for name in parameters_of(cls)}
    return sorted({"executor", "strategy", "batch_size", *RUN, *own} - {ANYTHING})


def parse_options(options: Mapping[str, object], *, ready: bool = False) -> RunOptions:
    """Return the options of a run, made of keyword arguments.

    Args:
        options: those of `RunOptions`, ``batch_size``, and the keyword parameters of the constructors of executor and
            strategy, which are made here if they were given as classes.
        ready: the run's one batch is given as it is.

    Raises:
        OptionError: a value is out of range or of a wrong type, or an option is unknown, missing, or belongs to
            another executor or strategy; the message names it and what to do.
    """
    given: dict[str, Any] = dict(options)
    executor, strategy = given.pop("executor", None), given.pop("strategy", None)
    executor = check_executor(default_executor(given) if executor is None else executor)
    strategy = check_strategy(FixedBatch if strategy is None else strategy)
    own = take_own(given)
    if "batch_size" in given:
        given["batch_size"] = BATCH_SIZE.check("batch_size", given["batch_size"])
    arguments = _assigned(given, own, {"executor": executor, "strategy": strategy})
    result = RunOptions(
        executor=_made("executor", executor, arguments["executor"]),
        strategy=_made("strategy", strategy, arguments["strategy"]),
        timeout_given="timeout" in own,
        batch_timeout_given="batch_timeout" in own,
        ready=ready,
        **own,
    )
    _claim(result.strategy)
    return result


def take_own(given: dict[str, Any]) -> dict[str, Any]:
    """Take the run's own options out of those that were given; drop those whose None means "not given"."""
    if given.get("batch_size", 0) is None:
        del given["batch_size"]
    own = {name: given.pop(name) for name in list(given) if name in RUN}
    for name in _NONE_IS_UNSET:
        if own.get(name, name) is None:
            del own[name]
    return own


def _assigned(given: dict[str, Any], own: dict[str, Any], parts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the arguments for the constructors of executor and strategy.

    Args:
        given: what is not an option of the run itself.
        own: the options of the run itself.
        parts: executor and strategy, as class or instance; an instance takes no arguments.

    Raises:
        UnknownOption: neither of them has such a parameter.
    """
    parameters = {what: parameters_of(part) if isinstance(part, type) else {} for what, part in parts.items()}
    arguments: dict[str, dict[str, Any]] = {what: {} for what in parts}
    for name, value in given.items():
        # A parameter of this name comes before **options, which take what has no parameter.
        takers = [what for what, known in parameters.items() if name in known]
        takers = takers or [what for what, known in parameters.items() if ANYTHING in known][:1]
        if not takers:
            raise _unknown(name, parts, parameters)
        for what in takers:
            arguments[what][name] = value
    for name in ("pool", "affinity"):  # options of the run that an executor may have as parameters, too
        if name in own and name in parameters["executor"]:
            arguments["executor"][name] = own[name]
    return arguments


def default_executor(given: Mapping[str, object]) -> type[Any]:
    """Return the executor of this package that is meant, by the option that only it has."""
    function, command = "function" in given, "command" in given
    if function and command:
        message = "function is an option of SnakeBridge and command one of Snakepit; give one of them"
        raise OptionError(message, "function", "command")
    if function:
        return SnakeBridge
    if command:
        return Snakepit
    if given.get("module") is not None and not any(map(_like, given)):
        module = shown(given["module"])
        raise OptionError(
            f"function is not given: module={module} says only where it is; say module={module}, function='name'",
            "function",
            "module",
        )
    near = next((f" (is {name!r} meant as {like!r}?)" for name in given if (like := _like(name))), "")
    raise OptionError(
        f"executor is not given{near}; say module='package.module', function='name' for a function that workers "
        "import, command='name' for a command of their adapter, or executor=...",
        "executor",
    )


def _like(name: str) -> str | None:
    return closest(name, ("function", "command", "executor"))


def check_executor(value: object) -> Any:
    """Return the executor as it was given, a class or an instance.

    Raises:
        OptionTypeError: it is no executor.
    """
    if isinstance(value, str):
        raise _text_for_a_class("executor", value, (SnakeBridge, Snakepit), "executors", Snakepit)
    is_inline(value)
    return value


def check_strategy(value: object) -> Any:
    """Return the strategy as it was given, a class or an instance.

    Raises:
        OptionTypeError: it is no Strategy.
    """
    if isinstance(value, str):
        known = (FixedBatch, WeightedBatch, KeyPartition)
        raise _text_for_a_class("strategy", value, known, "strategies", WeightedBatch)
    if not issubclass(value if isinstance(value, type) else type(value), Strategy):
        raise OptionTypeError(
            f"strategy must be a Strategy, not {shown(value)}; subclass slither_actors.strategies.Strategy", "strategy"
        )
    return value


def _text_for_a_class(
    what: str, text: str, ours: tuple[type[Any], ...], folder: str, example: type[Any]
) -> OptionTypeError:
    """Return the error about a text in the place of a class; it names the class of this package that is meant."""
    # A class is looked for by the name of its module, too, which is a usual short name: weighted, keyed.
    names = {name.lower(): cls.__name__ for cls in ours for name in (cls.__module__.rpartition(".")[2], cls.__name__)}
    word = "".join(filter(str.isalnum, text.rpartition(".")[2])).lower()
    found = word if word in names else closest(word, names)
    name = example.__name__ if found is None else names[found]
    hint = f"; {known_names([cls.__name__ for cls in ours])};" if found is None else f", did you mean {name}?"
    return OptionTypeError(
        f"{what} must be a class or an instance, not the text {shown(text)}{hint} "
        f"from slither_actors.{folder} import {name}, and say {what}={name}",
        what,
    )


def parameters_of(cls: type[Any]) -> dict[str, bool]:
    """Return the keyword parameters of a class's constructor, each with whether it must be given."""
    known = OURS.get(cls)
    if known is not None:
        return known
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError):  # written in C, without a signature
        return {}
    return {
        ANYTHING if p.kind is p.VAR_KEYWORD else p.name: p.kind is not p.VAR_KEYWORD and p.default is p.empty
        for p in signature.parameters.values()
        if p.kind not in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL)
    }


# Those of this package are read once: a signature costs as much as the rest of parse_options. Users' classes may come
# and go.
OURS: dict[type[Any], dict[str, bool]] = {}
OURS.update({cls: parameters_of(cls) for cls in (SnakeBridge, Snakepit, FixedBatch, WeightedBatch, KeyPartition)})


def _made(what: str, part: Any, arguments: dict[str, Any]) -> Any:
    """Return the executor or strategy: the instance as given, or one made of the class."""
    if not isinstance(part, type):
        return part
    for name, required in parameters_of(part).items():
        if required and name not in arguments:
            kind = part.__name__
            raise OptionError(f"{kind} needs the option {name}: {what}={kind}, {name}=...", name, what)
    return part(**arguments)


def _claim(strategy: Strategy) -> None:
    """Mark a strategy as this run's. `setdefault` is atomic, so of two runs at once only one gets it."""
    mine = object()
    if vars(strategy).setdefault("_run", mine) is not mine:
        kind = type(strategy).__name__
        raise OptionError(
            f"this {kind} serves another run already; give the class, or a new instance for each run", "strategy"
        )


def _unknown(name: str, parts: dict[str, Any], parameters: dict[str, dict[str, bool]]) -> UnknownOption:
    """Return the error for an option that neither the run nor its executor or strategy has."""
    taken = {option for names in parameters.values() for option in names} - {ANYTHING}
    known = sorted({"executor", "strategy", "batch_size", *RUN, *taken})
    for what, part in parts.items():
        if not isinstance(part, type) and name in parameters_of(type(part)):
            call = f"{class_name(part)}({name}=...)"
            return UnknownOption(
                name, known, f"{what} is given as an instance, which has its options; say {call} instead"
            )
    if name == "batch_size":
        return UnknownOption(name, known, f"{class_name(parts['strategy'])} takes no batch_size")
    for cls, names in OURS.items():
        if name in names:
            what = "strategy" if issubclass(cls, Strategy) else "executor"
            return UnknownOption(
                name,
                known,
                f"it is an option of {cls.__name__}, and the {what} is {class_name(parts[what])}; "
                f"say {what}={cls.__name__} or leave {name} out",
            )
    mistyped = next((other for names in OURS.values() for other in names if closest(name, [other])), None)
    hint = None if mistyped is None or closest(name, known) else f"is {mistyped} meant?"
    return UnknownOption(name, known, hint)


def class_name(part: object) -> str:
    """Return the name of a class, or of an instance's class."""
    return part.__name__ if isinstance(part, type) else type(part).__name__
