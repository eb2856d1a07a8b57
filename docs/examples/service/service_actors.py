"""The actors of the service. They run in its own process."""

from __future__ import annotations

from collections import deque
from typing import Any

import pykka

from supervisors import DaemonActor, LightActor


class Tally(LightActor):
    """Counts what it is told. Runs on the scheduler's thread: quick, and never blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}

    def on_receive(self, message: Any) -> object:
        """A name to count; None asks for the counts."""
        if message is None:
            return dict(self.counts)
        self.counts[message] = self.counts.get(message, 0) + 1
        return None


class Archive(pykka.ThreadingActor):
    """Keeps the latest texts. A plain Pykka actor: it has a thread, and may wait for a disk."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._texts: deque[str] = deque(maxlen=limit)

    def on_receive(self, message: str) -> int:
        """A text to keep; the answer is how many there are."""
        self._texts.append(message)
        return len(self._texts)


class Feed(DaemonActor):
    """Looks for new texts now and then, on a thread of its own.

    Args:
        source: where.
        every: seconds between two looks.
    """

    def __init__(self, source: str, every: float = 1.0) -> None:
        super().__init__()
        self.source = source
        self.every = every
        self.looks = 0

    def receive_timeout(self) -> float:
        """Wait for messages this long at most."""
        return self.every

    def on_timeout(self) -> None:
        """Here it would fetch what is new."""
        self.looks += 1
