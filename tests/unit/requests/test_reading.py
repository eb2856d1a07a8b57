"""Replies to requests: what is plain is read at once, and all else is left to the policy."""

from __future__ import annotations

from typing import Any

import pytest
from support.pool_bench import frame_of
from unit.requests.test_reply_to import FakePool, a_lane, a_request

from slither_actors.errors import DispatchError, PoolUnavailable, WorkerCrashed
from slither_actors.item import Item
from slither_actors.pools.assignment.job import AtItem
from slither_actors.requests.lane import Request
from slither_actors.requests.reading import ReplyReader
from slither_actors.requests.reply_to import ThreadReplyTo
from slither_actors.wire import frames as wire
from slither_actors.wire.codec import encode
from supervisors.testing import ManualScheduler


@pytest.fixture
def request_(manual: ManualScheduler) -> Request:
    return a_request(a_lane(FakePool(), manual), 5, ThreadReplyTo(manual))


def reply(value: Any, count: int = 1, **fields: Any) -> wire.Frame:
    return frame_of(wire.REPLY, 1, encode(value), count=count, **fields)


def test_a_result_for_each_item_is_read(request_: Request) -> None:
    assert ReplyReader(maps=False).results(request_, reply([7])) == [Item(0, 7)]
    assert ReplyReader(maps=True).results(request_, reply({"items": ["x" * 2000]})) == [Item(0, "x" * 2000)]


def test_what_an_item_carries_stays_with_it(request_: Request) -> None:
    request_.entries, request_.bare = [Item("a", 5, {"k": 1}, "left")], False
    assert ReplyReader(maps=False).results(request_, reply([7])) == [Item("a", 7, {"k": 1}, "left")]


@pytest.mark.parametrize(
    "outcome",
    [
        reply([1, 2], count=2),
        reply([1, 2]),
        reply(7),
        reply([], count=0, failed=1, side=encode([[0, ["user", "E", "", ""]]])),
        frame_of(wire.REPLY, 1, b"\xc1", count=1),
        frame_of(wire.FAILURE, 1, b"\x80"),
        WorkerCrashed(None, 9, ""),
        AtItem(0, ValueError()),
    ],
    ids=["more", "longer", "no list", "failed items", "no message", "failure", "crash", "one item"],
)
def test_anything_else_is_left_to_the_policy(request_: Request, outcome: Any) -> None:
    assert ReplyReader(maps=False).results(request_, outcome) is None


@pytest.mark.parametrize("value", [[7], {"other": [7]}, {"items": 7}])
def test_a_command_answers_with_a_map_of_items(request_: Request, value: Any) -> None:
    assert ReplyReader(maps=True).results(request_, reply(value)) is None


def test_without_its_pool_it_fails_with_what_is_unfinished(request_: Request) -> None:
    lane: Any = request_.run_queue
    lane.failed = PoolUnavailable("p", "it gave up")
    with pytest.raises(DispatchError, match="the run failed: PoolUnavailable") as caught:
        ReplyReader(maps=False).results(request_, lane.failed)
    assert caught.value.unfinished == [0]
    assert caught.value.reason is lane.failed
