"""What a worker writes of where it is, and what `progress` takes."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import scripts

from slither_actors.pools.processes import cursor_page as host
from slither_actors.worker import cursor as module
from slither_actors.worker import progress
from slither_actors.worker.cursor import INDEX, SINCE, SIZE, Cursor


@pytest.fixture
def fd() -> Iterator[int]:
    made = host.make()
    yield made
    os.close(made)


def of(fd: int) -> Cursor:
    made = Cursor()
    made._fd, made._file = fd, module._identity(fd)  # as `use`, which is for a process that is a worker
    return made


@pytest.fixture
def here(fd: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cursor]:
    made = of(fd)
    monkeypatch.setattr(module, "cursor", made)
    yield made
    made._forked()
    made._map = None  # it has a descriptor of its own


def where(fd: int) -> tuple[int, int]:
    told = host.read(fd)
    assert told is not None
    return told.request_id, told.index


def test_a_new_cursor_is_at_no_batch(fd: int) -> None:
    assert where(fd) == (0, 0)
    assert os.fstat(fd).st_size == SIZE


def test_a_batch_begins_at_its_first_item(fd: int) -> None:
    made = of(fd)
    words = made.begin(7)
    assert where(fd) == (7, 0)
    words[SINCE] = time.monotonic_ns() - 3_000_000_000
    words[INDEX] = 5
    assert where(fd) == (7, 5)
    told = host.read(fd)
    assert told is not None
    assert 3.0 <= told.seconds < 30.0
    made.begin(8)
    assert where(fd) == (8, 0)


def test_what_the_host_cannot_read_it_does_not_know(fd: int, tmp_path: Path) -> None:
    assert host.read(-1) is None
    short = os.open(tmp_path / "short", os.O_RDWR | os.O_CREAT)
    assert host.read(short) is None
    os.close(short)
    assert host.read(short) is None


def test_any_words_are_read(fd: int) -> None:
    os.pwrite(fd, struct.pack("=QQQ", 2**64 - 1, 2**64 - 1, 2**64 - 1), 0)
    assert where(fd) == (2**64 - 1, 2**64 - 1)


def test_a_file_that_took_the_number_is_not_written(fd: int, tmp_path: Path) -> None:
    made = of(fd)
    path = tmp_path / "theirs"
    path.write_bytes(b"x" * SIZE)
    theirs = os.open(path, os.O_RDWR)
    os.dup2(theirs, fd)
    os.close(theirs)
    made.begin(7)[INDEX] = 3
    assert path.read_bytes() == b"x" * SIZE


def test_progress_is_the_batchs_that_is_executed(here: Cursor, fd: int) -> None:
    progress(3)  # in none
    assert where(fd) == (0, 0)
    here.batch = 9, 4
    progress(2)
    assert where(fd) == (9, 2)
    here.batch = 10, 4
    progress(4)  # all are done
    assert where(fd) == (10, 4)


@pytest.mark.parametrize(
    ("index", "kind"), [(-1, ValueError), (5, ValueError), ("1", TypeError), (1.0, TypeError), (None, TypeError)]
)
def test_what_is_no_index_is_refused(here: Cursor, fd: int, index: object, kind: type[Exception]) -> None:
    here.batch = 9, 4
    with pytest.raises(kind, match="progress"):
        progress(index)  # type: ignore[arg-type]
    assert where(fd) == (0, 0)


def test_whatever_can_be_an_index_is_one(here: Cursor, fd: int) -> None:
    class Three:
        def __index__(self) -> int:
            return 3

    here.batch = 9, 4
    progress(Three())  # type: ignore[arg-type]
    assert where(fd) == (9, 3)


def test_a_forked_child_writes_nothing(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        from slither_actors.pools.processes import cursor_page as host
        from slither_actors.worker.cursor import INDEX, cursor, progress
        fd = host.make()
        cursor.use(fd)
        words = cursor.begin(7)
        cursor.batch = 7, 10
        progress(2)
        if not os.fork():
            progress(5)
            try:
                words[INDEX] = 6
            except ValueError:
                os._exit(0)
            os._exit(1)
        _, code = os.wait()
        told = host.read(fd)
        print(code, told.request_id, told.index)
        """,
    )
    assert done.stdout.split() == ["0", "7", "2"], done.stderr
