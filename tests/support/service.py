"""A small web service on asyncio that answers through `arun`: run as a program by the test of it.

    python service.py PORT_FILE

``GET /score?n=3`` answers ``{"score": 9}``; ``/workers`` the pids of the workers. What fails is a 503 that names the
error. SIGTERM: no new connections, what is under way is finished, the last line says how that went.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from slither_actors import DispatchError, Retry, SlitherError, System


async def answer(system: System, target: str) -> tuple[int, Any]:
    url = urlsplit(target)
    if url.path == "/workers":
        return 200, [executor.pid for executor in system.statistics().pools["scores"].executors if executor.pid]
    number = int(parse_qs(url.query)["n"][0])
    try:
        async with asyncio.timeout(20):
            (item,) = await system.dispatch.arun(
                [number],
                pool="scores",
                module="tasks",
                function="square_slowly",
                each=True,
                on_error=Retry(5, backoff=0.01),
            )
        return 200, {"score": item.payload}
    except DispatchError as error:
        return 503, {"error": type(error.reason).__name__}
    except (SlitherError, TimeoutError) as error:
        return 503, {"error": type(error).__name__}


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("slither")]


async def main(port_file: Path) -> None:
    async with System.from_yaml(Path(__file__).with_name("service.yaml")) as system:
        open_ones: set[asyncio.Task[Any] | None] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            open_ones.add(asyncio.current_task())
            try:
                request = await reader.readuntil(b"\r\n\r\n")
                try:
                    status, content = await answer(system, request.split(b" ", 2)[1].decode())
                except Exception:
                    status, content = 500, {"error": traceback.format_exc()}
                body = json.dumps(content).encode()
                head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()
                open_ones.discard(asyncio.current_task())

        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=500)
        told = port_file.with_suffix(".tmp")
        told.write_text(str(server.sockets[0].getsockname()[1]))
        told.rename(port_file)
        await stop.wait()
        server.close()
        report = await asyncio.to_thread(system.drain, 20)
        if open_ones:
            await asyncio.wait(list(filter(None, open_ones)), timeout=20)
    deadline = time.monotonic() + 2
    while (left := threads()) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)  # the last one has told us that it is done, and is about to end
    print(f"drained {report.drained}, dropped {report.dropped}, stopped {report.stopped}, threads {left}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
