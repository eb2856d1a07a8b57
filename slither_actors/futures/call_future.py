"""The future of a call: one that takes its request back when it is cancelled."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from slither_actors.item import Item


class CallFuture(Future[Any]):
    """The result of one call, or of a chunk of them.

    Args:
        name: of the function, for messages.
        chunk: how many calls it is the result of, an `Outcome` then; None: it is the result of one.
    """

    def __init__(self, name: str, chunk: int | None = None) -> None:
        super().__init__()
        self.name = name
        self.chunk = chunk
        self._request: Future[list[Item]] | None = None
        # The one entry belongs to what takes it out: `take` is one step, so a cancel and a send exclude each other.
        self._unsent = [None]

    def take(self) -> bool:
        """Claim a future that has no request yet, to send or to cancel it. Only the first claim succeeds."""
        try:
            self._unsent.pop()
        except IndexError:
            return False
        return True

    def follow(self, request: Future[list[Item]]) -> None:
        """Hold the request that was sent, so that it can be cancelled."""
        self._request = request

    def release(self) -> None:
        """Let go of the request, which is done: it holds its results, and this future by its callback."""
        self._request = None

    def cancel(self) -> bool:
        """Cancel the call if it has not begun.

        Returns:
            Whether it is cancelled.
        """
        request = self._request
        if request is not None:
            # What has begun runs out in any case: its result is not thrown away. A request that begins at this very
            # moment may be cancelled all the same; then its result is dropped.
            if request.running() or not request.cancel():
                return self.cancelled()
            return super().cancel()
        if not self.take():
            return self.cancelled()
        self.end_cancelled()
        return True

    def end_cancelled(self) -> None:
        """Be cancelled, and notify what waits. Called once, by what took or delivered it."""
        super().cancel()
        self.set_running_or_notify_cancel()

    def running(self) -> bool:
        """Return whether the call is being executed, as far as the host knows."""
        request = self._request
        return super().running() or (request is not None and request.running())
