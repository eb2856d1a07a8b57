"""The web part of the service: scores one text a request, in batches of those that come at once.

Needs fastapi and uvicorn. In this folder: uvicorn web:app --timeout-graceful-shutdown 10
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from slither_actors import DeadlineExceeded, Overloaded, System


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Have the System of slither.yaml, and a batcher over its scorers, as long as the application lives."""
    async with System.from_yaml(Path(__file__).with_name("slither.yaml")) as system:
        app.state.system = system
        async with system.batcher(
            command="score", pool="scoring", max_batch_size=32, max_queue=256, deadline=2.0
        ) as scorer:
            app.state.scorer = scorer
            yield
        await asyncio.to_thread(system.drain, 10.0)


app = FastAPI(lifespan=lifespan)


@app.get("/score")
async def score(text: str) -> int:
    """Score a text: at once if a worker is idle, else with the texts of other requests."""
    found: int = await app.state.scorer(text.lower())
    return found


@app.get("/ready")
async def ready() -> JSONResponse:
    """Answer a readiness probe."""
    health = await asyncio.to_thread(app.state.system.health)
    return JSONResponse({"reasons": health.reasons}, 200 if health.ready else 503)


@app.exception_handler(Overloaded)
async def overloaded(request: Request, error: Overloaded) -> JSONResponse:
    """Tell a client to come again."""
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"})


@app.exception_handler(DeadlineExceeded)
async def late(request: Request, error: DeadlineExceeded) -> JSONResponse:
    """Tell a client that it took too long."""
    return JSONResponse({"error": str(error)}, 504)
