"""The options of a batcher: its own, and what becomes of those of a call."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors import OptionError, Retry
from slither_actors.dynamic_batcher.options import BatcherOptions, policy_of, take_options


def test_its_own_are_taken_out() -> None:
    own, rest = take_options({"max_batch_size": 8, "function": "f", "timeout": 1.0})
    assert own == BatcherOptions(max_batch_size=8)
    assert rest == {"function": "f", "timeout": 1.0}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_batch_size", 0),
        ("max_wait", -1.0),
        ("max_queue", 0),
        ("deadline", 0.0),
        ("weight_fn", 3),
        ("weight_fn", len),
        ("max_weight", 0),
        ("split", 1),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any) -> None:
    with pytest.raises(OptionError) as caught:
        take_options({name: value})
    assert caught.value.option == name


def test_what_is_given_up_fails_its_own_caller() -> None:
    assert policy_of(None, split=True) == Retry(max_attempts=1, split=True, then="skip")
    assert policy_of(Retry(max_attempts=4), split=False) == Retry(max_attempts=4, then="skip")


@pytest.mark.parametrize("policy", ["skip", "halt", 3])
def test_another_policy_is_refused(policy: Any) -> None:
    with pytest.raises(OptionError, match="Retry or left out"):
        policy_of(policy, split=True)
