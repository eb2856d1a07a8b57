from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slither_actors.errors import OptionError, OptionTypeError
from slither_actors.policies import HALT, SKIP, Halt, Retry, Route, Skip, parse_on_error


def last() -> float:
    return 1.0


def none() -> float:
    return 0.0


def test_the_texts_stand_for_their_policies():
    assert parse_on_error("halt") is HALT
    assert parse_on_error("skip") is SKIP


@pytest.mark.parametrize("policy", [Halt(), Skip(), Retry(), Route(print)])
def test_policies_are_taken_as_they_are(policy):
    assert parse_on_error(policy) is policy


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("retry", r"say Retry\(\.\.\.\)"),
        ("route", r"say Route\(\.\.\.\)"),
        ("skp", "did you mean 'skip'"),
        ("continue", 'must be "halt", "skip"'),
        (Retry, r"that is the class; say Retry\(\)"),
        (Route, r"that is the class; say Route\(fn\)"),
        (print, r"given as Route\(fn\)"),
        (None, '"halt" is the default'),
        (("retry", 3), r"not \('retry', 3\)"),
        (3, "not 3"),
    ],
)
def test_anything_else_is_refused_with_a_remedy(value, message):
    with pytest.raises(OptionError, match=message):
        parse_on_error(value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_attempts": 0}, "max_attempts must be at least 1, not 0"),
        ({"max_attempts": True}, "max_attempts must be a whole number, not True"),
        ({"max_attempts": 2.0}, r"max_attempts must be a whole number, not 2\.0"),
        ({"backoff": -0.1}, r"backoff must be at least 0 seconds, not -0\.1"),
        ({"backoff": math.nan}, "backoff must be a number of seconds that is finite, not nan"),
        ({"max_backoff": math.inf}, "max_backoff must be a number of seconds that is finite, not inf"),
        ({"backoff": "1"}, "backoff must be a number of seconds, not '1'"),
        ({"backoff": 60}, r"backoff \(60 s\) exceeds its max_backoff \(30 s\); raise both"),
        ({"jitter": 1.5}, r"jitter must be from 0 to 1, not 1\.5"),
        ({"jitter": math.nan}, "jitter must be a number that is finite"),
        ({"split": 1}, "split must be True or False, not 1"),
        ({"then": Retry()}, "raise max_attempts"),
        ({"then": "retry"}, "Retry's then must be"),
        ({"then": "skpi"}, "did you mean 'skip'"),
        ({"then": print}, r"given as Route\(fn\)"),
    ],
)
def test_a_bad_retry_cannot_be_built(arguments, message):
    with pytest.raises(OptionError, match=message):
        Retry(**arguments)


def test_a_route_needs_a_function():
    with pytest.raises(OptionTypeError, match="Route's fn must be a function such as lambda item, reason"):
        Route("x")  # type: ignore[arg-type]


def test_what_follows_the_last_attempt_is_a_policy():
    route = Route(print)
    assert Retry().last is HALT
    assert Retry(then="skip").last is SKIP
    assert Retry(then=route).last is route


def test_pauses_double_from_backoff_up_to_max_backoff():
    retry = Retry(backoff=0.5, max_backoff=3, jitter=0)
    assert [retry.delay(n, last) for n in range(1, 6)] == [0.5, 1, 2, 3, 3]


def test_jitter_takes_away_at_most_its_part():
    retry = Retry(backoff=1, jitter=0.25)
    assert retry.delay(1, none) == 1
    assert retry.delay(1, last) == 0.75


@given(
    st.integers(min_value=-5, max_value=10**30),
    st.floats(0, 1e8),
    st.floats(0, 1e8),
    st.floats(0, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_no_number_of_attempts_makes_a_pause_overflow(attempts, low, high, jitter, chance):
    retry = Retry(backoff=min(low, high), max_backoff=max(low, high), jitter=jitter)
    assert 0 <= retry.delay(attempts, lambda: chance) <= retry.max_backoff


def test_policies_compare_by_value_and_survive_pickling():
    assert Retry(5) == Retry(max_attempts=5) != Retry(6)
    assert pickle.loads(pickle.dumps(Retry(then="skip"))) == Retry(then="skip")
    assert pickle.loads(pickle.dumps(Retry(then="skip"))).last == SKIP


def test_numbers_of_other_libraries_are_taken_as_pythons():
    numpy = pytest.importorskip("numpy")
    retry = Retry(numpy.int64(4), backoff=numpy.float32(0.5))
    assert (type(retry.max_attempts), type(retry.backoff)) == (int, float)
