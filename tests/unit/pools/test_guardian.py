"""The guardian's list of worker groups, and whom it kills when the list ends; no process is started or killed."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable

import pytest

from slither_actors.pools.processes import guardian
from slither_actors.pools.processes.guardian import begun, kill, main, watch


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The groups that a signal was sent to, each with the signal."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: sent.append((group, number)))
    return sent


def after(data: bytes, read: Callable[[int], object] = watch) -> object:
    """Return what is made of a pipe that ends after these bytes."""
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        return read(reading)
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b"", set()),
        (b"+70\n", {70}),
        (b"+70\n+71\n-70\n", {71}),
        (b"+70\n-70\n+70\n", {70}),
        (b"-70\n", set()),
        (b"+70\n+70\n-70\n", set()),
        (b"+70\n+71", {70}),  # a line that has not come to its end is none
    ],
)
def test_what_was_not_reaped_is_left(killed: list[tuple[int, int]], data: bytes, left: set[int]) -> None:
    assert after(data) == left
    assert killed == []


def test_lines_may_come_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = iter([b"+7", b"0\n", b"+71\n-", b"7", b"0\n+72\n", b""])
    asked: list[int] = []

    def read(fd: int, size: int) -> bytes:
        asked.append(fd)
        return next(parts)

    monkeypatch.setattr(os, "read", read)
    assert watch(9) == {71, 72}
    assert set(asked) == {9}


def test_a_group_on_the_list_is_killed_when_asked(killed: list[tuple[int, int]]) -> None:
    assert after(b"+70\n+71\n!71\n") == {70, 71}  # it stays until it is reaped
    assert killed == [(71, signal.SIGKILL)]


def test_no_group_that_is_not_on_the_list_is_killed(killed: list[tuple[int, int]]) -> None:
    after(b"!70\n+71\n-71\n!71\n")
    assert killed == []


def test_its_own_group_and_init_are_never_killed(killed: list[tuple[int, int]]) -> None:
    for group in (-5, 0, 1, 2):
        kill(group)
    after(b"+0\n!0\n+1\n!1\n")
    assert killed == [(2, signal.SIGKILL)]


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
def test_a_group_that_cannot_be_killed_is_passed_over(error: type[OSError], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def killpg(group: int, number: int) -> None:
        asked.append(group)
        raise error

    monkeypatch.setattr(os, "killpg", killpg)
    assert after(b"+70\n!70\n+71\n") == {70, 71}
    kill(71)
    assert asked == [70, 71]


@pytest.mark.parametrize("program", [main, lambda: runpy.run_path(guardian.__file__, run_name="__main__")])
def test_the_end_of_the_host_kills_what_is_left(
    killed: list[tuple[int, int]], program: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored: dict[int, object] = {}

    def ignore(number: int, handler: object) -> None:
        assert killed == []  # before anything is waited for
        ignored[number] = handler

    def run(fd: int) -> None:
        monkeypatch.setattr(sys, "argv", ["guardian.py", str(fd)])
        program()

    monkeypatch.setattr(signal, "signal", ignore)
    after(b"+70\n+71\n+72\n-71\n", run)
    assert sorted(killed) == [(70, signal.SIGKILL), (72, signal.SIGKILL)]
    terminal = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP}
    assert ignored == dict.fromkeys(terminal, signal.SIG_IGN)


def test_it_says_that_it_has_begun(killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)

    def run(fd: int) -> None:
        monkeypatch.setattr(sys, "argv", ["guardian.py", str(fd), str(writing)])
        main()

    after(b"+70\n", run)
    assert os.read(reading, 10) == b"+"
    assert os.read(reading, 10) == b""  # it is closed
    os.close(reading)
    assert killed == [(70, signal.SIGKILL)]


def test_a_host_that_does_not_read_the_sign_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    begun(writing)
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(writing)


def test_it_imports_the_standard_library_alone() -> None:
    modules = {value.__name__ for value in vars(guardian).values() if type(value) is type(sys)}
    assert modules == {"os", "signal", "sys"}
