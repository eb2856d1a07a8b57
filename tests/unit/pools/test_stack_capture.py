"""How long a worker over its deadline is waited for, and which errors get what it wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slither_actors import BatchTimeout, LoadError, StartTimeout, WorkerCrashed
from slither_actors.pools.hosts.base import TellsStack
from slither_actors.pools.worker.stack_capture import STACK_PATIENCE, StackCapture
from supervisors import LightActor
from supervisors.testing import ManualScheduler


class Owner(LightActor):
    """The actor whose timers these are."""

    def __init__(self, made: list[Owner]) -> None:
        super().__init__()
        self.capture = StackCapture(self)
        made.append(self)


class Host:
    """What can be asked, as far as the capture calls it."""

    def __init__(self, text: str = "in f", *, asks: bool = True) -> None:
        self.text = text
        self.asks = asks
        self.done: list[Callable[[], None]] = []

    def ask_stack(self, done: Callable[[], None]) -> bool:
        self.done.append(done)
        return self.asks

    def stack(self) -> str:
        return self.text


class Kills:
    """Counts the calls of `then`."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def capture(manual: ManualScheduler) -> StackCapture:
    made: list[Owner] = []
    Owner.start(made, scheduler=manual)
    manual.run_until_idle()
    return made[0].capture


def asked(capture: StackCapture, host: Any) -> Kills:
    """Ask a host; return what counts the kills."""
    kills = Kills()
    capture.ask(host, kills)
    return kills


@pytest.mark.parametrize("host", [None, object()], ids=["no host", "a host that has no stacks"])
def test_one_that_cannot_be_asked_is_killed_at_once(capture: StackCapture, host: object) -> None:
    kills = asked(capture, host)
    assert kills.count == 1
    assert not capture.under_way
    capture.add_to(error := BatchTimeout(5.0))
    assert error.stack == ""


def test_one_that_refuses_is_killed_at_once(capture: StackCapture, manual: ManualScheduler) -> None:
    host = Host(asks=False)
    kills = asked(capture, host)
    assert (kills.count, len(host.done)) == (1, 1)
    assert manual.pending_timers == 0


def test_one_that_is_asked_has_a_quarter_of_a_second(capture: StackCapture, manual: ManualScheduler) -> None:
    assert STACK_PATIENCE == 0.25
    kills = asked(capture, Host())
    manual.advance(0.24)
    assert (kills.count, capture.under_way) == (0, True)
    manual.advance(0.01)
    assert kills.count == 1


def test_the_host_calls_then_itself_when_all_has_come(capture: StackCapture) -> None:
    host = Host()
    assert isinstance(host, TellsStack)
    kills = asked(capture, host)
    assert kills.count == 0
    host.done[0]()
    assert kills.count == 1


@pytest.mark.parametrize("error", [BatchTimeout(5.0), StartTimeout(5.0), LoadError("m:f", ImportError("no"))], ids=type)
def test_the_error_of_a_deadline_gets_the_stack(capture: StackCapture, error: Any) -> None:
    asked(capture, Host("in the worker's main thread"))
    capture.add_to(error)
    assert error.stack == "in the worker's main thread"
    assert error.__notes__ == ["It was killed in the worker's main thread"]
    assert not capture.under_way


def test_a_load_over_its_time_has_it_in_its_reason_too(capture: StackCapture) -> None:
    reason = StartTimeout(5.0)
    asked(capture, Host("in f"))
    capture.add_to(error := LoadError("m:f", reason))
    assert error.stack == reason.stack == "in f"
    assert not hasattr(reason, "__notes__")


def test_what_has_come_is_looked_up_when_the_error_is_there(capture: StackCapture) -> None:
    host = Host("")
    asked(capture, host)
    host.text = "in g"
    capture.add_to(error := BatchTimeout(5.0))
    assert error.stack == "in g"


def test_a_worker_that_wrote_nothing_leaves_the_error_as_it_is(capture: StackCapture) -> None:
    asked(capture, Host(""))
    capture.add_to(error := BatchTimeout(5.0))
    assert (error.stack, hasattr(error, "__notes__")) == ("", False)
    assert not capture.under_way


def test_another_error_gets_no_stack_and_uses_it_up(capture: StackCapture) -> None:
    asked(capture, Host("in f"))
    crash = WorkerCrashed(1)
    capture.add_to(crash)
    assert not hasattr(crash, "stack")
    assert not hasattr(crash, "__notes__")
    capture.add_to(error := BatchTimeout(5.0))
    assert error.stack == ""


def test_the_next_worker_gets_nothing_of_the_one_before(capture: StackCapture) -> None:
    asked(capture, Host("in f"))
    assert capture.under_way
    capture.reset()
    assert not capture.under_way
    capture.add_to(error := StartTimeout(5.0))
    assert (error.stack, hasattr(error, "__notes__")) == ("", False)
