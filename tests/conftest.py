"""For the whole suite: no test may leave a thread, a descriptor or a process behind, nor an item unaccounted for."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator

import pytest
from support.leaks import held, left_behind
from support.ledger import Books


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Threads, descriptors and processes are the same after each test as before it.

    Fixtures of a wider scope are made before this one, so what they hold is in the count before.
    """
    before = held()
    yield
    left = left_behind(before)
    if left:
        pytest.fail("left behind by the test:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(autouse=True)
def the_books_balance(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of every run of a test, each item that was pulled has come out, or is known to have been dropped."""
    books = Books(monkeypatch)
    yield
    if wrong := books.complaints():
        pytest.fail("the ledger:\n  " + "\n  ".join(wrong), pytrace=False)


@pytest.fixture
def eventually() -> Callable[..., None]:
    """``eventually(condition, seconds=5.0)``: waits until the condition holds, and fails if it does not in time."""

    def wait(condition: Callable[[], object], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"did not come true within {seconds} s: {inspect.getsource(condition).strip()}")
            time.sleep(0.005)

    return wait
