"""A route function is asked for the Item in the place of a failed one, and blamed for what it raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.a_run import a_batch, a_run

from slither_actors import Item, Route, WorkerCrashed, WorkerError
from slither_actors.runs.batch import Batch
from slither_actors.runs.routing import ask_route
from slither_actors.runs.run import Run

CALLED = "for item 6, called because of WorkerCrashed in batch 1 (3 items, 5 to 7)"


@pytest.fixture
def run() -> Run:
    return a_run()


@pytest.fixture
def batch(run: Run) -> Batch:
    return a_batch(run, range(5, 8))


def raises(error: BaseException) -> Callable[[Item, Exception], Any]:
    def function(item: Item, failure: Exception) -> Any:
        raise error

    return function


def raised(run: Run, batch: Batch, function: Callable[..., Any], failure: Exception) -> BaseException:
    with pytest.raises(BaseException, match=r".*") as caught:
        ask_route(run, Route(function), batch, Item(6, 60), failure)
    return caught.value


def test_the_function_gets_item_and_failure(run: Run, batch: Batch) -> None:
    asked: list[tuple[Item, Exception]] = []
    routed = Item("other", "payload", {"key": 1}, "else")

    def function(item: Item, failure: Exception) -> Item:
        asked.append((item, failure))
        return routed

    item, failure = Item(6, 60), WorkerCrashed(1)
    assert ask_route(run, Route(function), batch, item, failure) is routed
    assert asked == [(item, failure)]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_what_the_function_raises_is_blamed_on_it(run: Run, batch: Batch, error: BaseException) -> None:
    failure = WorkerCrashed(1)
    assert raised(run, batch, raises(error), failure) is error
    assert run.ending.blamed(error) == f"the route function failed {CALLED}"
    assert error.__notes__ == [f"raised by the route function, {CALLED}"]
    assert error.__context__ is failure


def test_what_is_no_item_is_a_type_error(run: Run, batch: Batch) -> None:
    for given in (None, (6, 60), "text"):
        error = raised(run, batch, lambda item, failure, given=given: given, WorkerCrashed(1))
        assert type(error) is TypeError
        assert str(error) == f"the route function gave {given!r} for item 6, not an Item"
        assert run.ending.blamed(error) == f"the route function failed {CALLED}"


@pytest.mark.parametrize(("kind", "shown"), [("builtins.KeyError", "KeyError"), ("own.Error", "own.Error")])
def test_an_error_of_the_worker_is_named_by_its_type(run: Run, batch: Batch, kind: str, shown: str) -> None:
    error = ValueError()
    raised(run, batch, raises(error), WorkerError(kind, "no"))
    assert f"called because of WorkerError ({shown}) in batch 1" in str(run.ending.blamed(error))


def test_an_error_with_a_cause_of_its_own_keeps_it(run: Run, batch: Batch) -> None:
    cause = KeyError("cause")

    def chains(item: Item, failure: Exception) -> Item:
        raise ValueError from cause

    def handles(item: Item, failure: Exception) -> Item:
        try:
            raise cause
        except KeyError:
            raise ValueError  # noqa: B904

    error = raised(run, batch, chains, WorkerCrashed(1))
    assert (error.__cause__, error.__context__) == (cause, None)
    error = raised(run, batch, handles, WorkerCrashed(1))
    assert (error.__cause__, error.__context__) == (None, cause)


def test_the_failure_may_be_raised_again(run: Run, batch: Batch) -> None:
    failure = WorkerCrashed(1)
    assert raised(run, batch, raises(failure), failure) is failure
    assert failure.__context__ is None  # no error is its own reason


def test_the_cause_of_the_failure_may_be_raised_again(run: Run, batch: Batch) -> None:
    failure, cause = WorkerCrashed(1), ValueError("cause")
    failure.__cause__ = cause
    assert raised(run, batch, raises(cause), failure) is cause
    assert cause.__context__ is None
    assert run.ending.blamed(cause) is not None
