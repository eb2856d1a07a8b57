"""The defaults of a System: checked when it is made, as far as that goes without what only a run gives."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pytest
from support.ids import stable

from slither_actors import OptionError, Retry, System, UnknownOption, UnknownPool
from slither_actors.dispatch import Dispatcher
from slither_actors.errors import OptionTypeError
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_defaults import check_defaults
from slither_actors.run_options import RunOptions
from slither_actors.strategies import KeyPartition, Strategy, WeightedBatch


class Own(Strategy):
    def __init__(self, batch_sizes: int = 1) -> None:
        raise AssertionError("only a run makes one")


class Anything:
    def __init__(self, **options: Any) -> None: ...

    def execute_batch(self, batch: Any, context: Any, options: Any) -> Any: ...


@pytest.mark.parametrize(
    ("defaults", "error", "said"),
    [
        ({"batchsize": 3}, UnknownOption, "unknown option 'batchsize', did you mean 'batch_size'?"),
        ({"tiemout": 3}, UnknownOption, "did you mean 'timeout'?"),
        ({"comand": "c"}, UnknownOption, "did you mean 'command'?"),
        ({5: 3}, OptionTypeError, "an option's name must be text, not 5"),
        ({"batch_size": 0}, OptionError, "batch_size must be at least 1, not 0"),
        ({"timeout": "x"}, OptionTypeError, "timeout must be a number of seconds, not 'x'"),
        ({"on_error": "skipp"}, OptionError, "did you mean 'skip'?"),
        ({"pool": "cpu"}, UnknownPool, "there is no pool 'cpu', did you mean 'gpu'?"),
        ({"executor": SnakeBridge(module="m", function="f", pool="cpu")}, UnknownPool, "there is no pool 'cpu'"),
        ({"executor": Anything(), "pool": "gpu"}, OptionError, "pool has no meaning with Anything"),
        ({"executor": 3}, OptionTypeError, "executor must have request() and results()"),
        ({"function": "f", "command": "c"}, OptionError, "give one of them"),
        ({"function": "m:f"}, OptionError, "say module='m', function='f'"),
        ({"function": len, "module": "m"}, OptionTypeError, "so leave module='m' out"),
        ({"command": ""}, OptionError, "command must not be empty"),
        ({"strategy": "weighted"}, OptionTypeError, "did you mean WeightedBatch?"),
        ({"strategy": WeightedBatch()}, OptionError, "give WeightedBatch itself, and its options as defaults beside"),
        ({"strategy": WeightedBatch, "max_weight": -1}, OptionError, "max_weight must be above 0, not -1"),
        ({"max_weight": -1}, OptionError, "max_weight must be above 0, not -1"),
    ],
    ids=stable,
)
def test_a_mistake_shows_when_the_system_is_made(defaults: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=re.escape(said)) as caught:
        System({"gpu": {}}, dispatch=defaults)
    assert str(caught.value).startswith("the System's defaults for runs (dispatch): ")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_defaults_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(OptionTypeError, match=r"dispatch must be a mapping of defaults such as .*, not 5"):
        System(dispatch=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "defaults",
    [
        None,
        {},
        {"batch_size": None, "executor": None, "strategy": None},
        {"batch_size": 10, "timeout": None, "on_error": Retry(3), "pool": "gpu", "linger": 1},
        {"module": "m"},
        {"function": "f"},
        {"executor": SnakeBridge, "module": "m"},
        {"executor": Snakepit},
        {"key_fn": len},
        {"strategy": KeyPartition},
        {"strategy": KeyPartition, "key_fn": len, "linger": 1},
        {"strategy": Own, "batch_sizes": 3},
        {"executor": Anything, "batchsize": 3},
        {"speed": 3},
    ],
    ids=stable,
)
def test_what_a_run_may_still_complete_is_taken(defaults: Any) -> None:
    assert check_defaults(defaults, ["gpu"]) == (defaults or {})


class Engine:
    def open_run(self, items: Any, options: RunOptions) -> Any:
        return options


FROM = "from the defaults of the System, System(dispatch=...)"


@pytest.mark.parametrize(
    ("defaults", "options", "said"),
    [
        ({"speed": 3, "pool": "p"}, {}, f"; speed: {FROM}"),
        ({"max_weight": 3}, {}, f"say strategy=WeightedBatch or leave max_weight out; .*; max_weight: {FROM}"),
        ({"strategy": KeyPartition, "linger": 1}, {"key_fn": len}, f"linger has no meaning with .*; linger: {FROM}"),
    ],
)
def test_a_run_that_fails_for_a_default_says_so(defaults: Any, options: dict[str, Any], said: str) -> None:
    pattern = ".*".join(map(re.escape, said.split(".*")))
    with pytest.raises(OptionError, match=f"{pattern}$"):
        Dispatcher(Engine(), defaults).stream([1], module="m", function="f", **options)


@pytest.mark.parametrize("options", [{"speed": 3}, {"timeout": -1}, {"tiemout": 1}], ids=stable)
def test_a_mistake_of_the_call_does_not_name_the_defaults(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        Dispatcher(Engine(), {"timeout": 3, "pool": "p"}).stream([1], module="m", function="f", **options)
    assert "defaults" not in str(caught.value)
