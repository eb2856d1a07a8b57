"""For the whole suite: no test may leave a thread, descriptor or process behind, lose an item or overlook a warning."""

from __future__ import annotations

import inspect
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from support.elsewhere import take_warnings
from support.leaks import held, left_behind
from support.ledger import Books
from support.processor import settle

# How long an example takes says more of what else the machine does than of the code: an example that hangs fails by the
# suite's timeout, and what is meant to be quick says so in a test of its own.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


# A shell starts what it puts into the background with SIGINT ignored, and so would be all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse names that differ from process to process: `make test` could not share the tests out."""
    if wrong := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError("give ids=support.ids.stable to " + "\n".join(wrong))


def pytest_collection_finish() -> None:
    settle()


@pytest.fixture(autouse=True)
def nothing_is_warned_elsewhere() -> Iterator[None]:
    """No worker and no script has warned of anything; known under the condition `dev-mode` only."""
    yield
    if told := take_warnings():
        pytest.fail("warned of in other processes:\n" + "\n".join(told), pytrace=False)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(nothing_is_warned_elsewhere: None) -> Iterator[None]:
    """Threads, descriptors and processes are the same after each test as before it.

    Fixtures of a wider scope are made before this one, so what they hold is in the count before. What processes warned
    of is looked for after this one, when they have ended.
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
