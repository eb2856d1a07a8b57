"""The error policy: from a failed batch to what is done with it. Pure."""

from __future__ import annotations

import enum

from msgspec import Struct

from slither_actors.errors import LoadError, Overloaded, PayloadError, PoolUnavailable, QueueTimeout, SystemStopped
from slither_actors.policies import Halt, Policy, Retry, Route, Skip


class Verdict(enum.Enum):
    """What is done with it."""

    HALT = "halt"
    SKIP = "skip"
    ROUTE = "route"
    RETRY = "again"
    SPLIT = "split"


class Decision(Struct, frozen=True):
    """A verdict with what it needs.

    Args:
        verdict: what is done.
        route: with ROUTE, whose function is asked.
        retry: with AGAIN, whose schedule gives the delay.
    """

    verdict: Verdict
    route: Route | None = None
    retry: Retry | None = None


END_OF_RUN = (LoadError, Overloaded, PoolUnavailable, SystemStopped)
"""Failures of the pool, not of a batch: the next batch would meet the same, so they end the run whatever the policy."""
FINAL = (PayloadError,)
"""Failures that another attempt would only repeat."""


def decide(policy: Policy, error: Exception, attempt: int, count: int) -> Decision:
    """Return the verdict on a failed batch.

    Args:
        policy: the run's.
        error: how the batch failed.
        attempt: which execution this was, from 1.
        count: its items.
    """
    if isinstance(error, END_OF_RUN):
        return Decision(Verdict.HALT)
    if isinstance(policy, Retry):
        if policy.split and count > 1 and not isinstance(error, QueueTimeout):  # no item of it was looked at
            return Decision(Verdict.SPLIT)
        if not isinstance(error, FINAL) and attempt < policy.max_attempts:
            return Decision(Verdict.RETRY, retry=policy)
        policy = policy.last
    if isinstance(policy, Route):
        return Decision(Verdict.ROUTE, route=policy)
    if isinstance(policy, Skip):
        return Decision(Verdict.SKIP)
    assert isinstance(policy, Halt)
    return Decision(Verdict.HALT)
