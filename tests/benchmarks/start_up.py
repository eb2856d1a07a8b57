"""Workload M: how long it takes from nothing to the first result, and a worker to be ready."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import slither_actors
from slither_actors.wire.frames import FROM_WORKER, HELLO, READY, FrameParser, pack_frame
from slither_actors.wire.messages import Hello
from slither_actors.worker import boot

from .figures import IMAP, OURS, Figures
from .processes import CEILING, SCRIPTS, ChildFailed, kill_group
from .rounds import nth, run_rounds
from .settings import Settings

TITLE = "from nothing to the first result of two workers, imports included"
WORKER = "start of a worker, over that of the interpreter with msgpack"
WORKER_CASE, BARE_CASE = "a worker, until it is ready", "the interpreter, until it has imported msgpack"
BARE = "import msgpack, os; os.write(1, b'.')"
STARTS = 5
"""Workers started a round; their median counts."""

Env = Mapping[str, str]


def measure(settings: Settings) -> list[Figures]:
    """M: fresh processes in turn."""
    # A path with no more on it than a user's would have.
    env = {**os.environ, "PYTHONPATH": str(Path(slither_actors.__file__).parents[1])}
    # Users' interpreters keep what they have compiled; the first round, which does not count, compiles it.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = {OURS: "first_ours.py", IMAP: "first_imap.py"}

    def program(script: str) -> tuple[float, float]:
        return _program(script, env)

    both = run_rounds(programs, settings.rounds, program, program)
    starts: dict[str, Callable[[Env], float]] = {WORKER_CASE: worker_start, BARE_CASE: bare_start}

    def start(case: Callable[[Env], float]) -> float:
        return 1e3 * statistics.median(case(env) for _ in range(STARTS))

    values = run_rounds(starts, settings.rounds, start, start)
    return [
        Figures(
            "M",
            "whole process",
            TITLE,
            "s",
            nth(both, 0),
            note="From the start of the process to its end: imports, workers, one result, and everything put away.",
        ),
        Figures("M", "first result", TITLE, "s", nth(both, 1)),
        Figures("M", "worker", WORKER, "ms", values, note=f"Each value is the median of {STARTS} starts."),
    ]


def _program(script: str, env: Env) -> tuple[float, float]:
    """Seconds from the start of a program to its end, and to the clock that it prints."""
    with Pipes() as pipes:
        printed, out = pipes.make()
        begin = time.monotonic()
        process = subprocess.Popen([sys.executable, str(SCRIPTS / script)], stdout=out, env=env, start_new_session=True)
        # Not `wait` with a timeout, which looks every 50 ms.
        watchdog = threading.Timer(CEILING, kill_group, [process])
        watchdog.start()
        try:
            code = process.wait()
            end = time.monotonic()
        finally:
            watchdog.cancel()
            kill_group(process)
        pipes.close(out)
        if code:
            raise ChildFailed(f"{script} ended with {code}")
        return end - begin, float(os.read(printed, 100)) - begin


def worker_start(env: Env) -> float:
    """Seconds from making a worker's process to its word that it is ready."""
    path = [os.path.abspath(entry) for entry in sys.path]
    hello = pack_frame(HELLO, 0, Hello(path, keep_path=False, host_pid=os.getpid()).to_body())
    parser = FrameParser(accepts=FROM_WORKER)
    with Pipes() as pipes:
        (theirs, requests), (replies, out), (line, _) = (pipes.make() for _ in range(3))
        begin = time.perf_counter()
        process = subprocess.Popen(
            boot.command(sys.executable, theirs, out, line),
            pass_fds=(theirs, out, line),
            stdin=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )
        try:
            pipes.close(theirs, out, line)
            os.write(requests, hello)
            frames = parser.received(os.readv(replies, [parser.buffer()]))
            seconds = time.perf_counter() - begin
        finally:
            kill_group(process)
    if [frame.kind for frame in frames] != [READY]:
        raise ChildFailed("a worker did not become ready")
    return seconds


def bare_start(env: Env) -> float:
    """Seconds from making an interpreter's process to a byte that it writes once it has imported msgpack."""
    with Pipes() as pipes:
        replies, out = pipes.make()
        begin = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-c", BARE], stdin=subprocess.DEVNULL, stdout=out, env=env, start_new_session=True
        )
        try:
            pipes.close(out)
            said = os.read(replies, 1)
            seconds = time.perf_counter() - begin
        finally:
            kill_group(process)
    if said != b".":
        raise ChildFailed("the interpreter did not import msgpack")
    return seconds


class Pipes:
    """Pipes whose ends are closed on the way out, if they are not by then."""

    def __enter__(self) -> Self:
        self._open: set[int] = set()
        return self

    def __exit__(self, *_: object) -> None:
        self.close(*self._open)

    def make(self) -> tuple[int, int]:
        """A pipe: the end to read from, the end to write to."""
        ends = os.pipe()
        self._open.update(ends)
        return ends

    def close(self, *ends: int) -> None:
        """Close these now."""
        for fd in ends:
            self._open.discard(fd)
            os.close(fd)
