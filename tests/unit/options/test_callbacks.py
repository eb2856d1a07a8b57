"""Callbacks that cannot be called as they will be are refused by the call that they are given to."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from slither_actors import Item, OptionTypeError, Retry, Route, telemetry
from slither_actors.executors import SnakeBridge
from slither_actors.option_parsing import parse_options
from slither_actors.strategies import KeyPartition, Strategy, WeightedBatch


class Taker:
    def __call__(self, item: Any) -> Any:
        return item

    def two(self, item: Any, reason: Any) -> Any:
        return item

    @staticmethod
    def static(item: Any, reason: Any) -> Any:
        return item


class AsyncTaker:
    async def __call__(self, item: Any) -> Any:
        return item


async def awaits(item: Any) -> Any:
    return item


def generates(item: Any) -> Any:
    yield item


def wrapped(*args: Any) -> Any:
    """Forwards what it gets to another signature than its own."""
    return functools.wraps(operator.add)(lambda *args: args)(*args)


@pytest.mark.parametrize(
    "fn",
    [
        lambda item: item,
        lambda: 1,
        lambda item, reason, more: item,
        lambda item, *, reason: item,
        Taker(),
        functools.partial(lambda a, b, c: a, 1, 2),
        AsyncTaker().__call__,
        awaits,
        generates,
        Taker,
    ],
)
def test_a_route_function_takes_an_item_and_a_reason(fn: Any) -> None:
    with pytest.raises(OptionTypeError, match="Route's fn"):
        Route(fn)


@pytest.mark.parametrize(
    "fn",
    [
        lambda item, reason: item,
        lambda *args: args,
        lambda item, reason=None, more=None: item,
        lambda item, reason, *rest, key=1, **options: item,
        Taker().two,
        Taker.static,
        functools.partial(lambda a, b, c: a, 1),
        functools.partial(lambda item, reason, note: item, note="x"),
        wrapped,
        operator.add,
        mock.Mock(),
        max,
        Item,
    ],
)
def test_what_can_be_called_so_is_accepted(fn: Any) -> None:
    assert Route(fn).fn is fn
    assert Retry(then=Route(fn)).max_attempts == 3


def test_the_message_has_both_signatures() -> None:
    with pytest.raises(OptionTypeError) as caught:
        Route(lambda item: item)  # type: ignore[arg-type,misc]
    assert "fn(item, reason)" in str(caught.value)
    assert "takes (item)" in str(caught.value)


MAKERS: list[tuple[str, Callable[[Any], Any]]] = [
    ("weight_fn", lambda fn: WeightedBatch(weight_fn=fn)),
    ("key_fn", KeyPartition),
    ("handler", lambda fn: telemetry.attach(telemetry.BATCH_STOP, fn)),
]


@pytest.mark.parametrize(("name", "make"), MAKERS)
@pytest.mark.parametrize("fn", [lambda: 1, lambda a, b: 1, awaits, generates, AsyncTaker(), Taker().two])
def test_functions_of_one_argument(name: str, make: Callable[[Any], Any], fn: Any) -> None:
    with pytest.raises(OptionTypeError, match=name):
        make(fn)


@pytest.mark.parametrize("fn", [lambda item: 1, len, str, Taker(), operator.attrgetter("id"), lambda *rest: 1, id])
def test_functions_of_one_argument_that_will_do(fn: Any) -> None:
    WeightedBatch(weight_fn=fn)
    KeyPartition(fn)
    telemetry.attach(telemetry.BATCH_STOP, fn).detach()


class Inline:
    def execute_batch(self, batch: Any, context: Any) -> Any:
        return batch


class AsyncInline:
    async def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
        return batch


class Remote:
    def request(self, batch: Any) -> Any: ...

    def results(self, batch: Any, reply: Any) -> Any: ...


class RemoteWithoutReply:
    def request(self, batch: Any, context: Any, options: Any) -> Any: ...

    def results(self, batch: Any) -> Any: ...


@pytest.mark.parametrize(
    ("executor", "method"),
    [
        (Inline, "execute_batch(batch, context, options)"),
        (AsyncInline, "execute_batch"),
        (Remote, "request(batch, context, options)"),
        (RemoteWithoutReply, "results(batch, reply)"),
    ],
)
def test_executors_are_refused_as_class_and_as_instance(executor: Any, method: str) -> None:
    for given in (executor, executor()):
        with pytest.raises(OptionTypeError) as caught:
            parse_options({"executor": given})
        assert method in str(caught.value)
        assert executor.__name__ in str(caught.value)


class Lazy:
    def execute_batch(self, batch: Any, context: Any, options: Any) -> Iterator[Any]:
        yield from batch


def test_what_is_iterated_may_be_a_generator() -> None:
    assert parse_options({"executor": Lazy}).inline


class Adds(Strategy):
    def add(self, item: Any, index: int) -> Any:  # type: ignore[override]
        return ()

    def flush(self) -> Any:
        return ()


class Flushes(Strategy):
    def add(self, item: Any) -> Any:
        return ()

    async def flush(self) -> Any:
        return ()


@pytest.mark.parametrize(("strategy", "said"), [(Adds, "Adds.add is called as add(item)"), (Flushes, "Flushes.flush")])
def test_strategies_too(strategy: Any, said: str) -> None:
    with pytest.raises(OptionTypeError) as caught:
        parse_options({"module": "m", "function": "f", "strategy": strategy})
    assert said in str(caught.value)


def test_an_async_function_for_workers_is_one_like_any_other() -> None:
    assert SnakeBridge(function=awaits).target == (__name__, "awaits", False)


def test_a_signature_that_raises_is_no_reason_to_refuse() -> None:
    class Odd:
        @property
        def __signature__(self) -> Any:
            raise RuntimeError

        def __call__(self, *args: Any) -> Any: ...

    Route(Odd())
