"""An error that holds another of its kind says the innermost reason, once."""

from __future__ import annotations

from supervisors import Crashed, RestartBudgetExceeded, Shutdown, StartFailed


def test_a_budget_exceeded_inside_another_says_the_last_reason_once() -> None:
    inner = RestartBudgetExceeded(0, Crashed(ValueError("bad")))
    outer = RestartBudgetExceeded("executors", Shutdown(inner))
    assert str(outer) == "restart budget exceeded by child 'executors', which last ended with ValueError: bad"
    assert outer.last_reason == Shutdown(inner)


def test_a_start_that_failed_as_a_budget_was_exceeded_says_its_cause_once() -> None:
    inner = RestartBudgetExceeded(1, Crashed(OSError("no file")))
    assert str(StartFailed("root", Shutdown(inner))) == "child 'root' failed to start: OSError: no file"
