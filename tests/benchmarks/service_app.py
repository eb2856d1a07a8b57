"""The service of workload P: `python -m ....service_app WAY` serves until it is terminated.

Prints the port once its workers are there. `/score?x=...` is a request; `/cpu` is the processor time of this process.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastapi
import uvicorn

from .service import TASK
from .task_contenders import OPEN

BACKLOG = 256


def application(way: str, port: int) -> fastapi.FastAPI:
    """The service, as one would write it."""

    @asynccontextmanager
    async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
        async with OPEN[way](TASK) as call:
            app.state.call = call
            for _ in range(8):
                await call(100)
            print(port, flush=True)
            yield

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.get("/score")
    async def score(x: int) -> dict[str, Any]:
        total, _ = await app.state.call(x)
        return {"score": total}

    @app.get("/cpu")
    async def cpu() -> float:
        return time.process_time()

    return app


def main() -> None:
    """Serve."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listening:
        app = application(sys.argv[1], listening.getsockname()[1])
        config = uvicorn.Config(app, log_level="warning", access_log=False, loop="uvloop", http="httptools")
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
