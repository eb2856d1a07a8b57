"""An error that holds another of its kind says the innermost reason, once."""

from __future__ import annotations

from supervisors import Crashed, RestartBudgetExceeded, Shutdown, StartFailed


def test_a_budget_exceeded_inside_another_says_the_last_reason_once() -> None:
    inner = RestartBudgetExceeded(0, Crashed(ValueError("bad")))
    outer = RestartBudgetExceeded("executors", Shutdown(inner))
    assert str(outer) == "restart budget exceeded by child 'executors', which last ended with ValueError: bad"
    assert outer.last_reason == Shutdown(inner)


def test_a_failed_start_inside_others_says_the_first_cause_once() -> None:
    inner = StartFailed("leaf", Crashed(OSError("no file")))
    outer = StartFailed("root", Crashed(StartFailed("middle", Crashed(inner))))
    assert str(outer) == "child 'root' failed to start: OSError: no file"
    assert str(StartFailed("root", Shutdown(RestartBudgetExceeded(1, Crashed(inner))))).count("no file") == 1
