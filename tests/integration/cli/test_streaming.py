"""``slither-actors map`` on inputs that do not end: seen through at once, in flat memory, ended by signals."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commands import command

Started = Callable[..., Any]


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_each_line_of_a_slow_pipe_is_seen_through_at_once(started: Started) -> None:
    running = started("map", "operator:neg", "--each")
    for number in range(1, 4):
        running.send(f"{number}\n")
        assert running.line() == f"{-number}\n"  # though the pipe stays open and the batch is not full
    done = running.end()
    assert (done.code, done.out) == (0, "")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_endless_input_takes_no_memory(started: Started) -> None:
    running = started("map", "work:double", "--workers", "2")
    over = threading.Event()
    chunk = ("123456\n" * 5000).encode()

    def feed() -> None:
        try:
            while not over.is_set():
                running.process.stdin.write(chunk)
        except (BrokenPipeError, ValueError):
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for _ in range(50_000):
            assert running.line() == "246912\n"
        before = resident_bytes(running.process.pid)
        for _ in range(250_000):
            running.line()
        assert resident_bytes(running.process.pid) - before < 5_000_000
    finally:
        over.set()
        running.process.kill()
        feeder.join()


def test_a_reader_that_has_enough_ends_the_run_quietly(here: Path) -> None:
    # The shell's own way: `yes | map | head`.
    pipeline = f"yes 1 | {' '.join(command('map', 'operator:neg', '--each'))} | head -n 3"
    done = subprocess.run(["bash", "-c", pipeline], cwd=here, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"-1\n-1\n-1\n"
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("slither-actors: output closed: ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_that_waits_for_input(started: Started, number: signal.Signals, code: int) -> None:
    running = started("map", "operator:neg", "--each")
    running.send("1\n")
    assert running.line() == "-1\n"
    began = time.monotonic()
    running.signal(number)
    done = running.end()
    assert (done.code, done.out) == (code, "")
    assert done.summary.startswith(f"slither-actors: ended by {number.name}: 1 result, 0 failed")
    assert "Traceback" not in done.err
    assert time.monotonic() - began < 5


def test_what_is_in_flight_when_the_signal_comes_is_delivered(started: Started, here: Path) -> None:
    (here / "in").write_text("".join(f"{number}\n" for number in range(100_000)))
    running = started("map", "work:slow", "in", "--each", "--batch-size", "1", "--max-in-flight", "2", "--workers", "2")
    first = [running.line() for _ in range(5)]
    running.signal(signal.SIGINT)
    done = running.end()
    got = [int(line) for line in [*first, *done.out.splitlines()]]
    assert done.code == 130
    assert got == list(range(len(got)))
    assert len(got) < 10_000
    assert f"{len(got)} results" in done.summary


@pytest.mark.parametrize("signals", [1, 2])
def test_a_batch_that_does_not_end_cannot_hold_up_the_end(
    started: Started, here: Path, eventually: Callable[..., None], signals: int
) -> None:
    running = started("map", "work:forever", "--timeout", "none")
    running.send("1\n")
    eventually((here / "begun").exists, 20)
    began = time.monotonic()
    for _ in range(signals):
        running.signal(signal.SIGTERM)
        time.sleep(0.2)
    done = running.end()
    assert done.code == 143
    assert time.monotonic() - began < 10


def test_an_output_that_nobody_reads_cannot_hold_up_the_end(started: Started) -> None:
    running = started("map", "operator:neg", "--each")
    over = threading.Event()

    def feed() -> None:
        try:
            while not over.is_set():
                running.process.stdin.write(b"1\n" * 10_000)
        except (BrokenPipeError, ValueError):
            pass

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        assert running.line() == "-1\n"
        time.sleep(1.0)  # the pipe fills up, and all behind it stands still
        running.signal(signal.SIGINT)
        assert running.process.wait(timeout=20) == 130
    finally:
        over.set()
        running.close()
        feeder.join()


# --- on a terminal ----------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read_all(fd: int, until: subprocess.Popen[bytes]) -> str:
    """What a terminal shows until a process ends and nothing more comes."""
    shown = bytearray()
    while True:
        ended = until.poll() is not None
        ready, _, _ = select.select([fd], [], [], 0.1)
        if ready:
            shown += os.read(fd, 1 << 16)
        elif ended:
            return shown.decode()


def run_on(terminal: tuple[int, int], here: Path, term: str) -> str:
    (here / "in").write_text("".join(f"{number}\n" for number in range(100)))
    argv = command("map", "work:slow", "in", "--each", "--batch-size", "2", "--workers", "2", "-o", "out")
    with subprocess.Popen(argv, cwd=here, stderr=terminal[1], env={**os.environ, "TERM": term}) as process:
        shown = read_all(terminal[0], process)
    assert process.returncode == 0
    return shown


def test_a_terminal_shows_progress_on_one_line_then_the_summary(terminal: tuple[int, int], here: Path) -> None:
    shown = run_on(terminal, here, "xterm")
    drawn = shown.split("\r")
    moving = [line for line in drawn if re.search(r"\d+% .* done .* in flight", line)]
    assert len(moving) >= 2
    assert all("\n" not in line for line in moving)
    assert (
        shown.rstrip()
        .splitlines()[-1]
        .rpartition("\r")[2]
        .removeprefix("\x1b[K")
        .startswith("slither-actors: 100 results, 0 failed in ")
    )


def test_a_terminal_that_cannot_erase_shows_the_summary_only(terminal: tuple[int, int], here: Path) -> None:
    shown = run_on(terminal, here, "dumb")
    assert shown.count("\n") == 1
    assert shown.startswith("slither-actors: 100 results")
