"""An error that holds another of its kind says the innermost reason, once."""

from __future__ import annotations

from supervisors import Crashed, RestartBudgetExceeded, Shutdown, StartFailed


def test_a_nested_budget_error_says_the_last_reason_once() -> None:
    inner = RestartBudgetExceeded(0, Crashed(ValueError("bad")))
    outer = RestartBudgetExceeded("executors", Shutdown(inner))
    assert str(outer) == "restart budget exceeded by child 'executors', which last ended with ValueError: bad"
    assert outer.last_reason == Shutdown(inner)


def test_a_start_failed_by_a_budget_says_its_cause_once() -> None:
    inner = RestartBudgetExceeded(1, Crashed(OSError("no file")))
    assert str(StartFailed("root", Shutdown(inner))) == "child 'root' failed to start: OSError: no file"
