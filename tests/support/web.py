"""A web server in a process of its own, with the application of a folder, and requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SECONDS = 60.0
_PORT = re.compile(r"(?:running on|Listening at:) http://127\.0\.0\.1:(\d+)")
_READY = re.compile(r"Application startup complete|Application startup failed")
UVICORN = ("uvicorn", "--host", "127.0.0.1", "--port", "0", "--timeout-graceful-shutdown", "10")
GUNICORN = (
    *("gunicorn", "--bind", "127.0.0.1:0", "--worker-class", "uvicorn_worker.UvicornWorker"),
    *("--graceful-timeout", "10", "--no-control-socket"),
)


class Server:
    """A server that runs: its port, its log so far, requests to it.

    Args:
        process: of the server.
        processes: in which its application starts, before it counts as ready.
    """

    def __init__(self, process: subprocess.Popen[str], processes: int) -> None:
        self.process = process
        self.lines: list[str] = []
        self.port = 0
        self._missing = processes
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if found := _PORT.search(line):
                self.port = int(found[1])
            self._missing -= bool(_READY.search(line))
            if self.port and self._missing <= 0:
                self._ready.set()
        self._ready.set()

    @property
    def log(self) -> str:
        """What it has said so far."""
        return "".join(self.lines)

    def wait_ready(self) -> None:
        """Wait until its processes serve."""
        assert self._ready.wait(SECONDS), self.log
        assert self._missing <= 0, self.log

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and answer of one request on a connection of its own."""
        status, _, body = self.answer(path)
        return status, json.loads(body)

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()

    def get_all(self, paths: Sequence[str], clients: int = 16) -> list[tuple[int, Any]]:
        """Return the answers of many requests, so many at a time."""
        with ThreadPoolExecutor(clients) as executor:
            return list(executor.map(self.get, paths))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Have it end, and return its exit code. All of its output is in the log then, from all its processes."""
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code


@contextlib.contextmanager
def serving(folder: Path, argv: Sequence[str], processes: int = 1, **environment: str) -> Iterator[Server]:
    """Have a server run until the block ends, with the application in the folder.

    Args:
        folder: where it runs.
        argv: module and arguments of the server.
        processes: in which its application starts.
        environment: variables more.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", *argv],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, **environment},
    )
    server = Server(process, processes)
    try:
        server.wait_ready()
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        server._reader.join(SECONDS)
        assert process.stdout is not None
        process.stdout.close()
