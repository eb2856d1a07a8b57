"""The one claim on a call that was not sent yet."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from slither_actors.futures.call_future import CallFuture


def test_only_the_first_claim_succeeds() -> None:
    future = CallFuture("f")
    assert future.take()
    assert not future.take()


def test_while_it_is_sent_it_cannot_be_cancelled() -> None:
    future = CallFuture("f")
    future.take()
    assert not future.cancel()
    request: Future[Any] = Future()
    future.follow(request)
    assert future.cancel()
    assert request.cancelled()


def test_its_callbacks_run_once() -> None:
    future = CallFuture("f")
    heard: list[Any] = []
    future.add_done_callback(heard.append)
    assert [future.cancel(), future.cancel()] == [True, True]
    assert heard == [future]


@pytest.mark.parametrize("state", ["waits", "sent"])
def test_it_runs_only_while_its_request_does(state: str) -> None:
    future = CallFuture("f")
    request: Future[Any] = Future()
    if state == "sent":
        future.take()
        future.follow(request)
    assert not future.running()
    request.set_running_or_notify_cancel()
    assert future.running() is (state == "sent")
    future.release()
    assert not future.running()
