"""A System's defaults for the options of its runs: checked when the System is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from slither_actors.errors import OptionError, OptionTypeError, UnknownOption, UnknownPool
from slither_actors.executors import SnakeBridge
from slither_actors.option_parsing import (
    ANYTHING,
    OURS,
    check_executor,
    check_strategy,
    class_name,
    default_executor,
    known_options,
    parameters_of,
    take_own,
)
from slither_actors.run_options import RunOptions
from slither_actors.strategies import FixedBatch, Strategy
from slither_actors.wording import closest, shown

__all__ = ["check_defaults"]

# Stands for what only a run gives, so that the rest can be checked.
_BY_THE_RUN = "given_by_the_run"


def check_defaults(defaults: object, pools: Collection[str]) -> dict[str, Any]:
    """Return a System's defaults for the options of its runs, checked as far as is possible without a run.

    An unknown option may be one of a run's own executor or strategy; it is refused only if its name is much like that
    of a known one.

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
            f"dispatch must be a mapping of defaults such as {{'batch_size': 100}}, not {shown(defaults)}", "dispatch"
        )
    try:
        _check(dict(defaults), pools)
    except OptionError as error:
        error.args = (f"the System's defaults for runs (dispatch): {error}",)
        raise
    return dict(defaults)


def _check(given: dict[str, Any], pools: Collection[str]) -> None:
    executor, strategy = given.pop("executor", None), given.pop("strategy", None)
    if executor is not None:
        check_executor(executor)
    elif "function" in given or "command" in given:
        executor = default_executor(given)
    if strategy is not None and not isinstance(check_strategy(strategy), type):
        raise OptionError(
            f"strategy must be a class, not an instance, which serves one run only; give {class_name(strategy)} "
            "itself, and its options as defaults beside it",
            "strategy",
        )
    own = take_own(given)
    _check_names(given, [part for part in (executor, strategy) if isinstance(part, type)])
    _check_parts(given, executor, strategy)
    if executor is None or isinstance(executor, type):
        executor = SnakeBridge(module=_BY_THE_RUN, function=_BY_THE_RUN)
    # A run may name another strategy, so `linger` is not held against this one.
    pool = RunOptions(executor=executor, strategy=FixedBatch(), **own).pool
    if pool is not None and pool not in pools:
        raise UnknownPool(pool, pools)


def _check_names(given: Mapping[str, object], parts: list[type[Any]]) -> None:
    takers = [*OURS.values(), *map(parameters_of, parts)]
    known = known_options(*OURS, *parts)
    for name in given:
        if not isinstance(name, str):
            raise OptionTypeError(f"an option's name must be text, not {shown(name)}")
        if not any(name in names or ANYTHING in names for names in takers) and closest(name, known, 0.8):
            raise UnknownOption(name, known)


def _check_parts(given: dict[str, Any], executor: object, strategy: object) -> None:
    """Make each executor and strategy of this package that is meant, as far as its options are there.

    A user's own class is not made here: its constructor may do anything.
    """
    if isinstance(given.get("function"), str):
        given = {"module": _BY_THE_RUN, **given}
    for cls, names in OURS.items():
        meant = cls in (executor, strategy) or (strategy is None and issubclass(cls, Strategy))
        if meant and all(name in given for name, required in names.items() if required):
            cls(**{name: given[name] for name in names if name in given})
