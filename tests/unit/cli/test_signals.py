"""The first signal asks for an orderly end, the second or the end of the grace forces it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from slither_actors.cli.signals import HANDLED, Interrupted, Signals

LONG = 3600.0
"""Seconds of grace that never end within a test; the end of a grace is raised by hand."""


class Seen:
    """What `on_first` was called with: the signals known at that moment."""

    def __init__(self, grace: float = LONG) -> None:
        self.known: list[int | None] = []
        self.signals = Signals(lambda: self.known.append(self.signals.received), grace)


def receive(*numbers: int) -> None:
    for number in numbers:
        signal.raise_signal(number)


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in (*HANDLED, signal.SIGALRM)]


@pytest.fixture(autouse=True)
def handlers_are_restored() -> Iterator[None]:
    """Fail a test that leaves a handler or a timer of its own."""
    before = handlers()
    yield
    after = handlers()
    assert [handler for handler in after if isinstance(getattr(handler, "__self__", None), Signals)] == []
    for number, handler in zip((*HANDLED, signal.SIGALRM), before, strict=True):
        signal.signal(number, handler)
    assert before == after


def test_without_a_signal_there_is_no_name_and_code_zero() -> None:
    seen = Seen()
    with seen.signals as signals:
        assert signals is seen.signals
    assert (seen.known, seen.signals.received, seen.signals.exit_code, seen.signals.name) == ([], None, 0, "")


@pytest.mark.parametrize(("number", "code", "name"), [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM")])
def test_the_first_signal_only_asks_and_begins_the_grace(number: int, code: int, name: str) -> None:
    seen = Seen()
    with seen.signals:
        signal.raise_signal(number)
        assert LONG / 2 < signal.getitimer(signal.ITIMER_REAL)[0] <= LONG
    assert (seen.known, seen.signals.exit_code, seen.signals.name) == ([number], code, name)


def test_the_second_signal_forces_the_end_and_first_counts() -> None:
    seen = Seen()
    with pytest.raises(Interrupted), seen.signals:
        receive(signal.SIGTERM, signal.SIGINT)
    assert (seen.known, seen.signals.name) == ([signal.SIGTERM], "SIGTERM")


def test_the_end_of_the_grace_forces_the_end() -> None:
    seen = Seen()
    with pytest.raises(Interrupted), seen.signals:
        receive(signal.SIGINT, signal.SIGALRM)
    assert seen.signals.exit_code == 130


def test_without_a_grace_the_first_signal_forces_the_end() -> None:
    seen = Seen(grace=0)
    with pytest.raises(Interrupted), seen.signals:
        signal.raise_signal(signal.SIGINT)
    assert seen.known == [signal.SIGINT]


def test_leaving_puts_handlers_back_and_ends_the_grace() -> None:
    before = handlers()
    seen = Seen()
    with seen.signals:
        within = handlers()
        signal.raise_signal(signal.SIGINT)
    assert handlers() == before
    assert all(one != other for one, other in zip(within, before, strict=True))
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_leaving_by_force_puts_the_handlers_back_too() -> None:
    before = handlers()
    with pytest.raises(Interrupted), Seen(grace=0).signals:
        signal.raise_signal(signal.SIGTERM)
    assert handlers() == before


def test_a_signal_that_the_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        seen = Seen()
        with seen.signals:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
            assert seen.known == []
            signal.raise_signal(signal.SIGTERM)
        assert seen.known == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_than_the_main_one_handles_nothing() -> None:
    before = handlers()
    within: list[list[Any]] = []

    def enter() -> None:
        with Seen().signals:
            within.append(handlers())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert within == [before]


def test_an_interruption_is_not_caught_as_an_exception() -> None:
    assert not issubclass(Interrupted, Exception)
