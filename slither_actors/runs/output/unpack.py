"""From the Collector's deliveries to Items, in the consumer's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slither_actors.errors import ProtocolError, UnexpectedResponse
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.item import Item
from slither_actors.runs.batch import Batch, describe
from slither_actors.runs.flow.pacing import TOGETHER_BYTES
from slither_actors.runs.messages import Delivery, ReadyItems, Results, Skipped
from slither_actors.runs.output.reply_decoder import LEAST, ReplyDecoder
from slither_actors.runs.output.unreadable import resolve
from slither_actors.runs.run import Run
from slither_actors.wire.codec import DecodeError, decode_each
from slither_actors.wire.header import Frame
from slither_actors.wording import shown

Unpack = Callable[[Delivery], list[Item]]


def unpacker(executor: object, decoder: ReplyDecoder, run: Run) -> Unpack:
    """Return the function that makes the Items of a delivery.

    Args:
        executor: the run's; our own two are short-cut, a user's is asked.
        decoder: of the run's replies.
        run: whose policy decides on a reply that cannot be decoded.
    """
    kind = type(executor)
    if kind is SnakeBridge:
        results = _list_results
    elif kind is Snakepit:
        results = _mapping_results
    else:

        def results(batch: Batch, entries: list[Any], positions: Sequence[int], reply: Any) -> list[Item]:
            try:
                return _asked_results(executor, batch, entries, positions, reply)
            except BaseException as error:
                run.ending.blame(error, f"{type(executor).__name__}.results failed for {describe(batch)}")
                raise

    decode_frame = decoder.decode

    def unread(
        batch: Batch, entries: list[Any], positions: Sequence[int], frame: Frame, error: DecodeError | ProtocolError
    ) -> list[Item]:
        if run.ending.blamed(error) is not None:  # a user's `results` has raised it
            raise error
        return resolve(run, batch, entries, positions, frame, error)

    def unpack(delivery: Delivery) -> list[Item]:
        if type(delivery) is Batch:
            frame = delivery.reply
            assert frame is not None
            try:
                return results(delivery, delivery.entries, delivery.positions, decode_frame(frame))
            except (DecodeError, ProtocolError) as error:
                return unread(delivery, delivery.entries, delivery.positions, frame, error)
        if type(delivery) is Results:
            batch, frame = delivery.batch, delivery.frame
            entries = [batch.entries[i] for i in delivery.indexes]
            try:
                return results(batch, entries, delivery.positions, decode_frame(frame))
            except (DecodeError, ProtocolError) as error:
                return unread(batch, entries, delivery.positions, frame, error)
        if type(delivery) is Skipped:
            items = delivery.batch.items()
            return [
                items[index].put_meta(error=error, skipped=True)
                for index, error in zip(delivery.indexes, delivery.errors, strict=True)
            ]
        assert type(delivery) is ReadyItems
        return delivery.items

    return unpack


Together = Callable[[list[Delivery], int], tuple[list[Item], int] | None]
"""From deliveries, and the position that is due, to the Items, and how many bytes the request and the reply of the last
batch have."""


def together(run: Run, decoder: ReplyDecoder) -> Together | None:
    """Return the function that makes the Items of several small replies in one go; None for runs of another kind.

    That is the most frequent kind: a function's results for bare payloads. What it takes to hand over a piece is more
    than it takes to make the few Items in it. Where it gives None, nothing was done, and each delivery is to be
    unpacked for itself.
    """
    if type(run.options.executor) is not SnakeBridge or run.budget is not None:
        return None
    ordered = run.options.ordering == "preserve"
    decode_frame = decoder.decode

    def unpack(deliveries: list[Delivery], due: int) -> tuple[list[Item], int] | None:
        batches = [batch for batch in deliveries if type(batch) is Batch and batch.bare]
        if len(batches) != len(deliveries):
            return None
        replies: list[Any] = [batch.reply for batch in batches]  # none of them None, as they are delivered
        bodies = [reply.body for reply in replies]
        sizes = list(map(len, bodies))
        if sum(sizes) > TOGETHER_BYTES or replies[0].flags:
            return None
        try:
            results = decode_each(bodies) if max(sizes) < LEAST else list(map(decode_frame, replies))
        except DecodeError:
            return None  # the one that is not as it should be is found when they are unpacked one by one
        payloads: list[Any] = []
        for batch, values in zip(batches, results, strict=True):
            if type(values) is not list or len(values) != batch.count:
                return None
            payloads += values
        first, last = batches[0], batches[-1]
        positions = first.positions
        if ordered:
            # The pieces begin one behind the other, each is a range: if none is missing, they are one range.
            if positions[0] != due or last.positions[-1] - due + 1 != len(payloads):
                return None
            positions = range(due, due + len(payloads))
        elif first is not last:
            positions = [position for batch in batches for position in batch.positions]
        return list(map(Item, positions, payloads)), sizes[-1] + last.encoded

    return unpack


def _list_results(batch: Batch, entries: list[Any], positions: Sequence[int], reply: Any) -> list[Item]:
    if type(reply) is not list:
        raise ProtocolError("body", f"a reply that is no list: {type(reply).__name__}")
    if len(reply) != len(entries):
        raise ProtocolError("body", f"the header announced {len(entries)} results, the body has {len(reply)}")
    if batch.bare:
        return list(map(Item, positions, reply))
    return [Item(item.id, payload, item.meta, item.route) for item, payload in zip(entries, reply, strict=True)]


def _mapping_results(batch: Batch, entries: list[Any], positions: Sequence[int], reply: Any) -> list[Item]:
    return _list_results(batch, entries, positions, reply.get("items") if isinstance(reply, dict) else None)


def _asked_results(executor: Any, batch: Batch, entries: list[Any], positions: Sequence[int], reply: Any) -> list[Item]:
    items = list(map(Item, positions, entries)) if batch.bare else entries
    answer = list(executor.results(items, reply))
    if len(answer) != len(items):
        raise UnexpectedResponse(f"{type(executor).__name__}.results gave {len(answer)} items for {len(items)}")
    for item in answer:
        if not isinstance(item, Item):
            raise UnexpectedResponse(f"{type(executor).__name__}.results gave {shown(item)}, not an Item")
    return answer
