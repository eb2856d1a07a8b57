from __future__ import annotations

import copy
import gc
import itertools
import pickle
import weakref
from collections.abc import Mapping

import pytest

from slither_actors.item import EMPTY, Item


def test_an_item_by_position_has_no_meta_and_default_route():
    item = Item(7, "payload")
    assert (item.id, item.payload, dict(item.meta), item.route) == (7, "payload", {}, "default")


def test_an_item_does_not_change():
    with pytest.raises(AttributeError):
        Item(1, 2).payload = 3  # type: ignore[misc]


def test_items_without_meta_share_one_empty_mapping():
    assert Item(1, 2).meta is Item(3, 4).meta is EMPTY


def test_the_empty_meta_is_a_read_only_mapping_like_any_other():
    assert isinstance(EMPTY, Mapping)
    assert (len(EMPTY), list(EMPTY), dict(EMPTY), {**EMPTY, "a": 1}) == (0, [], {}, {"a": 1})
    assert (list(EMPTY.items()), list(EMPTY.keys()), list(EMPTY.values())) == ([], [], [])
    assert EMPTY.get("skipped") is None
    assert EMPTY.get("skipped", 5) == 5
    assert "error" not in EMPTY
    assert not EMPTY
    assert EMPTY == {}
    assert {} == EMPTY  # noqa: SIM300 - from both sides
    assert EMPTY != {"a": 1}
    assert EMPTY != []
    assert repr(EMPTY) == "{}"
    with pytest.raises(KeyError, match="error"):
        EMPTY["error"]
    with pytest.raises(TypeError):
        EMPTY["a"] = 1  # type: ignore[index]


def test_the_empty_meta_stays_one_object_when_pickled_or_copied():
    assert pickle.loads(pickle.dumps(EMPTY)) is EMPTY
    assert copy.copy(EMPTY) is EMPTY
    assert copy.deepcopy(EMPTY) is EMPTY


def test_wrap_gives_fresh_ids_that_differ():
    ids = {Item.wrap("x").id for _ in range(1000)}
    assert len(ids) == 1000
    assert {type(name) for name in ids} == {str}


def test_wrap_keeps_an_item_as_it_is():
    item = Item(1, 2, {"a": 1}, "elsewhere")
    assert Item.wrap(item) is item
    assert Item.wrap(item, id=5) is item


def test_wrap_takes_id_meta_and_route():
    item = Item.wrap("p", id=0, meta={"a": 1}, route="r")
    assert (item.id, item.payload, item.meta, item.route) == (0, "p", {"a": 1}, "r")


def test_mapping_given_as_meta_to_wrap_is_copied_and_read_only():
    meta = {"a": 1}
    item = Item.wrap("p", meta=meta)
    meta["a"] = 2
    assert item.meta == {"a": 1}
    with pytest.raises(TypeError):
        item.meta["a"] = 3  # type: ignore[index]


def test_wrap_refuses_meta_that_is_no_mapping():
    with pytest.raises(TypeError, match=r"meta must be a mapping such as \{'key': value\}, not \[1\]"):
        Item.wrap("p", meta=[1])  # type: ignore[arg-type]


def test_wrap_many_numbers_payloads_from_0():
    assert Item.wrap_many("abc") == [Item(0, "a"), Item(1, "b"), Item(2, "c")]


def test_wrap_many_keeps_items_and_counts_their_places():
    kept = Item("mine", 1)
    wrapped = Item.wrap_many(iter(["a", kept, "c"]))
    assert [item.id for item in wrapped] == [0, "mine", 2]
    assert wrapped[1] is kept


def test_wrap_many_of_nothing_is_an_empty_list():
    assert Item.wrap_many([]) == []


def test_wrap_many_refuses_what_cannot_be_iterated():
    with pytest.raises(TypeError, match="not iterable"):
        Item.wrap_many(3)  # type: ignore[arg-type]


def test_update_payload_keeps_all_the_rest():
    item = Item(1, 2, {"a": 1}, "r").update_payload("new")
    assert item == Item(1, "new", {"a": 1}, "r")


def test_put_meta_gives_a_new_item_and_leaves_the_old_one():
    item = Item(1, 2, {"a": 1}, "r")
    more = item.put_meta("b", 2).put_meta(a=3, c=4)
    assert more.meta == {"a": 3, "b": 2, "c": 4}
    assert (more.id, more.payload, more.route) == (1, 2, "r")
    assert item.meta == {"a": 1}


def test_put_meta_takes_any_name_as_keyword():
    assert Item(1, 2).put_meta(key=1, value=2, self=3).meta == {"key": 1, "value": 2, "self": 3}


def test_put_meta_takes_none_as_value():
    assert Item(1, 2).put_meta("a", None).meta == {"a": None}


def test_put_meta_with_a_key_only_says_what_is_missing():
    with pytest.raises(TypeError, match=r"lacks the value: put_meta\('a', value\)"):
        Item(1, 2).put_meta("a")  # type: ignore[call-overload]


def test_what_put_meta_gives_is_read_only():
    with pytest.raises(TypeError):
        Item(1, 2).put_meta(a=1).meta["a"] = 2  # type: ignore[index]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_items_survive_pickling(protocol):
    item = Item("id", {"a": [1]}, route="r").put_meta(error=ValueError("x"), skipped=True)
    back = pickle.loads(pickle.dumps(item, protocol))
    assert (back.id, back.payload, back.route, back.meta["skipped"]) == ("id", {"a": [1]}, "r", True)
    assert repr(back.meta["error"]) == "ValueError('x')"
    with pytest.raises(TypeError):
        back.meta["a"] = 1


def test_items_can_be_copied():
    item = Item(1, [2]).put_meta(a=[3])
    assert copy.copy(item) == item
    deep = copy.deepcopy(item)
    assert deep == item
    assert deep.payload is not item.payload
    assert deep.meta["a"] is not item.meta["a"]


def test_items_compare_and_hash_by_value():
    assert Item(1, 2) == Item(1, 2) != Item(1, 3)
    assert len({Item(1, 2), Item(1, 2)}) == 1
    assert Item(1, 2) == Item(1, 2, {})


def test_items_cannot_be_subclassed():
    with pytest.raises(TypeError, match="go into meta"):
        type("Mine", (Item,), {})


def test_an_item_in_a_cycle_is_collected():
    """As when the error of a skipped item is raised: traceback, frame, item, error."""

    class Canary(Exception):
        pass

    def consume():
        item = Item(1, 2).put_meta(error=Canary())
        raise item.meta["error"]

    with pytest.raises(Canary) as caught:
        consume()
    gone = weakref.ref(caught.value)
    del caught
    gc.collect()
    assert gone() is None


def test_items_of_plain_payloads_are_not_tracked_by_gc():
    items = list(map(Item, itertools.count(), range(10)))
    assert not any(map(gc.is_tracked, items))
    assert gc.is_tracked(Item(1, {"a": 1}))
