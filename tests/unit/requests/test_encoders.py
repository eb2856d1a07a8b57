"""Encoders of requests: one for each thread that is at one, and another for another lane."""

from __future__ import annotations

from typing import Any

from slither_actors.requests.encoders import Encoders


def test_one_that_was_given_back_is_used_again() -> None:
    encoders, lane = Encoders(object), object()  # type: ignore[arg-type]
    here: Any = lane
    first = encoders.take(here)
    second = encoders.take(here)
    assert first is not second
    encoders.give_back(here, first)
    assert encoders.take(here) is first


def test_another_lane_has_another_memory() -> None:
    encoders: Any = Encoders(object)  # type: ignore[arg-type]
    old = encoders.take("old")
    encoders.give_back("old", old)
    assert encoders.take("new") is not old
