"""Inline executors: batches executed in this process, under the same policies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from slither_actors import (
    BatchTimeout,
    Context,
    DispatchError,
    Item,
    OptionError,
    Retry,
    Route,
    System,
    UnexpectedResponse,
)
from slither_actors.strategies import KeyPartition


class Inline:
    """Executes with a function from a payload to a result."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.lock = threading.Lock()
        self.now = self.most = self.batches = 0

    def execute_batch(self, batch: Sequence[Item], context: Context, options: Any) -> Iterable[Item]:
        with self.lock:
            self.now += 1
            self.batches += 1
            self.most = max(self.most, self.now)
        try:
            return [item.update_payload(self.function(item.payload)) for item in batch]
        finally:
            with self.lock:
                self.now -= 1


sources = pytest.mark.parametrize("lazy", [True, False], ids=["lazy", "in memory"])
orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])


def given(lazy: bool, payloads: Iterable[Any]) -> Any:
    return (payload for payload in payloads) if lazy else list(payloads)


def fails_on_negative(payload: int) -> int:
    if payload < 0:
        raise ValueError(f"negative: {payload}")
    return payload


@sources
@orderings
def test_each_item_comes_out_once(system: System, lazy: bool, ordering: str) -> None:
    results = system.dispatch.run(
        given(lazy, range(500)), executor=Inline(lambda x: x + 1), batch_size=7, ordering=ordering
    )
    assert sorted((item.id, item.payload) for item in results) == [(i, i + 1) for i in range(500)]
    if ordering == "preserve":
        assert [item.id for item in results] == list(range(500))


def test_payloads_need_no_form_on_the_wire(system: System) -> None:
    payload = object()
    (result,) = system.dispatch.run([payload], executor=Inline(lambda x: x))
    assert result.payload is payload


@sources
def test_up_to_max_in_flight_batches_are_executed_at_a_time(system: System, lazy: bool) -> None:
    together = threading.Barrier(3, timeout=20)
    executor = Inline(lambda x: together.wait() * 0 + x)
    results = system.dispatch.run(given(lazy, range(12)), executor=executor, batch_size=1, max_in_flight=3)
    assert [item.payload for item in results] == list(range(12))
    assert executor.most == 3


@sources
@orderings
@pytest.mark.parametrize("on_error", ["skip", Retry(2, split=True, then="skip", backoff=0)], ids=["skip", "split"])
def test_policies_apply(system: System, lazy: bool, ordering: str, on_error: Any) -> None:
    results = system.dispatch.run(
        given(lazy, [-1 if i == 9 else i for i in range(40)]),
        executor=Inline(fails_on_negative),
        batch_size=8,
        on_error=on_error,
        ordering=ordering,
    )
    assert sorted(item.id for item in results) == list(range(40))
    skipped = sorted(item.id for item in results if "skipped" in item.meta)
    assert skipped == ([9] if on_error != "skip" else list(range(8, 16)))


@sources
def test_halt_and_route(system: System, lazy: bool) -> None:
    payloads = [-1 if i == 9 else i for i in range(40)]
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(given(lazy, payloads), executor=Inline(fails_on_negative), batch_size=3)
    assert isinstance(caught.value.reason, ValueError)
    assert [item.id for item in caught.value.partial_results] == list(range(9))
    assert caught.value.unfinished[:3] == [9, 10, 11]
    results = system.dispatch.run(
        given(lazy, payloads),
        executor=Inline(fails_on_negative),
        batch_size=1,
        on_error=Route(lambda item, reason: item.update_payload(type(reason).__name__)),
    )
    assert [item.payload for item in results][8:11] == [8, "ValueError", 10]


@sources
@pytest.mark.parametrize("cause", [SystemExit, KeyboardInterrupt])
def test_what_would_end_the_process_ends_the_batch_only(system: System, lazy: bool, cause: type[BaseException]) -> None:
    def function(payload: int) -> int:
        if payload == 3:
            raise cause
        return payload

    results = system.dispatch.run(given(lazy, range(6)), executor=Inline(function), batch_size=1, on_error="skip")
    assert [item.id for item in results if "skipped" in item.meta] == [3]
    assert isinstance(results[3].meta["error"].__cause__, cause)


@sources
def test_another_number_of_items_or_other_things_are_an_error(system: System, lazy: bool) -> None:
    class Wrong:
        def __init__(self, answer: Callable[[Sequence[Item]], Any]) -> None:
            self.answer = answer

        def execute_batch(self, batch: Sequence[Item], context: Context, options: Any) -> Any:
            return self.answer(batch)

    for answer in (lambda batch: batch[1:], lambda batch: [1] * len(batch)):
        with pytest.raises(DispatchError) as caught:
            system.dispatch.run(given(lazy, range(3)), executor=Wrong(answer))
        assert isinstance(caught.value.reason, UnexpectedResponse)
        assert caught.value.unfinished == [0, 1, 2]
    with pytest.raises(DispatchError):
        system.dispatch.run(given(lazy, range(3)), executor=Wrong(lambda batch: None))


@sources
@orderings
def test_batch_over_its_timeout_fails_and_its_reply_is_dropped(system: System, lazy: bool, ordering: str) -> None:
    let_go = threading.Event()
    slow = Inline(lambda x: let_go.wait(30) and x if x == 1 else x)
    results = system.dispatch.run(
        given(lazy, range(6)), executor=slow, batch_size=1, timeout=0.05, on_error="skip", ordering=ordering
    )
    let_go.set()
    assert sorted(item.id for item in results) == list(range(6))
    (skipped,) = [item for item in results if "skipped" in item.meta]
    assert skipped.id == 1
    assert isinstance(skipped.meta["error"], BatchTimeout)
    assert "its thread cannot be killed: it runs on" in str(skipped.meta["error"])  # there is no worker


def test_a_thread_that_is_over_its_timeout_is_replaced(system: System) -> None:
    let_go = threading.Event()
    slow = Inline(lambda x: let_go.wait(30) and x if x < 3 else x)
    results = system.dispatch.run(
        range(10), executor=slow, batch_size=1, timeout=0.05, on_error="skip", max_in_flight=2
    )
    let_go.set()
    assert [item.id for item in results if "skipped" in item.meta] == [0, 1, 2]


def test_strategies_group_for_it_too(system: System) -> None:
    executor = Inline(lambda x: x)
    results = system.dispatch.run(range(30), executor=executor, strategy=KeyPartition, key_fn=lambda item: item.id % 3)
    assert [item.id for item in results] == [i for key in range(3) for i in range(30) if i % 3 == key]
    assert executor.batches == 3


def test_the_context_is_passed_on(system: System) -> None:
    class Asking:
        def execute_batch(self, batch: Sequence[Item], context: Context, options: Any) -> Iterable[Item]:
            return [item.update_payload((context.stage, context.stores["db"], options.timeout)) for item in batch]

    (result,) = system.dispatch.run([1], executor=Asking, context=Context.new(stage="s", stores={"db": 5}), timeout=9)
    assert result.payload == ("s", 5, 9)


def test_a_pool_has_no_meaning_for_it(system: System) -> None:
    with pytest.raises(OptionError, match="executes in this process"):
        system.dispatch.stream([1], executor=Inline(lambda x: x), pool="default")


def test_closing_a_stream_ends_threads_once_user_code_lets_them(system: System) -> None:
    let_go, begun = threading.Event(), threading.Event()

    def function(payload: int) -> int:
        begun.set()
        let_go.wait(30)
        return payload

    stream = system.dispatch.stream(range(100), executor=Inline(function), batch_size=1, max_in_flight=2)
    waiting = threading.Thread(target=lambda: next(stream, None) if begun.wait(0) else None)
    closer = threading.Thread(target=lambda: (begun.wait(20), stream.close()))
    closer.start()
    with pytest.raises(Exception, match="closed"):
        next(stream)
    closer.join()
    let_go.set()
    del waiting
