"""Whatever the options, the source and the failures: each item comes out once, in its order, or is named."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slither_actors import DispatchError, Item, Retry, Route, System
from slither_actors.strategies import KeyPartition, WeightedBatch


def routed(item: Item, reason: Exception) -> Item:
    return item.put_meta(routed=True)


STRATEGIES: dict[str, Any] = {
    "fixed": lambda size: {"batch_size": size},
    "weighted": lambda size: {
        "strategy": WeightedBatch,
        "weight_fn": lambda item: abs(item.payload) % 5,
        "max_weight": 2 * size,
    },
    "weighted and counted": lambda size: {
        "strategy": WeightedBatch,
        "weight_fn": lambda item: abs(item.payload) % 5,
        "max_weight": 9,
        "batch_size": size,
    },
    "keyed": lambda size: {"strategy": KeyPartition, "key_fn": lambda item: abs(item.payload) % 4, "batch_size": size},
    "many keys": lambda size: {"strategy": KeyPartition, "key_fn": lambda item: item.id, "batch_size": size},
}
POLICIES: dict[str, Any] = {
    "halt": "halt",
    "skip": "skip",
    "route": Route(routed),
    "retry": Retry(2, backoff=0, then="skip"),
    "retry and halt": Retry(2, backoff=0),
    "split": Retry(2, backoff=0, split=True, then="skip"),
    "split and route": Retry(1, backoff=0, split=True, then=Route(routed)),
    "split and halt": Retry(2, backoff=0, split=True),
}
FUNCTIONS: dict[str, Any] = {
    "whole": {"function": "negative_ones_fail"},
    "each": {"function": "negative_fails", "each": True},
    "instances": {"function": "negative_ones_are_exceptions"},
}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_each_item_comes_out_once_or_is_named(system: System, data: st.DataObject) -> None:
    draw = data.draw
    count = draw(st.integers(0, 120))
    bad = draw(st.sets(st.integers(0, max(0, count - 1)), max_size=4))
    payloads = [-1 - i if i in bad else i for i in range(count)]
    lazy = draw(st.booleans())
    ordering = draw(st.sampled_from(["preserve", "as_completed"]))
    policy = draw(st.sampled_from(sorted(POLICIES)))
    function = draw(st.sampled_from(sorted(FUNCTIONS)))
    options: dict[str, Any] = {
        "module": "tasks",
        **FUNCTIONS[function],
        **STRATEGIES[draw(st.sampled_from(sorted(STRATEGIES)))](draw(st.integers(1, 20))),
        "ordering": ordering,
        "on_error": POLICIES[policy],
        "max_in_flight": draw(st.integers(1, 3)),
        "prefetch": draw(st.sampled_from([None, 0, 1, 5])),
        "linger": draw(st.sampled_from([None, 0.0, 0.005])),
        "max_in_flight_bytes": draw(st.sampled_from([None, 1, 300, 100_000])),
        "timeout": 20,
    }
    taken = draw(st.sampled_from([None, None, None, 0, 1, 30]))
    stream = system.dispatch.stream((x for x in payloads) if lazy else payloads, **options)
    error = None
    got: list[Item] = []
    try:
        with stream:
            got.extend(itertools.islice(stream, taken))
    except DispatchError as caught:
        error = caught
    ids = [item.id for item in got]
    assert len(set(ids)) == len(ids)
    if ordering == "preserve":
        assert ids == list(range(len(ids)))
    if error is None:
        assert len(ids) == (count if taken is None else min(count, taken))
    else:
        assert policy.endswith("halt")
        assert bad
        done = [item.id for item in error.partial_results]
        named = ids + done + error.unfinished
        # What was pulled: a beginning of the input, each item of it once.
        assert sorted(named) == list(range(len(named)))
        assert bad & set(error.unfinished)
    for item in got + (error.partial_results if error is not None else []):
        assert item.payload == payloads[item.id]
        marked = bool(item.meta)
        if item.id in bad:
            assert marked
        elif function != "whole" or "split" in policy:
            assert not marked
    end = stream.statistics()
    assert end.emitted == len(ids) + (len(error.partial_results) if error is not None else 0)
    assert end.dropped_by_halt == (len(error.unfinished) if error is not None else 0)
    if taken is None:
        assert end.pulled == end.accounted
