"""Callers, and what they are answered by: the load of the workloads of requests."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from benchmarks.by_hand import ByHand
from benchmarks.many_runs import longest_wait
from benchmarks.request_load import Load, WrongResult, from_tasks, from_threads, share_within
from benchmarks.service_load import Client


def test_shares_are_taken_from_the_ordered_times() -> None:
    times = [float(number) for number in range(200)]
    assert (share_within(times, 0.5), share_within(times, 0.99), share_within(times, 1.0)) == (100.0, 198.0, 199.0)
    assert Load.of([0.004, 0.001, 0.002], 1.5, 0.003) == Load(2.0, 2.0, 4.0, 1000.0)


def test_every_task_sends_until_the_time_is_over_and_counts() -> None:
    asked: list[int] = []

    async def call(number: int) -> int:
        asked.append(number)
        await asyncio.sleep(0)
        return number

    load = asyncio.run(from_tasks(call, 5, 0.0))
    assert sorted(asked) == [0, 1, 2, 3, 4]
    assert load.rate > 0
    assert 0 <= load.half <= load.most


def test_a_wrong_result_ends_the_load_of_tasks() -> None:
    async def call(number: int) -> int:
        return number + 1

    with pytest.raises(ExceptionGroup) as error:
        asyncio.run(from_tasks(call, 2, 1.0))
    assert error.group_contains(WrongResult, match="1 for 0")


def test_threads_send_together_and_report_a_wrong_result() -> None:
    all_there = threading.Barrier(3)

    def together(number: int) -> int:
        all_there.wait()
        return number

    assert from_threads(together, 3, 0.0).rate > 0
    with pytest.raises(WrongResult, match="2 for "):
        from_threads(lambda number: 2, 2, 0.0)


def test_by_hand_makes_batches_of_what_came_in_one_turn() -> None:
    batches: list[list[int]] = []

    def double(rows: list[int]) -> list[int]:
        batches.append(rows)
        return [row * 2 for row in rows]

    async def main() -> list[int]:
        with ThreadPoolExecutor(1) as executor:
            call = ByHand(executor, double, 3).call
            results = await asyncio.gather(*map(call, range(5)))
            return [*results, await call(7)]

    assert asyncio.run(main()) == [0, 2, 4, 6, 8, 14]
    assert batches == [[0, 1, 2], [3, 4], [7]]


def test_by_hand_fails_every_caller_of_a_batch_that_failed() -> None:
    def fail(rows: list[int]) -> list[int]:
        raise ValueError("no")

    async def main() -> list[object]:
        with ThreadPoolExecutor(1) as executor:
            return await asyncio.gather(*map(ByHand(executor, fail, 8).call, range(2)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(main())] == ["no", "no"]


def test_a_client_takes_answers_that_come_in_parts() -> None:
    class Sent(asyncio.Transport):
        def __init__(self) -> None:
            super().__init__()
            self.written: list[bytes] = []

        def write(self, data: object) -> None:
            self.written.append(bytes(data))  # type: ignore[call-overload]

    async def main() -> tuple[list[bytes], bytes, bytes]:
        client, transport = Client("/score?x=1"), Sent()
        client.connection_made(transport)
        first = client.get()
        for part in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n", b"\r\nab", b"cd"):
            assert not first.done()
            client.data_received(part)
        second = client.get()
        client.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ndate: x\r\n\r\ne")
        return transport.written, await first, await second

    written, first, second = asyncio.run(main())
    assert (first, second) == (b"abcd", b"e")
    assert written == [b"GET /score?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"] * 2


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 Internal Server Error", b"503 Service Unavailable"])
def test_a_client_fails_where_the_service_does(status: bytes) -> None:
    class Silent(asyncio.Transport):
        def write(self, data: object) -> None:
            pass

    async def main() -> None:
        client = Client("/")
        client.connection_made(Silent())
        answer = client.get()
        client.data_received(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
        with pytest.raises(WrongResult, match=status.decode()):
            await answer

    asyncio.run(main())


def test_runs_in_turn_wait_for_no_more_than_their_turn() -> None:
    in_turn = [[float(number + 50 * place) for place in range(10)] for number in range(50)]
    assert longest_wait(in_turn) == 0.0


def test_a_run_that_is_passed_by_is_seen() -> None:
    begun = [[float(number + 50 * place) for place in range(10)] for number in range(50)]
    begun[0] = [1_000.0 + place for place in range(10)]
    assert longest_wait(begun) == 49 * 10 / 50
    one_after_the_other = [[float(10 * number + place) for place in range(10)] for number in range(50)]
    assert longest_wait(one_after_the_other) == (490 - 49) / 50
