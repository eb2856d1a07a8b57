from __future__ import annotations

import pytest

from slither_actors.item import Item
from slither_actors.strategies import FixedBatch, Strategy


class Pairs(Strategy):
    """The least that a strategy of one's own needs."""

    def __init__(self):
        self.held = []

    def add(self, item):
        self.held.append(item)
        if len(self.held) == 2:
            yield self.held
            self.held = []

    def flush(self):
        held, self.held = self.held, []
        return [tuple(held)] if held else []


def test_a_strategy_of_ones_own_needs_add_and_flush_only():
    strategy = Pairs()
    assert (strategy.batch_size, strategy.whole_input, strategy.opaque) == (None, False, False)
    assert list(strategy.batches("abc")) == [[Item(0, "a"), Item(1, "b")], (Item(2, "c"),)]


def test_extend_adds_one_after_the_other_and_release_flushes():
    strategy = Pairs()
    assert list(strategy.extend(["a", "b", "c"])) == [["a", "b"]]
    assert list(strategy.release()) == [("c",)]


def test_batches_wraps_payloads_and_keeps_items():
    mine = Item("mine", 1)
    assert list(FixedBatch(2).batches(["a", mine])) == [[Item(0, "a"), mine]]


def test_a_missing_method_of_a_strategy_is_named():
    class Nothing(Strategy):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing must implement add\(item\)"):
        Nothing().add(Item(1, 2))
    with pytest.raises(NotImplementedError, match=r"Nothing must implement flush\(\)"):
        Nothing().flush()


def test_not_looking_at_the_items_is_not_inherited():
    class Blind(Pairs):
        opaque = True

    class Looks(Blind):
        pass

    assert Blind.opaque
    assert not Looks.opaque
