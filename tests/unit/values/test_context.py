from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable

import pytest

from slither_actors.context import Context
from slither_actors.errors import OptionError, OptionTypeError


def test_a_new_context_has_a_session_of_its_own():
    one, other = Context.new(), Context.new()
    assert one.session_id != other.session_id
    assert not one.session_given


def test_a_given_session_id_is_kept_and_known_as_given():
    context = Context.new(session_id="mine")
    assert context.session_id == "mine"
    assert context.session_given


def test_session_given_survives_every_change_of_a_context():
    for context in (Context.new(), Context.new(session_id="mine")):
        given = context.session_given
        for changed in (context.with_stage("s"), context.put_metadata("a", 1), dataclasses.replace(context, pipe="p")):
            assert changed.session_id == context.session_id
            assert changed.session_given is given
    assert dataclasses.replace(Context.new(), session_id="mine").session_given


def test_with_stage_and_put_metadata_leave_old_context_alone():
    context = Context.new(pipe="p", stage="one", metadata={"a": 1}, stores={"s": []}, runtime="r")
    changed = context.with_stage("two").put_metadata("b", 2)
    assert (changed.pipe, changed.stage, changed.metadata, changed.runtime) == ("p", "two", {"a": 1, "b": 2}, "r")
    assert (context.stage, context.metadata) == ("one", {"a": 1})
    assert changed.stores["s"] is context.stores["s"]


def test_a_context_does_not_change_and_copies_what_it_is_given():
    metadata = {"a": 1}
    context = Context.new(metadata=metadata)
    metadata["a"] = 2
    assert context.metadata == {"a": 1}
    with pytest.raises(TypeError):
        context.metadata["a"] = 3  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.stage = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"session_id": 5}, "context session_id must be text, not 5"),
        ({"session_id": ""}, "context session_id must not be empty"),
        ({"pipe": 1}, "context pipe must be text, not 1"),
        ({"stage": b"x"}, "context stage must be text"),
        ({"metadata": [1]}, r"context metadata must be a mapping, not \[1\]"),
        ({"stores": "x"}, "context stores must be a mapping, not 'x'"),
    ],
)
def test_a_bad_value_is_refused_by_name(arguments, message):
    with pytest.raises(OptionError, match=message):
        Context.new(**arguments)


def test_with_stage_checks_too():
    with pytest.raises(OptionTypeError, match="context stage must be text, not 3"):
        Context.new().with_stage(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda context: pickle.loads(pickle.dumps(context))])
def test_copies_are_equal_and_as_immutable(again: Callable[[Context], Context]) -> None:
    given = Context.new(session_id="a", stores={"x": 1}, metadata={"y": [2]}, pipe="p")
    copied = again(given)
    assert copied == given
    assert copied.session_given
    with pytest.raises(TypeError):
        copied.stores["x"] = 2  # type: ignore[index]
    assert not again(Context.new()).session_given


def test_a_session_id_that_cannot_be_sent_is_refused_at_once() -> None:
    with pytest.raises(OptionError, match="session_id must be text that UTF-8 can carry"):
        Context.new(session_id="\udc80")
