from __future__ import annotations

import functools
import itertools
import operator
from collections import Counter

from hypothesis import assume, given
from hypothesis import strategies as st

from slither_actors.item import Item
from slither_actors.strategies import FixedBatch, KeyPartition, Strategy, WeightedBatch

WEIGHTS = st.one_of(
    st.integers(0, 30), st.floats(0, 30), st.just(float("inf")), st.integers(0, 2**1100), st.floats(min_value=0)
)
KEYS = st.one_of(st.integers(0, 4), st.sampled_from("abc"), st.none(), st.booleans(), st.tuples(st.integers(0, 2)))
SIZES = st.integers(1, 7)

fixed = st.builds(FixedBatch, SIZES)
weighted = st.builds(
    WeightedBatch,
    st.just(lambda item: item.payload[1]),
    st.one_of(st.integers(1, 50), st.floats(0.01, 50), st.just(1.7e308)),
    st.none() | SIZES,
)
keyed = st.builds(KeyPartition, st.just(lambda item: item.payload[0]), SIZES)
whole = st.builds(KeyPartition, st.just(lambda item: item.payload[0]))

STRATEGIES = st.one_of(fixed, weighted, keyed, whole)
LAZY = st.one_of(fixed, weighted, keyed)
PAYLOADS = st.lists(st.tuples(KEYS, WEIGHTS), max_size=60)
# What a run may do to a strategy: items one by one or some at once, and a release in between at any time.
STEPS = st.lists(st.one_of(PAYLOADS, st.just("release"), st.tuples(KEYS, WEIGHTS)), max_size=30)


def drive(strategy: Strategy, steps: list) -> tuple[list[Item], list[list[Item]]]:
    """Do these steps, then flush; what went in and what came out."""
    numbers = itertools.count()
    given_items: list[Item] = []
    batches: list[list[Item]] = []

    def wrap(payload: tuple) -> Item:
        item = Item(next(numbers), payload)
        given_items.append(item)
        return item

    for step in steps:
        if step == "release":
            done = strategy.release()
        elif isinstance(step, list):
            done = strategy.extend([wrap(payload) for payload in step])
        else:
            done = strategy.add(wrap(step))
        batches.extend(map(list, done))
    batches.extend(map(list, strategy.flush()))
    return given_items, batches


def check(strategy: Strategy, batches: list[list[Item]]) -> None:
    """What is true of every batch of this strategy."""
    assert all(batches), "an empty batch"
    if strategy.batch_size is not None:
        assert all(len(batch) <= strategy.batch_size for batch in batches)
    if isinstance(strategy, WeightedBatch):
        for batch in batches:
            assert len(batch) == 1 or weight(batch) <= strategy.max_weight
    if isinstance(strategy, KeyPartition):
        for batch in batches:
            assert len({key(item) for item in batch}) == 1


def weight(batch: list[Item]) -> float:
    """Added up one by one: since Python 3.12 sum() of floats is more exact than that."""
    return functools.reduce(operator.add, [item.payload[1] for item in batch])


def key(item: Item) -> object:
    """The key as a dict sees it: 1 and True are one."""
    return item.payload[0]


@given(STRATEGIES, STEPS)
def test_every_item_comes_out_exactly_once(strategy, steps):
    items, batches = drive(strategy, steps)
    check(strategy, batches)
    assert Counter(item.id for batch in batches for item in batch) == Counter(item.id for item in items)
    assert list(strategy.flush()) == []
    assert list(strategy.release()) == []


@given(STRATEGIES, STEPS)
def test_inside_a_batch_items_keep_their_order(strategy, steps):
    _, batches = drive(strategy, steps)
    assert all([item.id for item in batch] == sorted(item.id for item in batch) for batch in batches)


@given(st.one_of(fixed, weighted), STEPS)
def test_batches_without_keys_keep_the_order_of_the_input(strategy, steps):
    _, batches = drive(strategy, steps)
    ids = [item.id for batch in batches for item in batch]
    assert ids == sorted(ids)


@given(st.one_of(keyed, whole), STEPS)
def test_items_of_one_key_keep_their_order_across_batches(strategy, steps):
    _, batches = drive(strategy, steps)
    by_key: dict[object, list[int]] = {}
    for item in itertools.chain.from_iterable(batches):
        by_key.setdefault(key(item), []).append(item.id)
    assert all(ids == sorted(ids) for ids in by_key.values())


@given(whole, st.lists(st.tuples(st.integers(), WEIGHTS), max_size=60))
def test_the_whole_input_comes_sorted_by_key(strategy, payloads):
    batches = list(strategy.batches(payloads))
    keys = [key(batch[0]) for batch in batches]
    assert keys == sorted(set(keys))


@given(LAZY, PAYLOADS, st.integers(1, 20))
def test_release_closes_the_batch_of_the_oldest_item(strategy, payloads, every):
    inside: dict[int, None] = {}
    for number, payload in enumerate(payloads):
        inside[number] = None
        for batch in strategy.add(Item(number, payload)):
            for item in batch:
                del inside[item.id]
        if number % every == 0 and inside:
            oldest = min(inside)
            released = [item.id for batch in strategy.release() for item in batch]
            assert oldest in released
            for number_out in released:
                del inside[number_out]


@given(LAZY, PAYLOADS)
def test_repeated_release_empties_a_strategy(strategy, payloads):
    strategy.extend(list(map(Item, range(len(payloads)), payloads)))
    released = 0
    while batches := list(strategy.release()):
        released += sum(map(len, batches))
        assert released <= len(payloads)
    assert list(strategy.flush()) == []


@given(STRATEGIES, PAYLOADS, st.integers(0, 60))
def test_some_at_once_is_the_same_as_one_by_one(strategy, payloads, cut):
    items = list(map(Item, range(len(payloads)), payloads))
    at_once = [list(batch) for part in (items[:cut], items[cut:]) for batch in strategy.extend(part)]
    at_once += map(list, strategy.flush())
    one_by_one = [list(batch) for batch in strategy.batches(items)]
    assert at_once == one_by_one


@given(weighted, PAYLOADS)
def test_a_weighted_batch_closes_before_an_overflow(strategy, payloads):
    batches = [list(batch) for batch in strategy.batches(payloads)]
    for batch, following in itertools.pairwise(batches):
        full = batch[0].payload[1] > strategy.max_weight or weight(batch) >= strategy.max_weight
        counted = strategy.batch_size is not None and len(batch) == strategy.batch_size
        head = following[0]
        assert full or counted or head.payload[1] > strategy.max_weight or weight([*batch, head]) > strategy.max_weight


@given(LAZY, st.lists(st.tuples(KEYS, st.floats(0.5, 30)), min_size=1, max_size=20))
def test_endless_input_gives_batch_after_batch(strategy, cycle):
    if isinstance(strategy, WeightedBatch):
        assume(strategy.max_weight <= 1000)  # a heavier batch fills up, too, but not in a test's time
    batches = strategy.batches(itertools.cycle(cycle))
    taken = list(itertools.islice(batches, 10))
    assert len(taken) == 10
    check(strategy, [list(batch) for batch in taken])
