"""The future of a request: whether it has begun, its withdrawal, and that it keeps nothing once it is done."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.requests.futures import RequestFuture
from slither_actors.requests.lane import Request


@pytest.fixture
def request_() -> Request:
    unused: Any = None
    return Request(unused, 1, 1, positions=range(1), entries=[1], bare=True, reply_to=unused)


def test_it_runs_when_a_worker_has_begun(request_: Request) -> None:
    future = RequestFuture(request_, lambda request: None)
    assert not future.running()
    request_.began = 12.5
    assert future.running()
    request_.began = 0.0  # its worker has died, and it was not charged: it goes to another one
    assert not future.running()
    future.set_result([])
    assert not future.running()


def test_a_cancelled_one_withdraws_its_request_once(request_: Request) -> None:
    withdrawn: list[Request] = []
    future = RequestFuture(request_, withdrawn.append)
    assert [future.cancel(), future.cancel()] == [True, True]
    assert withdrawn == [request_]


@pytest.mark.parametrize("end", ["result", "error", "cancel"])
def test_it_lets_go_of_its_request_when_it_is_done(request_: Request, end: str) -> None:
    future = RequestFuture(request_, lambda request: None)
    if end == "cancel":
        future.cancel()
    elif end == "error":
        future.set_exception(ValueError())
    else:
        future.set_result([])
    assert request_ not in vars(future).values()
    request_.began = 1.0
    assert not future.running()
