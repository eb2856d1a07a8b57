"""The words that messages share, in both packages."""

from __future__ import annotations

import signal

import pytest

from slither_actors import wording
from supervisors.wording import closest, did_you_mean, shown, text_of


class Unprintable(Exception):
    def __repr__(self) -> str:
        raise SystemExit

    __str__ = __repr__


def test_a_value_is_shown_by_its_repr_cut_to_a_length() -> None:
    assert shown("a") == wording.shown("a") == "'a'"
    assert shown("a" * 100) == wording.shown("a" * 100) == f"'{'a' * 76}..."
    assert wording.shown("abcdef", 6) == "'ab..."


def test_a_value_whose_repr_raises_is_shown_by_its_type() -> None:
    assert shown(Unprintable()) == "<Unprintable whose repr fails>"


def test_what_a_signal_handler_raises_in_a_repr_goes_on() -> None:
    class Interrupted:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shown(Interrupted())


def test_an_exception_is_shown_by_type_and_message() -> None:
    assert wording.exception_text(ValueError("bad")) == "ValueError: bad"
    assert wording.exception_text(ValueError()) == "ValueError"
    assert wording.exception_text(Unprintable()) == text_of(Unprintable()) == "Unprintable"


def test_the_closest_name_is_found_whatever_its_case() -> None:
    assert closest("TIMEOT", ["timeout", "pool"]) == "timeout"
    assert closest("timeot", ["Timeout"]) == wording.closest("timeot", ["Timeout"]) == "Timeout"
    assert closest("colour", ["timeout", "pool"]) is None
    assert closest("batchsize", ["batch_size"], 0.8) == "batch_size"
    assert closest("bats", ["batch_size"], 0.8) is None


def test_names_of_any_length_and_number_cost_little() -> None:
    assert closest("a" * 61, ["a" * 61]) is None
    assert closest("name", [*map(str, range(500)), "name"]) is None


def test_the_question_is_written_as_in_python_or_as_in_yaml() -> None:
    assert did_you_mean("sise", ["size"]) == wording.did_you_mean("sise", ["size"]) == ", did you mean 'size'?"
    assert did_you_mean("sise", ["size"], quote=str) == ", did you mean size?"
    assert did_you_mean("colour", ["size"]) == ""


def test_signals_are_named() -> None:
    assert wording.signal_name(signal.SIGTERM) == "SIGTERM"
    assert wording.signal_name(signal.SIGRTMIN + 3) == f"signal {signal.SIGRTMIN + 3}"
    assert wording.known_names([]) == "there is none"
