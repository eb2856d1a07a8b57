"""Payloads and results that have no form on the wire: the error says which and where, and no worker is harmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace
from support.drivers import WAYS, outcome
from support.hosts import EVIL
from support.worker import FUNCTIONS

from slither_actors import Item, PayloadError, PoolSpec, Retry, Route, System, WorkerError

ways = pytest.mark.parametrize("way", WAYS)
orderings = pytest.mark.parametrize("ordering", ["preserve", "as_completed"])

NUMBERS = range(64)
OTHERS = [number for number in NUMBERS if number != 37]
BATCH = range(32, 48)
"""The batch of 16 that item 37 is in."""


@pytest.fixture(scope="module")
def shared() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS, EVIL])}) as system:
        yield system


@pytest.fixture
def system(shared: System, eventually: Callable[..., None]) -> Iterator[System]:
    """One whose workers are the same after the test, and have not even noticed."""
    before = shared.statistics().pools["default"]
    yield shared

    def idle() -> bool:
        pool = shared.statistics().pools["default"].pool
        assert pool is not None
        return (pool.ready, pool.runs, pool.waiting, pool.in_pipes) == (2, 0, 0, 0)

    eventually(idle)  # a run that failed leaves behind what was being executed
    after = shared.statistics().pools["default"]
    assert [executor.pid for executor in after.executors] == [executor.pid for executor in before.executors]
    assert replace(after.counts, late=0) == replace(before.counts, late=0)
    assert [item.payload for item in shared.dispatch.run([1, 2], module="tasks", function="double")] == [2, 4]


# --- payloads


class Text(str):
    __slots__ = ()


def cycle() -> list[Any]:
    made: list[Any] = []
    made.append([made])
    return made


def deep() -> list[Any]:
    made: list[Any] = []
    for _ in range(100_000):
        made = [made]
    return made


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "object": (object, ""),
    "object inside": (lambda: {"a": [1, {"b": object()}]}, "['a'][1]['b']"),
    "subclass": (lambda: {"text": ["fine", Text("x")]}, "['text'][1]"),
    "function": (lambda: [print], "[0]"),
    "cycle": (cycle, "[0][0]"),
    "deep": (deep, "[0][0]"),
}
bad = pytest.mark.parametrize("kind", BAD)


def payloads(kind: str) -> list[Any]:
    make, _ = BAD[kind]
    return [make() if number == 37 else number for number in NUMBERS]


def check(error: object, kind: str, item_id: object = 37) -> None:
    assert isinstance(error, PayloadError)
    assert error.item_id == item_id
    assert error.path.startswith(BAD[kind][1]), error.path
    assert f"item {item_id!r}" in str(error)
    assert len(str(error)) < 2000


ECHO: dict[str, Any] = {"module": "tasks", "function": "naps", "batch_size": 16}


@pytest.mark.fault(16)
@bad
@ways
def test_an_item_without_a_form_is_named_and_ends_the_run(system: System, kind: str, way: str) -> None:
    came = outcome(system, payloads(kind), way, **ECHO)
    assert came.error is not None
    check(came.error.reason, kind)
    done = [item.id for item in came.items + came.error.partial_results]
    assert done == list(range(37))  # its siblings were sent
    assert came.error.unfinished == list(range(37, came.ledger.pulled))
    assert (came.ledger.failed, came.ledger.retries) == (1, 0)
    assert came.numbers == (came.ledger.pulled, 37, 0, came.ledger.pulled - 37)


@pytest.mark.fault(16)
@ways
@orderings
def test_it_goes_to_the_policy_alone_and_no_attempt_is_made(system: System, way: str, ordering: str) -> None:
    kind = "object inside"
    for policy in ("skip", Retry(5, backoff=0, then="skip")):
        came = outcome(system, payloads(kind), way, **ECHO, ordering=ordering, on_error=policy)
        assert came.error is None
        assert sorted(item.id for item in came.items) == list(NUMBERS)
        skipped = [item for item in came.items if item.meta.get("skipped")]
        assert [item.id for item in skipped] == [37]
        check(skipped[0].meta["error"], kind)
        assert (came.ledger.failed, came.ledger.retries) == (1, 0)
        assert came.numbers == (64, 64, 1, 0)


@pytest.mark.fault(16)
@ways
@orderings
def test_with_split_nothing_is_halved_for_it(system: System, way: str, ordering: str) -> None:
    kind = "subclass"
    given = payloads(kind)
    elsewhere = Route(lambda item, reason: Item("elsewhere", type(reason).__name__))
    for then in ("skip", elsewhere):
        policy = Retry(5, backoff=0, split=True, then=then)
        came = outcome(system, given, way, **ECHO, ordering=ordering, on_error=policy)
        assert came.error is None
        assert sorted(item.payload for item in came.items if item.id in OTHERS) == OTHERS
        (other,) = [item for item in came.items if item.id not in OTHERS]
        if then == "skip":
            assert other.payload is given[37]
            check(other.meta["error"], kind)
        else:
            assert (other.id, other.payload) == ("elsewhere", "PayloadError")
        assert (came.ledger.failed, came.ledger.retries) == (1, 0)  # it is known before anything is sent
        assert came.numbers == (64, 64, int(then == "skip"), 0)
        assert came.ledger.routed == int(then != "skip")
        if ordering == "preserve":
            assert came.items[37] is other


@pytest.mark.fault(16)
@ways
def test_it_is_named_by_its_own_id(system: System, way: str) -> None:
    items = [Item(f"number {number}", object() if number == 37 else number) for number in NUMBERS]
    came = outcome(system, items, way, **ECHO, on_error=Retry(2, backoff=0, split=True))
    assert came.error is not None
    check(came.error.reason, "object", "number 37")
    assert came.error.unfinished[0] == "number 37"


MANY = {(2**61 - 1) * number + 5 for number in range(257)}
"""More numbers of one hash than a set may have for the one who decodes it."""
UNDECODABLE: list[dict[str, Any]] = [
    {"module": "tasks", "function": "naps"},
    {"module": "operator", "function": "pos", "each": True},
    {"command": "score", "pool": "adapter"},
]


@pytest.fixture(scope="module")
def two_pools() -> Iterator[System]:
    adapter = PoolSpec(size=2, path=[FUNCTIONS], adapter="tasks:Scorer", init={"factor": 1})
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS]), "adapter": adapter}) as system:
        yield system


@pytest.mark.fault(16)
@pytest.mark.parametrize("form", UNDECODABLE, ids=["batch", "each", "command"])
@pytest.mark.parametrize("policy", ["skip", Retry(2, backoff=0, split=True, then="skip"), "route"], ids=str)
@ways
@orderings
def test_an_item_that_the_worker_cannot_decode_fails_alone(
    two_pools: System, form: dict[str, Any], policy: Any, way: str, ordering: str
) -> None:
    routes = policy == "route"
    given = [MANY if number in (37, 39) else number for number in NUMBERS]
    on_error = Route(lambda item, reason: item.put_meta(error=reason, skipped=True)) if routes else policy
    came = outcome(two_pools, given, way, **form, batch_size=16, ordering=ordering, on_error=on_error)
    assert came.error is None
    items = sorted(came.items, key=lambda item: item.id)
    assert [item.payload for item in items] == given
    skipped = [item for item in items if item.meta.get("skipped")]
    assert [item.id for item in skipped] == [37, 39]
    for item in skipped:
        error = item.meta["error"]
        assert isinstance(error, WorkerError)
        assert (error.kind, error.alone) == ("decode", True)
        assert "this cannot be decoded in the worker: more than 256 keys" in error.message
    again = isinstance(policy, Retry)
    assert (came.ledger.failed, came.ledger.retries) == ((4, 1) if again else (2, 0))
    assert came.numbers == (64, 64, 0 if routes else 2, 0)


@pytest.mark.fault(16)
@ways
def test_an_item_that_the_worker_cannot_decode_is_named_by_halt(two_pools: System, way: str) -> None:
    came = outcome(two_pools, [MANY if number == 37 else number for number in NUMBERS], way, **ECHO)
    assert came.error is not None
    assert came.error.item_id == 37
    assert [item.id for item in came.items + came.error.partial_results] == list(range(37))
    assert came.error.unfinished == list(range(37, came.ledger.pulled))


# --- results


def skipped_for(form: dict[str, Any]) -> list[int]:
    """The function's results of a batch fail together; where it is called for each item they are known one by one."""
    return [37] if form.get("each") else list(BATCH)


RESULTS = ["object", "cycle", "subclass", "deep", "function", "dict that lies"]
FORMS = [{"function": "results"}, {"function": "as_generator"}, {"function": "result", "each": True}]


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    ("kind", "form"), [*((kind, FORMS[0]) for kind in RESULTS), *(("object", form) for form in FORMS[1:])]
)
@ways
def test_a_result_that_cannot_be_encoded_is_error_of_its_batch(
    system: System, kind: str, form: dict[str, Any], way: str
) -> None:
    given = [(number, kind) for number in NUMBERS]
    came = outcome(system, given, way, module="unsendable", **form, batch_size=16, on_error="skip")
    assert came.error is None
    assert [item.payload for item in came.items if not item.meta.get("skipped")] == [
        number for number in NUMBERS if number not in skipped_for(form)
    ]
    skipped = [item for item in came.items if item.meta.get("skipped")]
    assert [item.id for item in skipped] == skipped_for(form)
    for item in skipped:
        error = item.meta["error"]
        assert isinstance(error, WorkerError)
        assert error.kind == "encode"
        assert "[5]['of'][1]" in error.message or kind == "dict that lies"
        assert len(str(error)) < 5000
    assert came.numbers == (64, 64, len(skipped), 0)
    assert (came.ledger.failed, came.ledger.retries) == (len(skipped), 0)


@pytest.mark.fault(17)
@ways
def test_with_each_a_too_large_result_is_error_of_its_item(way: str) -> None:
    given = [5000 if number == 37 else number for number in NUMBERS]
    with System({"default": PoolSpec(size=1, path=[EVIL], max_frame=2000)}) as system:
        form: dict[str, Any] = {"module": "unsendable", "function": "text", "each": True}
        came = outcome(system, given, way, **form, batch_size=16, on_error="skip")
        (skipped,) = [item for item in came.items if item.meta.get("skipped")]
        assert skipped.id == 37
        assert "bytes for this result alone, max_frame is 2000" in skipped.meta["error"].message
        assert came.numbers == (64, 64, 1, 0)
        # Results that fit alone and not together: the remedy is said, and a policy that splits is one.
        came = outcome(system, [900] * 4, way, **form, batch_size=4, on_error="skip")
        assert all("use smaller batches" in item.meta["error"].message for item in came.items)
        policy = Retry(2, backoff=0, split=True)
        came = outcome(system, [900] * 4, way, **form, batch_size=4, on_error=policy)
        assert [item.payload for item in came.items] == ["x" * 900] * 4
        # An error may be larger than a frame, too.
        form = {"module": "unsendable", "function": "long_error", "each": True}
        came = outcome(system, range(36, 40), way, **form, batch_size=4, on_error="skip")
        assert [item.id for item in came.items if item.meta.get("skipped")] == [1]
        came = outcome(system, [37], way, module="unsendable", function="long_errors", on_error="skip")
        assert came.items[0].meta["error"].type == "ValueError"
        assert system.statistics().pools["default"].counts.deaths == 0


@pytest.mark.fault(17)
@ways
@orderings
def test_with_split_item_with_that_result_goes_to_policy_alone(system: System, way: str, ordering: str) -> None:
    given = [(number, "object") for number in NUMBERS]
    policy = Retry(3, backoff=0, split=True, then="skip")
    came = outcome(
        system, given, way, module="unsendable", function="results", batch_size=16, ordering=ordering, on_error=policy
    )
    assert came.error is None
    assert sorted(item.payload for item in came.items if item.id != 37) == OTHERS
    (skipped,) = [item for item in came.items if item.meta.get("skipped")]
    assert skipped.id == 37
    # 16 + 8 + 4 + 2, and three attempts of its own.
    assert (came.ledger.failed, came.ledger.retries) == (33, 6)
    assert came.numbers == (64, 64, 1, 0)


@pytest.mark.fault(17)
@ways
def test_exception_whose_text_raises_is_error_of_its_item_alone(system: System, way: str) -> None:
    given = [(number, "") for number in NUMBERS]
    came = outcome(
        system,
        given,
        way,
        module="unsendable",
        function="exception_that_cannot_be_told",
        batch_size=16,
        on_error="skip",
    )
    (skipped,) = [item for item in came.items if item.meta.get("skipped")]
    assert skipped.id == 37
    assert "Odd" in skipped.meta["error"].type
    assert came.numbers == (64, 64, 1, 0)
