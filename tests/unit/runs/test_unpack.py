from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from slither_actors import Item, ProtocolError, UnexpectedResponse
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.option_parsing import parse_options
from slither_actors.pools.assignment.job import RunQueue
from slither_actors.runs.batch import Batch
from slither_actors.runs.messages import ReadyItems, Results, Skipped
from slither_actors.runs.output.reply_decoder import ReplyDecoder
from slither_actors.runs.output.unpack import Unpack, together
from slither_actors.runs.output.unpack import unpacker as make_unpacker
from slither_actors.runs.output.unreadable import Unreadable
from slither_actors.runs.run import Run
from slither_actors.wire.codec import encode
from slither_actors.wire.frames import REPLY, Frame, FrameParser, pack_frame

LANE = RunQueue(max_in_flight=1, ahead=True, timeout=None)
CALL = SnakeBridge(module="m", function="f")
COMMAND = Snakepit(command="c")


def a_run() -> Run:
    options = parse_options({"module": "m", "function": "f"})
    options.settle(1)
    return Run(options, None)  # type: ignore[arg-type]  # nothing is scheduled


def unpacker(executor: object) -> Unpack:
    return make_unpacker(executor, ReplyDecoder(), a_run())


def batch(bare: bool = True) -> Batch:
    entries: list[Any] = [10, 11, 12] if bare else [Item(f"id{i}", 10 + i, {"i": i}) for i in range(3)]
    return Batch(LANE, 1, 3, positions=range(5, 8), entries=entries, bare=bare)


def reply(value: Any) -> Frame:
    (frame,) = FrameParser(accepts=frozenset({REPLY})).feed(pack_frame(REPLY, 1, encode(value)))
    return frame


def results(value: Any, indexes: Sequence[int] | None = None, bare: bool = True) -> Batch | Results:
    made = batch(bare)
    if indexes is None:
        made.reply = reply(value)
        return made
    return Results(made, reply(value), indexes, [made.positions[i] for i in indexes])


@pytest.mark.parametrize(("executor", "wrap"), [(CALL, lambda x: x), (COMMAND, lambda x: {"items": x, "more": 1})])
def test_results_become_items(executor: Any, wrap: Any) -> None:
    unpack = unpacker(executor)
    assert unpack(results(wrap(["a", "b", "c"]))) == [Item(5, "a"), Item(6, "b"), Item(7, "c")]
    assert unpack(results(wrap(["a", "c"]), [0, 2])) == [Item(5, "a"), Item(7, "c")]
    got = unpack(results(wrap(["a", "c"]), [0, 2], bare=False))
    assert [(item.id, item.payload, dict(item.meta)) for item in got] == [
        ("id0", "a", {"i": 0}),
        ("id2", "c", {"i": 2}),
    ]


@pytest.mark.parametrize(
    ("executor", "value"),
    [
        (CALL, ["a"]),
        (CALL, {"items": []}),
        (CALL, None),
        (COMMAND, ["a", "b", "c"]),
        (COMMAND, {"items": "abc"}),
        (COMMAND, {}),
    ],
)
def test_a_body_that_is_not_what_header_said_is_protocol_error(executor: Any, value: Any) -> None:
    with pytest.raises(Unreadable) as caught:
        unpacker(executor)(results(value))
    assert isinstance(caught.value.reason, ProtocolError)


def pair(first: Any, second: Any) -> list[Any]:
    """The deliveries of two batches side by side, with these bodies."""
    made = [
        Batch(LANE, ref, 2, positions=range(2 * ref, 2 * ref + 2), entries=[0, 0], bare=True, reply=reply(body))
        for ref, body in enumerate((first, second))
    ]
    return list(made)


def test_replies_that_match_their_headers_are_unpacked_together() -> None:
    unpack = together(a_run(), ReplyDecoder())
    assert unpack is not None
    done = unpack(pair(["a", "b"], ["c", "d"]), 0)
    assert done is not None
    assert done[0] == [Item(0, "a"), Item(1, "b"), Item(2, "c"), Item(3, "d")]
    # As many as there should be in all, and yet not each: no call's results may become another's.
    for wrong in [(["a", "b", "c"], ["d"]), (["a"], ["b", "c", "d"]), ("ab", ["c", "d"]), ({1: 2, 3: 4}, [5, 6])]:
        assert unpack(pair(*wrong), 0) is None


def test_a_skipped_item_is_unchanged_but_for_its_meta() -> None:
    error = ValueError("no")
    made = batch(bare=False)
    (item,) = unpacker(CALL)(Skipped(made, [1], [error], [6]))
    assert (item.id, item.payload, dict(item.meta)) == ("id1", 11, {"i": 1, "error": error, "skipped": True})


def test_whole_items_are_given_as_they_are() -> None:
    items = [Item(1, 2)]
    assert unpacker(CALL)(ReadyItems(batch(), items, [5])) is items


class Own:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def request(self, *_: Any) -> Any:
        raise NotImplementedError

    def results(self, items: Sequence[Item], value: Any) -> Any:
        return self.answer(items, value)


def test_an_own_executor_is_asked_with_items_that_have_results() -> None:
    unpack = unpacker(
        Own(lambda items, value: (item.update_payload((item.payload, v)) for item, v in zip(items, value, strict=True)))
    )
    assert unpack(results([1, 2], [0, 2])) == [Item(5, (10, 1)), Item(7, (12, 2))]


@pytest.mark.parametrize("answer", [lambda items, value: items[1:], lambda items, value: [1, 2, 3]])
def test_an_own_executor_must_give_as_many_items(answer: Any) -> None:
    with pytest.raises(UnexpectedResponse, match=r"Own\.results gave"):
        unpacker(Own(answer))(results([1, 2, 3]))
