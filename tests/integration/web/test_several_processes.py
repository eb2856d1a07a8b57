"""docs/several-processes.md: each web process has pools of its own, and all end together."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.web import GUNICORN, UVICORN, Server, serving

for module in ("fastapi", "uvicorn", "gunicorn", "uvicorn_worker"):
    pytest.importorskip(module)

APPLICATION = """
import asyncio
import os
from contextlib import asynccontextmanager
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from slither_actors import PoolSpec, SlitherError, System

def make():
    return System(pools={"default": PoolSpec(size=1)})

async def who(system, call):
    (answer,) = await call.acall_batch([[1, 2, 3]])
    pools = (await asyncio.to_thread(system.statistics)).pools
    return {
        "web": os.getpid(), "sum": answer.payload,
        "workers": [executor.pid for executor in pools["default"].executors],
    }
"""
IN_THE_LIFESPAN = """
from application import *

@asynccontextmanager
async def lifespan(app):
    async with make() as system:
        app.state.system = system
        app.state.call = system.dispatch.bind(module="builtins", function="sum", each=True)
        yield

app = FastAPI(lifespan=lifespan)

@app.get("/who")
async def answer():
    return await who(app.state.system, app.state.call)
"""
AT_IMPORT = """
from application import *

system = make()
{start}
call = system.dispatch.bind(module="builtins", function="sum", each=True)
batcher = system.batcher(module="builtins", function="sum", each=True)
app = FastAPI()

@app.get("/who")
async def answer():
    return await who(system, call)

@app.get("/batcher")
async def batched():
    return await batcher([1, 2, 3])

@app.get("/start")
async def start():
    await asyncio.to_thread(system.start)

@app.get("/live")
async def live():
    health = await asyncio.to_thread(system.health)
    return JSONResponse(health.reasons, 200 if health.live else 503)

@app.exception_handler(SlitherError)
async def failed(request, error):
    return JSONResponse([type(error).__name__, str(error)], 500)
"""

SERVERS = [
    pytest.param((*UVICORN, "--workers", "2", "served:app"), id="uvicorn"),
    pytest.param((*GUNICORN, "--workers", "2", "served:app"), id="gunicorn"),
    pytest.param((*GUNICORN, "--preload", "--workers", "2", "served:app"), id="gunicorn-preload"),
]


def lay_out(folder: Path, application: str) -> None:
    (folder / "application.py").write_text(APPLICATION)
    (folder / "served.py").write_text(application)


def processes_of(server: Server) -> dict[int, list[int]]:
    """The workers of each web process that answered one of some requests."""
    answers = server.get_all(["/who"] * 32)
    assert {(status, body["sum"]) for status, body in answers} == {(200, 6)}
    return {body["web"]: body["workers"] for _, body in answers}


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("argv", SERVERS)
def test_each_process_has_a_pool_and_sigterm_ends_all(
    tmp_path: Path, argv: tuple[str, ...], eventually: Callable[..., None]
) -> None:
    lay_out(tmp_path, IN_THE_LIFESPAN)
    with serving(tmp_path, argv, processes=2) as server:
        known: dict[int, list[int]] = {}

        def both_answered() -> bool:
            known.update(processes_of(server))
            return len(known) == 2

        eventually(both_answered, 30.0)
        (first, own), (second, others) = known.items()
        assert own
        assert others
        assert not set(own) & set(others)

        os.kill(first, signal.SIGKILL)
        eventually(lambda: all(map(is_gone, own)), 30.0)
        eventually(lambda: len(set(seen(server)) | {second}) == 2, 30.0)
        assert not any(map(is_gone, others))

        assert server.end() == 0
        assert all(map(is_gone, [second, *others, server.process.pid]))
        assert "Traceback" not in server.log


def seen(server: Server) -> list[int]:
    """The web processes that answer now; one that was killed may take connections along."""
    try:
        return list(processes_of(server))
    except OSError:
        return []


@pytest.mark.parametrize("start", ["system.start()", ""], ids=["started", "made"])
def test_with_preload_a_system_made_at_import_is_refused(tmp_path: Path, start: str) -> None:
    lay_out(tmp_path, AT_IMPORT.format(start=start))
    with serving(tmp_path, (*GUNICORN, "--preload", "--workers", "2", "served:app"), processes=2) as server:
        for path in ("/who", "/batcher", "/start"):
            status, (name, message) = server.get(path)
            assert (status, name) == (500, "ForkedSystemError"), path
            assert "in the lifespan of the application" in message
            assert "--preload" in message
        status, reasons = server.get("/live")
        assert status == 503
        assert "lifespan" in reasons[0]
        assert server.end() == 0


def test_without_preload_a_system_at_import_serves_and_ends(tmp_path: Path) -> None:
    lay_out(tmp_path, AT_IMPORT.format(start="system.start()"))
    with serving(tmp_path, (*GUNICORN, "--workers", "1", "served:app")) as server:
        answer: Any = server.get("/who")
        assert (answer[0], answer[1]["sum"]) == (200, 6)
        assert server.get("/batcher") == (200, 6)
        assert server.end() == 0
