"""The service of docs/guide.md, served by uvicorn as the guide says."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from architecture.imports import ROOT
from support.examples import Page
from support.web import UVICORN, Server, serving

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

GUIDE = Page(ROOT / "docs" / "guide.md")

MORE = """
import asyncio
import scoring
from fastapi import Request
from leaving import while_connected
from service import app
from slow import sleeps

@app.get("/slow")
async def slow(request: Request, seconds: float, deadline: float = 30.0) -> float:
    state = app.state
    if not hasattr(state, "slow"):
        state.slow = state.system.batcher(function=sleeps, max_batch_size=1, max_queue=4)
    return await while_connected(request, state.slow(seconds, deadline=deadline))

@app.get("/counts")
async def counts() -> dict[str, int]:
    made = app.state.slow.statistics()
    return {"queue": made.queue, "gone": made.gone, "executing": made.executing}

@app.get("/pids")
async def pids() -> list[int]:
    pools = (await asyncio.to_thread(app.state.system.statistics)).pools
    return [executor.pid for executor in pools["default"].executors]
"""
SLOW = """
import time

def sleeps(values):
    time.sleep(sum(values))
    return values
"""

OVERDUE = "/slow?seconds=1.5&deadline=0.5"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    GUIDE.lay_out(tmp_path)
    (tmp_path / "more.py").write_text(MORE)
    (tmp_path / "slow.py").write_text(SLOW)
    with serving(tmp_path, [*UVICORN, "more:app"]) as server:
        yield server


def test_calls_streams_and_probes_are_answered(server: Server) -> None:
    assert server.get("/score?text=good+film") == (200, 0.5)
    assert server.get("/score-alone?text=bad+film") == (200, -0.5)
    assert server.answer("/words?text=one+after+the+other")[2] == b"one\nafter\nthe\nother\n"
    assert server.get("/ready") == (200, {"reasons": []})
    assert server.get("/live") == (200, {"reasons": []})
    assert server.get_all(["/score?text=good"] * 200) == [(200, 1.0)] * 200
    status, statistics = server.get("/statistics")
    assert (status, statistics["queue"], statistics["refused"]) == (200, 0, 0)


def test_a_bad_call_fails_alone_and_is_logged(server: Server) -> None:
    paths = ["/score?text=good", "/score?text="] * 20
    assert server.get_all(paths) == [(200, 1.0), (500, {"error": "WorkerError"})] * 20
    assert server.get("/score-alone?text=") == (500, {"error": "WorkerError"})
    assert server.end() == -signal.SIGTERM
    assert "/score failed: ZeroDivisionError" in server.log
    assert "scoring.py" in server.log


def test_killed_workers_cost_no_request_of_others(server: Server, eventually: Callable[..., None]) -> None:
    _, before = server.get("/pids")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert server.get_all(["/score?text=good"] * 50) == [(200, 1.0)] * 50
    eventually(lambda: server.get("/ready")[0] == 200)
    assert not set(server.get("/pids")[1]) & set(before)


def test_overload_is_503_and_a_late_call_504(server: Server) -> None:
    answers = server.get_all([OVERDUE] * 24, clients=24)
    said = {(status, body["error"]) for status, body in answers}
    assert said == {(503, "Overloaded"), (504, "DeadlineExceeded")}
    blocked = server.get_all([OVERDUE] * 23 + ["/live"], clients=24)
    assert blocked[-1] == (200, {"reasons": []})


def test_a_refused_request_says_when_to_come_again(server: Server) -> None:
    with ThreadPoolExecutor(24) as executor:
        answers = list(executor.map(lambda _: server.answer(OVERDUE), range(24)))
    assert {headers["retry-after"] for status, headers, _ in answers if status == 503} == {"1"}


def test_a_client_that_leaves_takes_its_call_along(server: Server, eventually: Callable[..., None]) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /slow?seconds=25 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        eventually(lambda: server.answer("/counts")[0] == 200)
        assert server.get("/counts")[1]["gone"] == 0
    eventually(lambda: server.get("/counts")[1]["gone"] == 1)


def test_at_sigterm_requests_under_way_have_their_answers(server: Server, eventually: Callable[..., None]) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET /slow?seconds=0.7 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        eventually(lambda: server.answer("/counts")[0] == 200)
        code = server.end()
        answer = b""
        while piece := client.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"0.7")
    assert code == -signal.SIGTERM
    assert "Application shutdown complete" in server.log
    assert "Traceback" not in server.log
