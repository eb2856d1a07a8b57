"""What a request costs, counted: one of 64 tasks at a time, each of which makes one call after the other.

The ceilings are what it takes today, and a tenth more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.one_thread import MESSAGES, OPCODES, READS, WRITES, OneThread

TASKS, EACH = 64, 20
CALL: dict[str, Any] = {"module": "m", "function": "f"}


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[OneThread]:
    with OneThread(monkeypatch) as made:
        made.run(list(range(640)), 64)  # what is made or loaded once is there
        yield made


def cost(one_thread: OneThread, call: Any) -> dict[str, float]:
    one_thread.requests(call, TASKS, 2)
    results, counts = one_thread.requests(call, TASKS, EACH)
    assert sorted(results) == list(range(TASKS * EACH))
    print(f"\na request: { {what: n / (TASKS * EACH) for what, n in counts.items()} }")
    print(*((name, n / (TASKS * EACH)) for name, n in one_thread.by_function.most_common(25)), sep="\n")
    return {what: count / (TASKS * EACH) for what, count in counts.items()}


def test_of_plain_arun(one_thread: OneThread) -> None:
    async def call(number: int) -> Any:
        (item,) = await one_thread.system.dispatch.arun([number], **CALL)
        return item.payload

    found = cost(one_thread, call)
    assert 100 < found[OPCODES] <= 1085
    assert found[MESSAGES] <= 0.4
    assert max(found[WRITES], found[READS]) <= 0.3


def test_of_a_bound_call(one_thread: OneThread) -> None:
    bound = one_thread.system.dispatch.bind(module="m", function="f")

    async def call(number: int) -> Any:
        (item,) = await bound.acall_batch([number])
        return item.payload

    found = cost(one_thread, call)
    assert 100 < found[OPCODES] <= 1025
    assert found[MESSAGES] <= 0.4


def test_of_the_batcher(one_thread: OneThread) -> None:
    batcher = one_thread.system.batcher(module="m", function="f")
    found = cost(one_thread, batcher)
    assert 50 < found[OPCODES] <= 165
    assert found[MESSAGES] <= 0.2
    assert batcher.statistics().done == TASKS * (EACH + 2)


def test_one_alone_costs_one_message_each_way(one_thread: OneThread) -> None:
    bound = one_thread.system.dispatch.bind(module="m", function="f")

    async def call(number: int) -> Any:
        (item,) = await bound.acall_batch([number])
        return item.payload

    one_thread.requests(call, 1, 2)
    _, counts = one_thread.requests(call, 1, 50)
    # Its own, and the pool's and the worker's: Submit, Send, the reply, what the pool gets of it.
    assert counts[MESSAGES] / 50 <= 4
    assert counts[WRITES] / 50 == counts[READS] / 50 == 1
