"""The line on a terminal makes room for messages, and for logs if they were asked for."""

from __future__ import annotations

import logging
import threading

import pytest

from slither_actors.cli.display import Display, Ticker
from slither_actors.cli.logs import logs

WORKERS = logging.getLogger("slither_actors.worker")
OURS = logging.getLogger("slither_actors.pools")
USERS = logging.getLogger("somewhere.else")


def test_a_message_is_written_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    display = Display()
    assert not display.enabled
    display.say("done")
    display.clear()
    assert capfd.readouterr().err == "slither-actors: done\n"


def test_text_without_a_form_in_utf_8_is_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    Display().say("\ud800")
    assert capfd.readouterr().err == "slither-actors: \\ud800\n"


@pytest.mark.parametrize(("verbose", "shown"), [(False, ["printed", "user"]), (True, ["printed", "ours", "user"])])
def test_records_of_the_library_are_shown_if_wanted(
    capfd: pytest.CaptureFixture[str], verbose: bool, shown: list[str]
) -> None:
    levels = logging.getLogger().level, WORKERS.level
    with logs(Display(), verbose):
        WORKERS.info("printed")
        OURS.warning("ours")
        USERS.warning("user")
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition(" ")[2] for line in lines] == shown
    assert lines[0] == "slither-actors: printed"
    assert lines[-1] == "slither-actors: WARNING somewhere.else: user"
    assert (logging.getLogger().level, WORKERS.level) == levels


def test_the_ticker_counts_its_ticks_until_the_context_is_left() -> None:
    ticks: list[int] = []
    three = threading.Event()

    def tick(number: int) -> None:
        ticks.append(number)
        if number == 2:
            three.set()

    with Ticker(tick):
        assert three.wait(30)
    assert ticks == list(range(len(ticks)))
    assert not any(thread.name == "slither-actors-ticker" for thread in threading.enumerate())
