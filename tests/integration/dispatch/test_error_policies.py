"""What becomes of batches and items that fail: halt, skip, route, retry, split."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates

from slither_actors import (
    DispatchError,
    Item,
    LoadError,
    PayloadError,
    Retry,
    Route,
    System,
    UnexpectedResponse,
    WorkerError,
    telemetry,
)


def lazily(items: Iterable[Any]) -> Iterator[Any]:
    yield from items


def payloads(items: Iterable[Item]) -> list[Any]:
    return [item.payload for item in items]


def ids(items: Iterable[Item]) -> list[Any]:
    return [item.id for item in items]


sources = pytest.mark.parametrize("source", [list, lazily], ids=["list", "generator"])
orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])
FAIL: dict[str, Any] = {"module": "tasks", "function": "negative_ones_fail"}


@pytest.fixture
def failures() -> Iterator[list[telemetry.Event]]:
    """The batch failures of the test, in their order."""
    events: list[telemetry.Event] = []
    with telemetry.attach(telemetry.BATCH_EXCEPTION, events.append):
        yield events


def has_heard(events: list[telemetry.Event], system: System) -> None:
    """Wait until the handlers have been given all that has happened: a later failure comes behind it."""
    with pytest.raises(DispatchError):
        system.dispatch.run([Item("last", object())], module="tasks", function="sizes")
    deadline = time.monotonic() + 20
    while getattr(events[-1].metadata["reason"], "item_id", None) != "last" if events else True:
        assert time.monotonic() < deadline
    events.pop()


# --- halt


@sources
@orderings
def test_halt_names_each_item_as_a_result_or_unfinished(system: System, source: Any, ordering: str) -> None:
    given = list(range(200))
    given[77] = -77
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(source(given), **FAIL, batch_size=5, ordering=ordering)
    error = caught.value
    assert isinstance(error.reason, WorkerError)
    assert error.__cause__ is error.reason
    assert (error.reason.type, error.reason.message) == ("ValueError", "negative: -77")
    assert "negative_ones_fail" in error.reason.traceback
    assert f"batch {error.batch_ref}" in str(error)
    done, left = ids(error.partial_results), error.unfinished
    assert not set(done) & set(left)
    assert len(set(done)) == len(done)
    assert len(set(left)) == len(left)
    assert set(done) | set(left) == set(range(len(done) + len(left)))  # all that was pulled, from the first on
    assert set(range(75, 80)) <= set(left)
    if ordering == "preserve":
        assert error.batch_ref == 16
        assert done == list(range(75))
        assert left == sorted(left)


@sources
def test_the_lowest_failed_index_wins_with_preserve(system: System, gates: Gates, source: Any) -> None:
    given = [(0, gates["slow"]), 1, (-2, gates["slow"]), -3, 4, 5]
    with (
        system.dispatch.stream(source(given), **FAIL, batch_size=1, max_in_flight=2) as stream,
        ThreadPoolExecutor(1) as threads,
    ):
        results = threads.submit(list, stream)
        gates.wait_begun("slow", 2)
        gates.open("slow")
        with pytest.raises(DispatchError, match="item 2") as caught:
            results.result(20)
    assert str(caught.value.reason).startswith("ValueError: negative: -2")
    # 0 and 1 were yielded to the list() that was thrown away: a stream does not give them twice.
    assert ids(caught.value.partial_results) == []
    assert caught.value.unfinished[0] == 2
    assert set(caught.value.unfinished) <= {2, 3, 4, 5}


@sources
def test_with_preserve_halt_finishes_earlier_batches_first(system: System, gates: Gates, source: Any) -> None:
    given = [(0, gates["slow"]), -1, 2, 3, 4, 5, 6, 7]
    with ThreadPoolExecutor(1) as threads:
        stream = system.dispatch.stream(source(given), **FAIL, batch_size=1, max_in_flight=2, prefetch=2)
        got: list[Any] = []
        results = threads.submit(lambda: got.extend(iter(stream)) or got)  # type: ignore[func-returns-value]
        gates.wait_begun("slow")
        while stream.statistics().failed == 0:
            pass
        assert not results.done()
        gates.open("slow")
        with pytest.raises(DispatchError, match="item 1"):
            results.result(20)
        assert ids(got) == [0]


def test_halt_as_completed_does_not_wait_for_others(system: System, gates: Gates) -> None:
    given = [(0, gates["slow"]), -1, 2]
    with pytest.raises(DispatchError, match="item 1") as caught:
        system.dispatch.run(given, **FAIL, batch_size=1, max_in_flight=2, ordering="as_completed")
    assert 0 in caught.value.unfinished
    gates.open("slow")


@sources
def test_halt_of_a_stream_has_results_that_were_not_yielded(system: System, gates: Gates, source: Any) -> None:
    given = [0, 1, (-2, gates["failing"]), 3]
    with system.dispatch.stream(source(given), **FAIL, batch_size=1, max_in_flight=2) as stream:
        assert [next(stream).id, next(stream).id] == [0, 1]
        gates.open("failing")
        with pytest.raises(DispatchError) as caught:
            next(stream)
        assert caught.value.partial_results == []
        assert caught.value.unfinished == [2, 3]
        with pytest.raises(StopIteration):
            next(stream)


@pytest.mark.parametrize("on_error", ["halt", "skip", Retry(5, backoff=0), Route(lambda item, reason: item)])
def test_a_function_that_cannot_be_loaded_ends_the_run(system: System, on_error: Any) -> None:
    for module, function, text in [
        ("no_such_module", "f", "ModuleNotFoundError"),
        ("tasks", "no_such_function", "no_such_function"),
        ("tasks", "FAIL.x", "FAIL"),
        ("exits_when_imported", "f", "usage: something else"),
    ]:
        with pytest.raises(DispatchError, match=text) as caught:
            system.dispatch.run(range(10), module=module, function=function, on_error=on_error, batch_size=2)
        assert isinstance(caught.value.reason, LoadError)
        assert set(caught.value.unfinished) == set(range(10))
    assert payloads(system.dispatch.run([1], module="tasks", function="double")) == [2]


@pytest.mark.parametrize("function", ["one_too_few", "none_at_all"])
def test_another_number_of_results_is_never_a_silent_drop(system: System, function: str) -> None:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(range(4), module="tasks", function=function)
    assert isinstance(caught.value.reason, UnexpectedResponse)
    assert caught.value.unfinished == [0, 1, 2, 3]


def test_a_result_without_a_form_fails_its_batch_only(system: System) -> None:
    before = {pid for _ in range(8) for pid in payloads(system.dispatch.run([0], module="tasks", function="pids"))}
    results = system.dispatch.run(range(3), module="tasks", function="unsendable", on_error="skip")
    assert all("object" in str(item.meta["error"]) for item in results)
    after = {pid for _ in range(8) for pid in payloads(system.dispatch.run([0], module="tasks", function="pids"))}
    assert before == after


# --- skip and route


@sources
@orderings
def test_skip_yields_failed_items_unchanged_with_their_error(system: System, source: Any, ordering: str) -> None:
    given: list[Any] = [Item(i, -i if i % 10 == 5 else i, {"mine": i}) for i in range(100)]
    results = system.dispatch.run(source(given), **FAIL, batch_size=3, on_error="skip", ordering=ordering)
    assert sorted(ids(results)) == list(range(100))
    if ordering == "preserve":
        assert ids(results) == list(range(100))
    for item in results:
        assert item.payload == given[item.id].payload
        assert item.meta["mine"] == item.id
        batch = range(item.id // 3 * 3, item.id // 3 * 3 + 3)
        if any(i % 10 == 5 for i in batch if i < 100):
            assert item.meta["skipped"] is True
            assert isinstance(item.meta["error"], WorkerError)
        else:
            assert set(item.meta) == {"mine"}


@sources
@orderings
def test_route_yields_what_its_function_returns(system: System, source: Any, ordering: str) -> None:
    def elsewhere(item: Item, reason: Exception) -> Item:
        return Item(("routed", item.id), str(reason).splitlines()[0], route="dead letters")

    given = [-i if i % 10 == 5 else i for i in range(60)]
    results = system.dispatch.run(source(given), **FAIL, batch_size=1, on_error=Route(elsewhere), ordering=ordering)
    expected = [
        (("routed", i), f"ValueError: negative: -{i}", "dead letters") if i % 10 == 5 else (i, i, "default")
        for i in range(60)
    ]
    got = [(item.id, item.payload, item.route) for item in results]
    assert sorted(got, key=str) == sorted(expected, key=str)
    if ordering == "preserve":
        assert got == expected


@sources
def test_a_route_function_that_gives_no_item_is_an_error_of_run(system: System, source: Any) -> None:
    with pytest.raises(DispatchError, match="the route function gave None for item 1, not an Item") as caught:
        system.dispatch.run(source([0, -1, 2]), **FAIL, batch_size=1, on_error=Route(lambda item, reason: None))  # type: ignore[arg-type, return-value]
    assert isinstance(caught.value.reason, TypeError)
    assert 1 in caught.value.unfinished


# --- retry


@sources
def test_retry_prefers_another_worker_if_one_is_ready(system: System, tmp_path: Path, source: Any) -> None:
    log = tmp_path / "log"
    results = system.dispatch.run(
        source([(str(log), 1)]), module="tasks", function="log_and_fail_all", on_error=Retry(3, backoff=0.01)
    )
    assert payloads(results) == [2]
    first, second = log.read_text().splitlines()
    assert first != second


@sources
@orderings
def test_retry_gives_up_after_max_attempts_executions(
    system: System, tmp_path: Path, source: Any, ordering: str
) -> None:
    log = tmp_path / "log"
    with pytest.raises(DispatchError, match="attempt 3") as caught:
        system.dispatch.run(
            source([(str(log), 99)]),
            module="tasks",
            function="log_and_fail_all",
            on_error=Retry(3, backoff=0.001),
            ordering=ordering,
        )
    assert caught.value.unfinished == [0]
    assert len(log.read_text().splitlines()) == 3


@sources
def test_what_follows_the_last_attempt_may_be_skip_or_a_route(system: System, tmp_path: Path, source: Any) -> None:
    log = tmp_path / "log"
    for then, payload in [
        ("skip", (str(log), 99)),
        (Route(lambda item, reason: item.update_payload("routed")), "routed"),
    ]:
        log.unlink(missing_ok=True)
        (item,) = system.dispatch.run(
            source([(str(log), 99)]),
            module="tasks",
            function="log_and_fail_all",
            on_error=Retry(2, backoff=0, then=then),
        )
        assert item.payload == payload
        assert len(log.read_text().splitlines()) == 2


@sources
@orderings
def test_batches_that_are_retried_keep_the_order(system: System, tmp_path: Path, source: Any, ordering: str) -> None:
    given = [(str(tmp_path / f"log{i}"), i % 3) for i in range(60)]
    results = system.dispatch.run(
        source(given),
        module="tasks",
        function="log_and_fail_all",
        batch_size=1,
        ordering=ordering,
        on_error=Retry(3, backoff=0.001, max_backoff=0.002),
    )
    assert sorted((item.id, item.payload) for item in results) == [(i, i % 3 + 1) for i in range(60)]
    if ordering == "preserve":
        assert ids(results) == list(range(60))


@sources
@orderings
@pytest.mark.parametrize("poison", [0, 11, 31])
def test_split_finds_the_one_item_that_fails_in_few_failures(
    system: System, source: Any, ordering: str, poison: int, failures: list[telemetry.Event]
) -> None:
    given = [-1 if i == poison else i for i in range(64)]
    results = system.dispatch.run(
        source(given), **FAIL, batch_size=32, ordering=ordering, on_error=Retry(3, split=True, then="skip", backoff=0)
    )
    assert sorted(ids(results)) == list(range(64))
    if ordering == "preserve":
        assert ids(results) == list(range(64))
    assert [item.id for item in results if "skipped" in item.meta] == [poison]
    has_heard(failures, system)
    assert len(failures) <= 5 + 3
    assert [event.metadata["attempt"] for event in failures if event.measurements["size"] == 1][-3:] == [1, 2, 3]


@sources
def test_an_item_without_a_form_is_named_and_not_retried(
    system: System, source: Any, failures: list[telemetry.Event]
) -> None:
    given: list[Any] = [Item(f"id{i}", {"a": [i]}) for i in range(8)]
    given[5] = Item("id5", {"a": [0, object()]})
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(source(given), module="tasks", function="sizes", batch_size=4, on_error=Retry(9, backoff=0))
    reason = caught.value.reason
    assert isinstance(reason, PayloadError)
    assert (reason.item_id, reason.path) == ("id5", "['a'][1]")
    assert "id5" in str(caught.value)
    has_heard(failures, system)
    assert len(failures) == 1


@sources
def test_with_split_the_item_without_a_form_fails_alone(system: System, source: Any) -> None:
    given: list[Any] = [float(i) for i in range(16)]
    given[11] = object()
    results = system.dispatch.run(
        source(given), module="tasks", function="sizes", batch_size=16, on_error=Retry(3, split=True, then="skip")
    )
    assert ids(results) == list(range(16))
    assert [item.id for item in results if "skipped" in item.meta] == [11]
    assert results[11].payload is given[11]


# --- items that fail alone

ALONE = pytest.mark.parametrize(
    "options",
    [{"function": "negative_fails", "each": True}, {"function": "negative_ones_are_exceptions"}],
    ids=["each", "instances"],
)


@sources
@orderings
@ALONE
def test_items_that_fail_alone_leave_their_siblings_results(
    system: System, source: Any, ordering: str, options: Any
) -> None:
    given = [-i if i % 4 == 1 else i for i in range(50)]
    results = system.dispatch.run(
        source(given), module="tasks", **options, batch_size=8, on_error="skip", ordering=ordering
    )
    assert sorted(ids(results)) == list(range(50))
    if ordering == "preserve":
        assert ids(results) == list(range(50))
    for item in results:
        assert item.payload == given[item.id]
        if item.id % 4 == 1:
            assert item.meta["error"].message == f"negative: {given[item.id]}"
        else:
            assert not item.meta


@sources
@orderings
@ALONE
def test_a_batch_whose_items_all_fail_is_skipped_item_by_item(
    system: System, source: Any, ordering: str, options: Any
) -> None:
    results = system.dispatch.run(source([-1, -2, -3]), module="tasks", **options, on_error="skip", ordering=ordering)
    assert [(item.id, item.meta["error"].message) for item in results] == [(i, f"negative: {-1 - i}") for i in range(3)]


@sources
@orderings
@ALONE
def test_items_that_fail_alone_may_be_routed(system: System, source: Any, ordering: str, options: Any) -> None:
    given = [-i if i % 4 == 1 else i for i in range(50)]
    results = system.dispatch.run(
        source(given),
        module="tasks",
        **options,
        batch_size=8,
        ordering=ordering,
        on_error=Route(lambda item, reason: item.update_payload(("routed", reason.message))),  # type: ignore[attr-defined]
    )
    assert sorted((item.id, item.payload) for item in results if item.id % 4 == 1) == [
        (i, ("routed", f"negative: {given[i]}")) for i in range(1, 50, 4)
    ]
    assert sorted(ids(results)) == list(range(50))


@sources
@orderings
@ALONE
def test_halt_on_item_that_fails_alone_keeps_results_before_it(
    system: System, source: Any, ordering: str, options: Any
) -> None:
    given = [-i if i == 21 else i for i in range(24)]
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(source(given), module="tasks", **options, batch_size=8, ordering=ordering)
    error = caught.value
    assert error.reason.message == "negative: -21"  # type: ignore[union-attr]
    done = ids(error.partial_results)
    assert sorted(done + error.unfinished) == list(range(24))
    if ordering == "preserve":
        assert done == list(range(21))
        assert error.unfinished == [21, 22, 23]
    else:
        assert 21 in error.unfinished


@sources
@orderings
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("each", [False, True])
def test_only_the_items_that_failed_alone_are_executed_again(
    system: System, tmp_path: Path, source: Any, ordering: str, split: bool, each: bool
) -> None:
    given = [(str(tmp_path / f"log{i}"), 2 if i in (3, 4, 9) else 0) for i in range(12)]
    if not each:  # whole batches: a failing one takes its siblings with it
        given = [given[3], given[0]]
    results = system.dispatch.run(
        source(given),
        module="tasks",
        function="log_and_fail" if each else "log_and_fail_all",
        each=each,
        batch_size=6,
        ordering=ordering,
        on_error=Retry(4, backoff=0.001, split=split),
    )
    assert sorted(ids(results)) == list(range(len(given)))
    if ordering == "preserve":
        assert ids(results) == list(range(len(given)))
    if each:
        assert {item.id: item.payload for item in results} == {i: 3 if i in (3, 4, 9) else 1 for i in range(12)}
        lines = [len(Path(log).read_text().splitlines()) for log, _ in given]
        assert lines == [3 if i in (3, 4, 9) else 1 for i in range(12)]


@sources
def test_a_batch_of_adapters_command_that_fails_goes_to_policy(system: System, source: Any) -> None:
    results = system.dispatch.run(source([1, 2]), command="refuse", on_error="skip")
    assert [item.meta["error"].type for item in results] == ["LookupError"] * 2


def test_items_that_failed_alone_are_not_split_again(system: System, failures: list[telemetry.Event]) -> None:
    given = [1, -2, 3, -4, -5, 6]
    policy = Retry(max_attempts=2, backoff=0.001, split=True, then="skip")
    results = system.dispatch.run(
        given, module="tasks", function="negative_fails", each=True, batch_size=6, on_error=policy
    )
    has_heard(failures, system)
    assert [item.id for item in results if item.meta.get("skipped")] == [1, 3, 4]
    # The whole batch once, then the three bad ones together once more, and that was their last attempt.
    assert [event.metadata["attempt"] for event in failures] == [1, 2]


def test_a_misspelt_function_is_named_once_with_the_right_one(system: System) -> None:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="tasks", function="doubel")
    assert str(caught.value) == (
        "batch 1 (item 0) failed: LoadError: cannot load tasks:doubel: "
        "AttributeError: module tasks has no doubel, did you mean 'double'?"
    )
