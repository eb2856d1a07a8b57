"""From what the Collector hands over to Items, in the consumer's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slither_actors.errors import ProtocolError, UnexpectedResponse
from slither_actors.executors import SnakeBridge, Snakepit
from slither_actors.item import Item
from slither_actors.pipeline.batch import Batch
from slither_actors.pipeline.messages import Delivery, Results, Skipped
from slither_actors.wire.codec import decode

Unpack = Callable[[Delivery], list[Item]]


def unpacker(executor: Any) -> Unpack:
    """The function that makes the Items of a delivery.

    Args:
        executor: the run's; our own two are short-cut, a user's is asked.
    """
    kind = type(executor)
    if kind is SnakeBridge:
        results = _list_results
    elif kind is Snakepit:
        results = _mapping_results
    else:

        def results(batch: Batch, indexes: Sequence[int] | None, reply: Any) -> list[Item]:
            return _asked_results(executor, batch, indexes, reply)

    def unpack(delivery: Delivery) -> list[Item]:
        if type(delivery) is Results:
            frame = delivery.frame
            return results(delivery.batch, delivery.indexes, decode(frame.body, frame.buffers))
        if type(delivery) is Skipped:
            items = delivery.batch.items()
            return [
                items[index].put_meta(error=error, skipped=True)
                for index, error in zip(delivery.indexes, delivery.errors, strict=True)
            ]
        return delivery.items  # type: ignore[union-attr]  # Whole

    return unpack


def _list_results(batch: Batch, indexes: Sequence[int] | None, reply: Any) -> list[Item]:
    if type(reply) is not list:
        raise ProtocolError("body", f"a reply that is no list: {type(reply).__name__}")
    positions, entries = batch.positions, batch.entries
    if indexes is not None:
        positions, entries = [positions[i] for i in indexes], [entries[i] for i in indexes]
    if len(reply) != len(entries):
        raise ProtocolError("body", f"the header announced {len(entries)} results, the body has {len(reply)}")
    if batch.bare:
        return list(map(Item, positions, reply))
    return [item.update_payload(payload) for item, payload in zip(entries, reply, strict=True)]


def _mapping_results(batch: Batch, indexes: Sequence[int] | None, reply: Any) -> list[Item]:
    return _list_results(batch, indexes, reply.get("items") if isinstance(reply, dict) else None)


def _asked_results(executor: Any, batch: Batch, indexes: Sequence[int] | None, reply: Any) -> list[Item]:
    items = batch.items()
    if indexes is not None:
        items = [items[i] for i in indexes]
    answer = list(executor.results(items, reply))
    if len(answer) != len(items):
        raise UnexpectedResponse(f"{type(executor).__name__}.results gave {len(answer)} items for {len(items)}")
    for item in answer:
        if not isinstance(item, Item):
            raise UnexpectedResponse(f"{type(executor).__name__}.results gave {item!r}, not an Item")
    return answer
