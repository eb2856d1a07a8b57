from __future__ import annotations

from typing import Any

import pytest

from slither_actors import (
    BatchTimeout,
    Item,
    LoadError,
    Overloaded,
    PayloadError,
    PoolUnavailable,
    ProtocolError,
    QueueTimeout,
    Retry,
    Route,
    SystemStopped,
    UnexpectedResponse,
    WorkerCrashed,
    WorkerError,
)
from slither_actors.policies import HALT, SKIP
from slither_actors.runs.error_policy import Verdict, decide


def elsewhere(item: Item, reason: Exception) -> Item:
    return item


ROUTE = Route(elsewhere)
USER = WorkerError("ValueError", "no")
PAYLOAD = PayloadError(1, "", "no form")
TABLE: list[tuple[Any, int, int, Exception, Verdict]] = [
    # policy, attempt, items, error, verdict
    (HALT, 1, 5, USER, Verdict.HALT),
    (SKIP, 1, 5, USER, Verdict.SKIP),
    (ROUTE, 1, 5, USER, Verdict.ROUTE),
    (HALT, 1, 5, PAYLOAD, Verdict.HALT),
    (SKIP, 1, 5, PAYLOAD, Verdict.SKIP),
    (Retry(3), 1, 5, USER, Verdict.RETRY),
    (Retry(3), 2, 5, USER, Verdict.RETRY),
    (Retry(3), 3, 5, USER, Verdict.HALT),
    (Retry(3, then="skip"), 3, 5, USER, Verdict.SKIP),
    (Retry(3, then=ROUTE), 3, 5, USER, Verdict.ROUTE),
    (Retry(3, then="skip"), 4, 5, USER, Verdict.SKIP),
    (Retry(1), 1, 5, USER, Verdict.HALT),
    (Retry(3), 1, 5, PAYLOAD, Verdict.HALT),
    (Retry(3, then="skip"), 1, 5, PAYLOAD, Verdict.SKIP),
    (Retry(3, split=True), 1, 2, USER, Verdict.SPLIT),
    (Retry(3, split=True), 3, 2, USER, Verdict.SPLIT),
    (Retry(3, split=True), 1, 1, USER, Verdict.RETRY),
    (Retry(3, split=True), 3, 1, USER, Verdict.HALT),
    (Retry(3, split=True, then="skip"), 3, 1, USER, Verdict.SKIP),
    (Retry(3, split=True), 1, 2, PAYLOAD, Verdict.SPLIT),
    (Retry(3, split=True), 1, 2, QueueTimeout("p", 1.0), Verdict.RETRY),
    (Retry(1, split=True, then="skip"), 1, 2, QueueTimeout("p", 1.0), Verdict.SKIP),
    (Retry(3, split=True, then=ROUTE), 1, 1, PAYLOAD, Verdict.ROUTE),
]


@pytest.mark.parametrize(("policy", "attempt", "count", "error", "verdict"), TABLE)
def test_what_becomes_of_a_failed_batch(
    policy: Any, attempt: int, count: int, error: Exception, verdict: Verdict
) -> None:
    decision = decide(policy, error, attempt, count)
    assert decision.verdict is verdict
    assert (decision.route is ROUTE) == (verdict is Verdict.ROUTE)
    assert (decision.retry is policy) == (verdict is Verdict.RETRY)


@pytest.mark.parametrize("policy", [HALT, SKIP, ROUTE, Retry(9), Retry(9, split=True, then="skip")])
@pytest.mark.parametrize(
    "error", [LoadError("m:f", USER), PoolUnavailable("p", "gone"), SystemStopped(), Overloaded("p", 1, "")]
)
@pytest.mark.parametrize("count", [1, 5])
def test_failures_of_the_pool_end_the_run_whatever_the_policy(policy: Any, error: Exception, count: int) -> None:
    assert decide(policy, error, 1, count).verdict is Verdict.HALT


@pytest.mark.parametrize(
    "error", [USER, BatchTimeout(1.0), WorkerCrashed(signal=9), UnexpectedResponse("few"), ProtocolError("magic", "no")]
)
def test_failures_of_a_batch_are_retried(error: Exception) -> None:
    assert decide(Retry(2), error, 1, 5).verdict is Verdict.RETRY
