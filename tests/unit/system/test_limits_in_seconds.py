"""Limits in seconds that a System is given: each is checked before anything is done, with the same words."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from slither_actors import OptionError, OptionTypeError, PoolSpec, System
from slither_actors.system.signals import run_until_signal

WRONG: list[tuple[Any, str]] = [
    (-1, "must be at least 0 seconds, not -1"),
    (math.nan, "must be a number of seconds that is finite, not nan"),
    (math.inf, "must be finite, not inf; leave it out for the default, or give at most 1e+08 seconds"),
    (10**400, "must be a number of seconds that is finite, not 1000"),
    (1e9, "must be at most 1e+08 seconds, not 1000000000.0"),
    ("x", "must be a number of seconds, not 'x'"),
    (True, "must be a number of seconds, not True"),
]
CALLS: dict[str, Callable[[System, Any], object]] = {
    "stop": System.stop,
    "drain": System.drain,
    "run_until_signal": System.run_until_signal,
    "statistics": System.statistics,
    "the function": run_until_signal,
}


@pytest.fixture(scope="module")
def running() -> Iterator[System]:
    with System({"default": PoolSpec(size=1)}) as system:
        yield system


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("limit", "told"), WRONG, ids=[str(limit)[:5] for limit, _ in WRONG])
def test_a_wrong_limit_is_refused_and_the_system_goes_on(running: System, call: str, limit: Any, told: str) -> None:
    name = "drain_timeout" if call in ("run_until_signal", "the function") else "timeout"
    with pytest.raises(OptionError) as raised:
        CALLS[call](running, limit)
    assert str(raised.value).startswith(f"{name} {told}")
    assert raised.value.option == name
    assert isinstance(raised.value, TypeError) == isinstance(limit, (str, bool))
    assert running.takes_runs
    assert not [thread for thread in threading.enumerate() if thread.name == "slither-stop"]


@pytest.mark.parametrize("call", ["drain", "run_until_signal", "statistics"])
def test_none_is_a_limit_for_stop_alone(running: System, call: str) -> None:
    with pytest.raises(OptionTypeError, match="must be a number of seconds, not None"):
        CALLS[call](running, None)
    assert running.takes_runs


@pytest.mark.parametrize("call", ["stop", "drain"])
def test_the_longest_limit_is_one_that_can_be_waited_for(call: str) -> None:
    system = System({"default": PoolSpec(size=1)}).start()
    assert CALLS[call](system, 1e8)
    assert system.stopped
