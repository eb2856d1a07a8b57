"""Fewer or more results than items: an error of the batch, never a silent drop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.evil import stand_in
from support.victims import counts, pids, pool, works

from slither_actors import DispatchError, Retry, Route, System, UnexpectedResponse, WorkerError

pytestmark = pytest.mark.fault(13)

Start = Callable[..., System]


@pytest.mark.parametrize(
    ("function", "got", "lazy", "ordering"),
    [
        ("one_too_few", 3, True, "preserve"),
        ("one_too_few", 3, False, "as_completed"),
        ("one_too_many", 5, False, "preserve"),
        ("none", 0, True, "as_completed"),
        ("twice", 8, False, "preserve"),
        ("fewer_with_exceptions", 2, True, "preserve"),
        ("more_with_exceptions", 5, False, "as_completed"),
    ],
)
def test_another_number_of_results_fails_the_whole_batch(
    start: Start, function: str, got: int, lazy: bool, ordering: str
) -> None:
    system = start(1)
    (worker,) = pids(system)
    stream = system.dispatch.stream(
        (n for n in range(8)) if lazy else range(8),
        module="results",
        function=function,
        batch_size=4,
        ordering=ordering,
        on_error="skip",
    )
    results = list(stream)
    # Not one result is handed out, not even those that are there: it is not known whose they are.
    assert sorted(item.id for item in results) == list(range(8))
    for item in results:
        error = item.meta["error"]
        assert isinstance(error, UnexpectedResponse)
        assert (error.expected, error.got) == (4, got)
        assert item.payload == item.id
    ledger = stream.statistics()
    assert (ledger.skipped, ledger.failed, ledger.emitted) == (8, 8, 8)
    # The function is at fault, and not the worker.
    assert (pids(system), counts(system).exits, counts(system).protocol_errors) == ([worker], {}, {})
    assert works(system)


def test_with_halt_the_run_names_what_has_no_result(start: Start) -> None:
    system = start(1)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(range(4), module="results", function="one_too_few", batch_size=4)
    assert isinstance(caught.value.reason, UnexpectedResponse)
    assert caught.value.unfinished == [0, 1, 2, 3]
    assert caught.value.partial_results == []


def test_with_retry_it_is_executed_again_and_with_split_halved(start: Start) -> None:
    system = start(1)
    stream = system.dispatch.stream(
        range(4),
        module="results",
        function="one_too_few",
        batch_size=4,
        on_error=Retry(2, split=True, backoff=0, then=Route(lambda item, reason: item.put_meta(why=reason))),
    )
    results = list(stream)
    assert [item.payload for item in results] == [0, 1, 2, 3]
    assert [item.meta["why"].got for item in results] == [0] * 4
    ledger = stream.statistics()
    assert (ledger.retries, ledger.routed) == (3 + 4, 4)


@pytest.mark.parametrize(("command", "got"), [("drops", 2), ("adds", 4)])
def test_an_adapters_command_is_held_to_it_too(start: Start, command: str, got: int) -> None:
    system = start(1, adapter="results:Miscounting")
    results = system.dispatch.run([1, 2, 3], command=command, on_error="skip")
    assert [(item.meta["error"].expected, item.meta["error"].got) for item in results] == [(3, got)] * 3
    assert [item.payload for item in system.dispatch.run([1, 2], command="double")] == [2, 4]


@pytest.mark.parametrize(("lie", "got"), [("header_counts_more", 4), ("header_counts_less", 2)])
def test_a_header_that_counts_wrongly_is_an_error_of_its_batch(
    start: Start, tmp_path: Path, lie: str, got: int
) -> None:
    system = start(1, python=stand_in(tmp_path, "liar"))
    results = system.dispatch.run([lie, 1, 2], module="tasks", function="double", on_error="skip")
    assert [item.meta["error"].got for item in results] == [got] * 3
    assert [item.payload for item in results] == [lie, 1, 2]
    assert works(system)


@pytest.mark.parametrize("lie", ["body_has_more", "body_has_less"])
def test_a_body_with_another_count_than_its_header_fails(start: Start, tmp_path: Path, lie: str) -> None:
    """That shows when the body is decoded, in the thread that takes the results."""
    system = start(1, python=stand_in(tmp_path, "liar"))
    results = system.dispatch.run(
        [1, 1, lie, 1, 2, 2], module="tasks", function="double", batch_size=2, on_error="skip"
    )
    assert [item.payload for item in results] == [2, 2, lie, 1, 4, 4]
    assert [item.meta.get("skipped", False) for item in results] == [False, False, True, True, False, False]
    assert all("results" in str(item.meta["error"]) for item in results[2:4])
    assert works(system)
    assert pool(system).available


def test_what_is_no_number_of_results_at_all(start: Start) -> None:
    system = start(1)
    results = system.dispatch.run([1, 2], module="tasks", function="none_at_all", on_error="skip")
    for item in results:
        assert isinstance(item.meta["error"], (UnexpectedResponse, WorkerError))
    assert works(system)
    assert counts(system).exits == {}
