"""User code of the host that raises, gives nonsense or blocks ends its own run with the cause, and affects no other."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.drivers import WAYS, outcome, with_side_thread
from support.failing import Failing
from support.gates import SECONDS, Gates
from support.worker import FUNCTIONS

from slither_actors import Item, PoolSpec, Route, StrategyError, System, UnexpectedResponse, telemetry
from slither_actors.executors import Call
from slither_actors.strategies import KeyPartition, Strategy, WeightedBatch
from supervisors import ChildSpec, LightActor, TreeNode

pytestmark = pytest.mark.fault(19)

ways = pytest.mark.parametrize("way", WAYS)


class Bystander(LightActor):
    pass


@pytest.fixture(scope="module")
def shared() -> Iterator[System]:
    pools = {"default": PoolSpec(size=1, path=[FUNCTIONS]), "other": PoolSpec(size=1, path=[FUNCTIONS])}
    with System(pools, children=[ChildSpec("bystander", Bystander.start)]) as system:
        yield with_side_thread(system)


@pytest.fixture
def system(shared: System, tmp_path: Path, eventually: Callable[..., None]) -> Iterator[System]:
    """Beside what a test does in it a run is in the middle of things; and nothing of it is another one afterwards."""
    gates = Gates(tmp_path)
    before = standing(shared)
    with ThreadPoolExecutor(1) as threads:
        items = [*range(10), (10, gates["middle"]), *range(11, 500)]
        neighbour = threads.submit(
            shared.dispatch.run, items, pool="other", module="tasks", function="through_gates", batch_size=5
        )
        gates.wait_begun("middle")
        yield shared
        assert not neighbour.done()
        gates.open("middle")
        assert [item.payload for item in neighbour.result(SECONDS)] == list(range(500))
    eventually(lambda: shared.statistics().runs == 0)
    assert standing(shared) == before
    assert [item.payload for item in shared.dispatch.run([1], module="tasks", function="double")] == [2]


def standing(system: System) -> list[Any]:
    """Who stands in the tree, but for runs, and what was counted of pools and threads."""
    now = system.statistics()

    def walk(node: TreeNode) -> Iterator[Any]:
        yield node.id, node.kind, node.state, node.restarts
        if node.id != "runs":
            for child in node.children:
                yield from walk(child)

    counted = [(name, pool.counts.started, pool.counts.exits, pool.counts.deaths) for name, pool in now.pools.items()]
    return [*walk(system.tree()), now.pids, system.actor("bystander"), *counted, now.stuck_threads, now.dropped_events]


# --- what raises


class Nameless(BaseException):
    """No Exception, and not built in."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise Nameless

    __repr__ = __str__


def recurse() -> Any:
    return recurse()


def raising(cause: type[BaseException]) -> Any:
    def function(*arguments: Any) -> Any:
        if cause is not RecursionError:
            raise cause
        # The real one. What others left to the collector would find no stack for its finalizers down there.
        gc.disable()
        try:
            return recurse()
        finally:
            gc.enable()

    return function


class Remote:
    def __init__(self, request: Any = None, results: Any = None) -> None:
        self.make, self.take = request, results

    def request(self, batch: Sequence[Item], context: Any, options: Any) -> Any:
        return self.make(batch) if self.make else Call("tasks", "double", False, [item.payload for item in batch])

    def results(self, batch: Sequence[Item], reply: Any) -> Iterable[Item]:
        if self.take:
            return self.take(batch, reply)  # type: ignore[no-any-return]
        return [item.update_payload(payload) for item, payload in zip(batch, reply, strict=True)]


PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "strategy.add": lambda fail: {"strategy": Failing("add", fail)},
    "strategy.flush": lambda fail: {"strategy": Failing("flush", fail)},
    "strategy.release": lambda fail: {"strategy": Failing("release", fail), "max_in_flight": 1, "prefetch": 0},
    "key_fn": lambda fail: {"strategy": KeyPartition, "key_fn": fail},
    "weight_fn": lambda fail: {"strategy": WeightedBatch, "weight_fn": fail},
    "route": lambda fail: {"function": "negative_ones_fail", "on_error": Route(fail), "batch_size": 1},
    "request": lambda fail: {"executor": Remote(request=fail)},
    "results": lambda fail: {"executor": Remote(results=fail)},
}


def run(system: System, way: str, options: dict[str, Any]) -> Any:
    defaults = {"pool": "default", "module": "tasks", "function": "double"}
    payloads = [-number if number == 5 else number for number in range(20)]
    used = options if "executor" in options else defaults | options
    return outcome(system, payloads, way, **{"pool": "default"} | used)


@ways
@pytest.mark.parametrize("cause", [SystemExit, Nameless, RecursionError, Unprintable], ids=lambda cause: cause.__name__)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_it_raises_is_the_cause_of_its_own_runs_end(
    system: System, place: str, cause: type[BaseException], way: str
) -> None:
    came = run(system, way, PLACES[place](raising(cause)))
    assert came.error is not None
    assert isinstance(came.error.reason, cause)
    assert came.error.__cause__ is came.error.reason
    assert type(came.error.reason).__name__ in str(came.error)
    # Each item that was pulled came out once, or is named.
    named = [item.id for item in came.items + came.error.partial_results] + came.error.unfinished
    assert sorted(named) == list(range(came.ledger.pulled))
    assert came.ledger.dropped_by_halt == len(came.error.unfinished)


@ways
def test_in_an_inline_executor_it_ends_its_batch(system: System, way: str) -> None:
    class Inline:
        def execute_batch(self, batch: Sequence[Item], context: Any, options: Any) -> Sequence[Item]:
            if any(item.payload == -5 for item in batch):
                raise SystemExit(3)
            return batch

    payloads = [-number if number == 5 else number for number in range(20)]
    came = outcome(system, payloads, way, executor=Inline, batch_size=4, on_error="skip")
    assert came.error is None
    skipped = [item for item in came.items if item.meta.get("skipped")]
    assert [item.id for item in skipped] == [4, 5, 6, 7]
    assert isinstance(skipped[0].meta["error"].__cause__, SystemExit)
    assert came.numbers == (20, 20, 4, 0)


def test_in_telemetry_handlers_it_ends_the_handler_only(system: System, eventually: Callable[..., None]) -> None:
    called: Counter[str] = Counter()

    def handler(event: telemetry.Event) -> None:
        called[event.name] += 1
        raise SystemExit(3)

    with telemetry.attach(telemetry.BATCH_STOP, handler), telemetry.attach(telemetry.BATCH_START, handler):
        results = system.dispatch.run(range(20), pool="default", module="tasks", function="double", batch_size=4)
        assert len(results) == 20
        # Each is detached by the first event that it gets.
        eventually(lambda: called == {telemetry.BATCH_START: 1, telemetry.BATCH_STOP: 1})


# --- what gives nonsense


class Confused(Strategy):
    """Gives something for the third item, and for all others a batch of their own."""

    def __init__(self, give: Callable[[Item, Item], Any], flush: Any = ()) -> None:
        self.give, self.rest = give, flush
        self.before: Item | None = None

    def add(self, item: Item) -> Any:
        before, self.before = self.before, item
        return self.give(item, before) if item.id == 3 else [[item]]  # type: ignore[arg-type]

    def flush(self) -> Any:
        return self.rest


NONSENSE: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a strategy's number": ({"strategy": lambda: Confused(lambda item, before: 7)}, TypeError, "int"),
    "a strategy's None": ({"strategy": lambda: Confused(lambda item, before: None)}, TypeError, "None"),
    "an item for a batch": ({"strategy": lambda: Confused(lambda item, before: [item])}, StrategyError, "in place of"),
    "a text for a batch": ({"strategy": lambda: Confused(lambda item, before: ["abc"])}, StrategyError, "'abc'"),
    "an item twice": ({"strategy": lambda: Confused(lambda item, before: [[item], [item]])}, StrategyError, "twice"),
    "an item again": ({"strategy": lambda: Confused(lambda item, before: [[before]])}, StrategyError, "twice"),
    "an item of its own": ({"strategy": lambda: Confused(lambda item, before: [[Item("x", 0)]])}, StrategyError, "'x'"),
    "no item": ({"strategy": lambda: Confused(lambda item, before: [[5]])}, StrategyError, "gave 5"),
    "a lost item": ({"strategy": lambda: Confused(lambda item, before: [])}, StrategyError, "after flush"),
    "a flush that gives None": ({"strategy": lambda: Confused(lambda item, before: [[item]], None)}, TypeError, "None"),
    "a key that is a list": ({"strategy": KeyPartition, "key_fn": lambda item: []}, StrategyError, "cannot be a key"),
    "a weight below 0": ({"strategy": WeightedBatch, "weight_fn": lambda item: -1}, StrategyError, "-1"),
    "a weight that is no number": ({"strategy": WeightedBatch, "weight_fn": str}, StrategyError, "must give a number"),
    "a route's None": (PLACES["route"](lambda item, error: None), TypeError, "gave None for item"),
    "a route's payload": (PLACES["route"](lambda item, error: 5), TypeError, "gave 5 for item"),
    "a request's None": (PLACES["request"](lambda batch: None), TypeError, "neither a Call nor a Command"),
    "too few results": (PLACES["results"](lambda batch, reply: []), UnexpectedResponse, "gave 0 items for 20"),
    "results of None": (PLACES["results"](lambda batch, reply: None), TypeError, "None"),
    "results that are no items": (PLACES["results"](lambda batch, reply: reply), UnexpectedResponse, "not an Item"),
}


@ways
@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_named_and_ends_its_own_run(system: System, what: str, way: str) -> None:
    options, kind, words = NONSENSE[what]
    options = dict(options)
    if callable(options.get("strategy")) and not isinstance(options["strategy"], type):
        options["strategy"] = options["strategy"]()
    came = run(system, way, options)
    assert came.error is not None
    assert isinstance(came.error.reason, kind)
    assert words in str(came.error.reason)
    named = [item.id for item in came.items + came.error.partial_results] + came.error.unfinished
    assert sorted(map(str, named)) == sorted(map(str, range(came.ledger.pulled)))
    assert came.ledger.dropped_by_halt == len(came.error.unfinished)


# --- what blocks


@pytest.mark.parametrize("place", ["strategy.add", "key_fn", "weight_fn", "route", "request"])
def test_a_blocking_callback_holds_up_its_own_run_only(
    system: System, place: str, eventually: Callable[..., None]
) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def block(*arguments: Any) -> Any:
        begun.set()
        let_go.wait(60)
        return 1

    options = {"pool": "default", "module": "tasks", "function": "double"} | PLACES[place](block)
    if "executor" in options:
        options = {name: options[name] for name in ("pool", "executor")}
    payloads = (-number if number == 5 else number for number in range(20))
    stream = system.dispatch.stream(payloads, **options)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(list, stream)
        try:
            assert begun.wait(SECONDS)
            assert len(system.dispatch.run(range(50), module="tasks", function="double", batch_size=5)) == 50
            stream.close()
            assert type(reading.exception(SECONDS)).__name__ == "StreamClosed"
            eventually(lambda: system.statistics().runs == 1)  # the neighbour's
            end = stream.statistics()
            assert end.pulled == end.emitted + end.dropped_by_close
        finally:
            let_go.set()
    eventually(lambda: not [thread for thread in threading.enumerate() if "BatcherActor" in thread.name], SECONDS)
