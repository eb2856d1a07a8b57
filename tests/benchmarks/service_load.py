"""The clients of workload P: `python -m ....service_load PORT CLIENTS SECONDS X SCORE`, one measurement; prints JSON.

HTTP/1.1 with connections that are kept, and no more of it than the service's answers need: the clients share two
processors with the service.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict

from .request_load import Load, WrongResult

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


class Client(asyncio.Protocol):
    """One connection, with one request on it at a time."""

    def __init__(self, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(END_OF_HEAD)
        if not end:
            return
        start = head.lower().index(LENGTH) + len(LENGTH)
        if len(body) < int(head[start:].partition(b"\r\n")[0]):
            return
        self._received = b""
        assert self._answer is not None
        if head.split(b" ", 2)[1] == b"200":
            self._answer.set_result(body)
        else:
            self._answer.set_exception(WrongResult(head.decode(errors="replace")))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or EOFError("the service closed the connection"))

    def get(self) -> asyncio.Future[bytes]:
        """Send the request; a future of the body of its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        return self._answer

    def close(self) -> None:
        """Close the connection."""
        assert self._transport is not None
        self._answer = None
        self._transport.close()


async def load(port: int, clients: int, seconds: float, x: int, score: int) -> Load:
    """Have the clients send for so long."""
    loop = asyncio.get_running_loop()
    expected = json.dumps({"score": score}, separators=(",", ":")).encode()
    times: list[float] = []

    async def connected(path: str) -> Client:
        _, client = await loop.create_connection(lambda: Client(path), "127.0.0.1", port)
        return client

    async def caller(client: Client) -> None:
        while True:
            begin = time.perf_counter()
            body = await client.get()
            end = time.perf_counter()
            times.append(end - begin)
            if body != expected:
                raise WrongResult(repr(body))
            if end >= until:
                return

    observer = await connected("/cpu")
    connections = [await connected(f"/score?x={x}") for _ in range(clients)]
    cpu, begin = float(await observer.get()), time.perf_counter()
    until = begin + seconds
    async with asyncio.TaskGroup() as group:
        for client in connections:
            group.create_task(caller(client))
    elapsed = time.perf_counter() - begin
    used = float(await observer.get()) - cpu
    for client in (observer, *connections):
        client.close()
    return Load.of(times, elapsed, used)


if __name__ == "__main__":
    port, clients, seconds, x, score = sys.argv[1:]
    print(json.dumps(asdict(asyncio.run(load(int(port), int(clients), float(seconds), int(x), int(score))))))
