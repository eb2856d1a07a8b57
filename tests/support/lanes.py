"""A lane without workers: what is sent waits for the test to answer it."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from slither_actors import DispatchError
from slither_actors.item import Item


class FakeLane:
    """Keeps what is sent, with its future."""

    def __init__(self, refusal: BaseException | None = None) -> None:
        self.sent: list[Any] = []
        self.futures: list[Future[list[Item]]] = []
        self.refusal = refusal

    def submit(self, batch: list[Any], /) -> Future[list[Item]]:
        if self.refusal is not None:
            raise self.refusal
        self.sent += batch
        self.futures.append(Future())
        return self.futures[-1]

    def begin(self, number: int) -> None:
        """A worker begins with a request: it cannot be cancelled any more."""
        assert self.futures[number].set_running_or_notify_cancel()

    def answer(self, number: int, *results: object) -> None:
        self.futures[number].set_result([Item(0, [list(results)])])

    def answer_error(self, number: int, *results: object) -> None:
        """Some results, then a ValueError."""
        reply = [list(results), "user", "ValueError", "no", "trace", "ValueError", ["no"]]
        self.futures[number].set_result([Item(0, reply)])

    def fail(self, number: int, reason: BaseException) -> None:
        self.futures[number].set_exception(DispatchError("it failed", reason=reason))
