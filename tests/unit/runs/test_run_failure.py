"""The error of a run that failed: its text, the results that are done, and the ids of what is not."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from support.a_run import a_batch, a_reply, a_run, replied

from slither_actors import DispatchError, Item, LoadError, PoolUnavailable, SystemStopped, WorkerCrashed, WorkerError
from slither_actors.executors import SnakeBridge
from slither_actors.runs.batch import Batch
from slither_actors.runs.messages import Delivery, Finished, ReadyItems, Results, Skipped
from slither_actors.runs.output.reply_decoder import ReplyDecoder
from slither_actors.runs.output.unpack import Unpack, unpacker
from slither_actors.runs.run import Run
from slither_actors.runs.run_failure import not_started, run_failure


@pytest.fixture
def run() -> Run:
    return a_run()


def the_failure(run: Run, error: BaseException, **given: Any) -> DispatchError:
    """Return the error of a run, with whatever the test does not give empty."""
    fields = ("batch", "held", "limit")
    finished = {name: given.pop("kept_back" if name == "held" else name, None) for name in fields}
    finished["held"] = finished["held"] or ()
    unpack: Unpack = unpacker(SnakeBridge(module="m", function="f"), ReplyDecoder(), run)
    empty: dict[str, Any] = {"leftover": [], "held": {}, "late": [], "unpack": unpack}
    return run_failure(run, Finished(error, **finished), error, **{**empty, **given})  # type: ignore[arg-type]


def items(*positions: int) -> list[Item]:
    return [Item(position, 10 * position) for position in positions]


# --- its text


def test_an_error_of_no_batch_is_the_runs(run: Run) -> None:
    error = ValueError("no")
    failure = the_failure(run, error)
    assert str(failure) == "the run failed: ValueError: no"
    assert failure.reason is error
    assert (failure.batch_ref, failure.failed, failure.partial_results, failure.unfinished) == (None, [], [], [])


def test_an_error_of_a_batch_names_it(run: Run) -> None:
    batch = a_batch(run, range(5, 8))
    failure = the_failure(run, WorkerCrashed(1), batch=batch)
    assert str(failure).startswith("batch 1 (3 items, 5 to 7) failed: WorkerCrashed: the worker exited with code 1")
    assert (failure.batch_ref, failure.failed) == (1, [5, 6, 7])


def test_what_is_to_blame_is_named_before_the_batch(run: Run) -> None:
    error = ValueError("no")
    run.ending.blame(error, "the source failed after 3 items")
    run.ending.blame(ValueError("no"), "another one")
    failure = the_failure(run, error, batch=a_batch(run, [0]))
    assert str(failure) == "the source failed after 3 items: ValueError: no"


def test_an_error_without_text_is_named_by_its_type(run: Run) -> None:
    assert str(the_failure(run, KeyboardInterrupt())) == "the run failed: KeyboardInterrupt"


@pytest.mark.parametrize("inner", [ValueError, SystemExit])
def test_an_error_that_cannot_be_printed_is_still_one(run: Run, inner: type[BaseException]) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise inner

    assert str(the_failure(run, Unprintable())) == "the run failed: Unprintable: (it cannot be printed)"


class SoftLimit(Exception):
    """What a signal handler raises."""


@pytest.fixture
def interrupt() -> Any:
    def handler(number: int, frame: object) -> None:
        raise SoftLimit

    before = signal.signal(signal.SIGUSR1, handler)
    yield lambda *_: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def test_what_a_signal_handler_raises_is_passed_on(run: Run, interrupt: Callable[..., Any]) -> None:
    class Slow(Exception):
        def __str__(self) -> str:
            interrupt()
            return "slow"

    with pytest.raises(SoftLimit):
        the_failure(run, Slow())
    with pytest.raises(SoftLimit):
        the_failure(run, ValueError(), late=[replied(a_batch(run, [0]))], unpack=interrupt)


def test_an_interrupt_while_the_error_is_made_is_passed_on(run: Run) -> None:
    def unpack(delivery: Delivery) -> list[Item]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        the_failure(run, ValueError(), late=[replied(a_batch(run, [0]))], unpack=unpack)


def a_cursor_error(text: str) -> Exception:
    return sqlite3.ProgrammingError(text)


def test_a_cursor_of_another_thread_has_a_remedy(run: Run) -> None:
    text = "SQLite objects created in a thread can only be used in that same thread."
    failure = str(the_failure(run, a_cursor_error(text)))
    assert failure.startswith(
        f"the run failed: ProgrammingError: {text} A lazy source is pulled by a thread of the run"
    )
    assert failure.endswith("check_same_thread=False")


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.ProgrammingError("Cannot operate on a closed cursor."),
        sqlite3.OperationalError("thread"),
        type("ProgrammingError", (Exception,), {})("thread"),
    ],
)
def test_other_errors_have_no_remedy(run: Run, error: Exception) -> None:
    assert str(the_failure(run, error)) == f"the run failed: {type(error).__name__}: {error}"


def test_a_run_that_could_not_start_has_pulled_nothing() -> None:
    error = PoolUnavailable("p", "it gave up")
    failure = not_started(error)
    assert str(failure) == f"the run could not start: {error}"
    assert failure.reason is failure.__cause__ is error
    assert (failure.batch_ref, failure.partial_results, failure.unfinished, failure.failed) == (None, [], [], [])


# --- the items that failed


@pytest.mark.parametrize("error", [LoadError("m:f", ValueError("no")), PoolUnavailable("p", "no"), SystemStopped("no")])
def test_an_error_of_the_pool_is_about_no_item(run: Run, error: Exception) -> None:
    failure = the_failure(run, error, batch=a_batch(run, range(3)))
    assert (failure.batch_ref, failure.failed) == (1, [])


@pytest.mark.parametrize(("alone", "failed"), [(True, [4]), (False, [4, 5])])
def test_an_item_that_failed_alone_is_named_alone(run: Run, alone: bool, failed: list[int]) -> None:
    error = WorkerError("builtins.ValueError", "no")
    error.alone = alone
    assert the_failure(run, error, batch=a_batch(run, [4, 5])).failed == failed


# --- what is done, and what is not


def test_what_is_done_and_not_handed_out_comes_in_order(run: Run) -> None:
    late, kept_back = replied(a_batch(run, [2, 3])), replied(a_batch(run, [0]))
    failure = the_failure(run, ValueError(), held={5: Item(5, 50), 1: Item(1, 10)}, late=[late], kept_back=[kept_back])
    assert failure.partial_results == items(0, 1, 2, 3, 5)
    assert failure.unfinished == []
    assert run.undelivered == {}


def test_what_has_no_result_is_unfinished(run: Run) -> None:
    a_batch(run, [6, 7])
    entries = [Item("a", 1), Item("b", 2)]
    a_batch(run, [4, 5], entries=entries, bare=False)
    failure = the_failure(run, ValueError(), leftover=["x", "y"])
    assert failure.unfinished == ["a", "b", 6, 7, "x", "y"]
    assert failure.partial_results == []


def test_results_behind_the_failed_item_are_not_given(run: Run) -> None:
    late = replied(a_batch(run, [2, 3, 4]))
    a_batch(run, [1])
    failure = the_failure(run, ValueError(), limit=3, held={0: Item(0, 0), 5: Item("five", 50)}, late=[late])
    assert failure.partial_results == items(0, 2)
    assert failure.unfinished == [1, 3, 4, "five"]


def test_a_limit_of_0_gives_nothing(run: Run) -> None:
    failure = the_failure(run, ValueError(), limit=0, held={0: Item(0, 0)})
    assert (failure.partial_results, failure.unfinished) == ([], [0])


def test_of_a_batch_of_which_some_failed_the_rest_is_left(run: Run) -> None:
    batch = a_batch(run, [0, 1, 2])
    results = Results(batch, a_reply([0, 20], {1: "no"}), [0, 2], [0, 2])
    failure = the_failure(run, ValueError(), late=[results])
    assert failure.partial_results == items(0, 2)
    assert failure.unfinished == [1]
    assert list(run.undelivered) == [1]  # its failed item has no outcome yet


def deliveries(run: Run) -> list[Delivery]:
    skipped, ready = a_batch(run, [0]), a_batch(run, [1])
    return [Skipped(skipped, [0], [ValueError()], [0]), ReadyItems(ready, [Item(1, "routed")], [1])]


def test_skipped_and_routed_items_are_results(run: Run) -> None:
    failure = the_failure(run, ValueError(), late=deliveries(run))
    first, second = failure.partial_results
    assert (first.id, first.payload, first.meta["skipped"]) == (0, 0, True)
    assert second == Item(1, "routed")
    assert (failure.unfinished, run.undelivered) == ([], {})


def test_a_delivery_that_was_taken_off_already_may_come(run: Run) -> None:
    late = replied(a_batch(run, [0]))
    run.undelivered.clear()
    assert the_failure(run, ValueError(), late=[late]).partial_results == items(0)


@pytest.mark.parametrize("error", [ValueError("no"), GeneratorExit(), SystemExit(1)])
def test_what_cannot_be_unpacked_is_unfinished(run: Run, error: BaseException) -> None:
    good, bad = replied(a_batch(run, [1])), replied(a_batch(run, [0]))
    own = unpacker(SnakeBridge(module="m", function="f"), ReplyDecoder(), run)

    def unpack(delivery: Delivery) -> list[Item]:
        if delivery is bad:
            raise error
        return own(delivery)

    failure = the_failure(run, ValueError(), late=[bad, good], unpack=unpack)
    assert failure.partial_results == items(1)
    assert failure.unfinished == [0]


def test_as_many_items_are_unpacked_as_have_positions(run: Run) -> None:
    batch: Batch = replied(a_batch(run, [0, 1]))
    with pytest.raises(ValueError, match="shorter"):
        the_failure(run, ValueError(), late=[batch], unpack=lambda delivery: items(0))
