"""The deadlines of calls, without a clock."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from slither_actors.dynamic_batcher.call_queue import Call
from slither_actors.dynamic_batcher.deadlines import LEAST, Deadlines


def call(since: float) -> Call:
    return Call("value", Future[Any](), since)


def test_those_whose_time_is_over_come_out_in_order() -> None:
    deadlines, calls = Deadlines(), [call(0.0), call(1.0), call(2.0)]
    for one, seconds in zip(calls, (5.0, 1.0, 1.0), strict=True):
        deadlines.add(one, seconds)
    assert deadlines.overdue(1.9) == []
    assert deadlines.overdue(3.0) == [(calls[1], 1.0), (calls[2], 1.0)]
    assert deadlines.overdue(9.0) == [(calls[0], 5.0)]
    assert (deadlines.alarm(), len(deadlines)) == (None, 0)


def test_those_that_have_ended_are_not_overdue() -> None:
    deadlines, ended = Deadlines(), call(0.0)
    deadlines.add(ended, 1.0)
    ended.future.set_result(None)
    assert deadlines.overdue(9.0) == []


def test_an_alarm_is_set_where_none_comes_before() -> None:
    deadlines = Deadlines()
    deadlines.add(call(0.0), 10.0)
    assert deadlines.alarm() == 10.0
    for number in range(100):  # short ones between long ones
        deadlines.add(call(float(number) / 100), 0.005)
        short = deadlines.alarm()
        assert short == number / 100 + 0.005
        deadlines.add(call(float(number) / 100), 10.0)
        assert deadlines.alarm() is None
        deadlines.rang(short)
        assert len(deadlines.overdue(short)) == 1
        assert deadlines.alarm() is None  # the one at 10.0 is still set
    deadlines.rang(10.0)
    assert len(deadlines.overdue(10.0)) == 2
    assert deadlines.alarm() == 10.01


def test_an_alarm_that_rings_early_is_set_again() -> None:
    deadlines = Deadlines()
    deadlines.add(call(0.0), 10.0)
    assert deadlines.alarm() == 10.0
    deadlines.rang(10.0)
    assert deadlines.overdue(9.999) == []
    assert deadlines.alarm() == 10.0


def test_those_that_end_in_time_are_not_kept_for_their_deadline() -> None:
    deadlines = Deadlines()
    for number in range(50 * LEAST):
        one = call(float(number))
        deadlines.add(one, 1e6)
        one.future.set_result(None)
        assert len(deadlines) <= LEAST
    alive = [call(float(number)) for number in range(3 * LEAST)]
    for one in alive:
        deadlines.add(one, 1e9)
    assert {each for each, _ in deadlines.overdue(1e12)} == set(alive)
