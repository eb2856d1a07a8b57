"""A worker's code that raises what is no Exception: an error of that item or batch, and the worker lives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from support.worker import FUNCTIONS

from slither_actors import DispatchError, LoadError, PoolSpec, System, WorkerError
from slither_actors.executors import Snakepit

KINDS = {
    "cancelled": "asyncio.exceptions.CancelledError",
    "interrupt": "KeyboardInterrupt",
    "generator": "GeneratorExit",
    "panic": "base_exceptions.Panic",
    "group": "BaseExceptionGroup",
}
kinds = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "group" or sys.version_info >= (3, 11)])


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[FUNCTIONS], adapter="base_exceptions:Scorer")}) as system:
        (before,) = system.statistics().pools["default"].executors
        yield system
        seen = system.statistics().pools["default"]
        assert seen.executors[0].pid == before.pid  # one worker for all of these tests
        assert (seen.counts.deaths, seen.counts.exits) == (0, {})


def run(system: System, payloads: list[str], **options: Any) -> list[Any]:
    if "command" not in options:
        options["module"] = "base_exceptions"
    return system.dispatch.run(payloads, on_error="skip", batch_size=4, **options)


def failed(results: list[Any], kind: str) -> list[int]:
    """The ids of the skipped items, each for that reason."""
    errors = {item.id: item.meta["error"] for item in results if "error" in item.meta}
    for error in errors.values():
        assert isinstance(error, WorkerError)
        assert error.type.removeprefix("builtins.") == KINDS[kind]
        assert f"because of {kind}" in error.message
    return list(errors)


@kinds
def test_of_an_item_called_alone_it_is_that_items_error(system: System, kind: str) -> None:
    results = run(system, ["a", kind, "b", kind, "c"], function="fails", each=True)
    assert failed(results, kind) == [1, 3]


@kinds
@pytest.mark.parametrize(
    "how",
    [
        {"function": "fails_list"},
        {"function": "gives_up_midway"},
        {"executor": Snakepit, "command": "score"},
        {"executor": Snakepit, "command": "lazily"},
    ],
    ids=["list", "lazy", "command", "lazy command"],
)
def test_of_a_batch_it_is_the_batchs_error(system: System, kind: str, how: dict[str, Any]) -> None:
    results = run(system, ["a", "b", "c", "d", "e", kind], **how)
    assert failed(results, kind) == [4, 5]


@kinds
@pytest.mark.parametrize(
    "how", [{"function": "gives_them"}, {"executor": Snakepit, "command": "given"}], ids=["list", "command"]
)
def test_among_the_results_it_is_that_items_error(system: System, kind: str, how: dict[str, Any]) -> None:
    results = run(system, ["a", kind, "b", "c"], **how)
    assert failed(results, kind) == [1]
    assert [item.payload for item in results] == ["a", kind, "b", "c"]


def test_raised_while_results_are_looked_at_it_is_batchs_error(system: System) -> None:
    results = run(system, ["panic", "b"], function="hidden")
    assert all(isinstance(item.meta["error"], WorkerError) for item in results)
    assert "because of panic" in results[0].meta["error"].message


def test_while_a_module_is_imported_it_is_a_load_error(system: System) -> None:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="interrupted_import", function="f")
    assert isinstance(caught.value.reason, LoadError)
    assert "KeyboardInterrupt: while it is imported" in str(caught.value.reason)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"adapter": "base_exceptions:Scorer", "init": {"fails": True}}, "KeyboardInterrupt: in init"),
        ({"preload": ["interrupted_import"]}, "KeyboardInterrupt: while it is imported"),
    ],
)
def test_at_the_start_of_a_worker_it_is_the_error_of_the_start(spec: dict[str, Any], text: str) -> None:
    with pytest.raises(LoadError, match=text):
        System({"default": PoolSpec(size=1, path=[FUNCTIONS], **spec)}).start()


def test_at_its_end_it_is_an_exit_with_code_1() -> None:
    spec = PoolSpec(size=1, path=[FUNCTIONS], adapter="base_exceptions:Scorer", init={"fails_at_end": True})
    system = System({"default": spec}).start()
    system.stop()
    assert system._links["default"].counters.snapshot().exits == {"exit 1": 1}
