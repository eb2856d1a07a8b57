"""A lazy source that gives the same buffer again and again: each item is what it was when it was pulled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.worker import FUNCTIONS

from slither_actors import Item, PoolSpec, System

COUNT = 200


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=2, path=[FUNCTIONS])}) as system:
        yield system


def bare(buffer: Any, number: int) -> Any:
    return buffer


def view(buffer: Any, number: int) -> Any:
    return memoryview(buffer)[:4]


def row(buffer: Any, number: int) -> Any:
    return {"at": number, "chunk": buffer}


def item(buffer: Any, number: int) -> Any:
    return Item.wrap(buffer, id=number)


def source(give: Callable[[Any, int], Any]) -> Iterator[Any]:
    buffer = bytearray(4)
    for number in range(COUNT):
        buffer[:] = number.to_bytes(4, "little")
        yield give(buffer, number)


def arrays() -> Iterator[Any]:
    buffer = np.zeros(3, np.int64)
    for number in range(COUNT):
        buffer[:] = number
        yield buffer if number % 2 else buffer[:2]


@pytest.mark.parametrize("give", [bare, view, item, row])
def test_a_source_may_reuse_its_buffer(system: System, give: Callable[[Any, int], Any]) -> None:
    results = system.dispatch.run(source(give), module="functions", function="echo", batch_size=16)
    chunks = [result.payload["chunk"] if give is row else result.payload for result in results]
    assert [int.from_bytes(chunk, "little") for chunk in chunks] == list(range(COUNT))


def test_a_source_may_reuse_its_array(system: System) -> None:
    results = system.dispatch.run(arrays(), module="functions", function="echo", batch_size=16)
    assert [int(result.payload[0]) for result in results] == list(range(COUNT))


def test_an_asynchronous_source_may_reuse_its_buffer_too(system: System) -> None:
    async def readings() -> AsyncIterator[Any]:
        for given in source(bare):
            yield given

    results = asyncio.run(system.dispatch.arun(readings(), module="functions", function="echo", batch_size=16))
    assert [int.from_bytes(result.payload, "little") for result in results] == list(range(COUNT))
