"""The actors of the service. They run in its own process."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import pykka

from slither_actors import current_system
from supervisors import DaemonActor, ExitReason, LightActor, Shutdown


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

    def on_receive(self, message: str | None) -> int | list[str]:
        """A text to keep; the answer is how many there are. None asks for the texts."""
        if message is None:
            return list(self._texts)
        self._texts.append(message)
        return len(self._texts)


class Feed(DaemonActor):
    """Has new texts cleaned by the workers and puts them into the archive, on a thread of its own.

    It may dispatch from its start to its own stop: the pools are ready before it starts, and in a drain they serve it
    until it has ended.

    Args:
        source: texts are the lines of the file of this name, with `.txt`, in the working directory; more may come.
        every: seconds between two looks.
    """

    def __init__(self, source: str, every: float = 1.0) -> None:
        super().__init__()
        self.path = Path(f"{source}.txt")
        self.every = every
        self.looks = 0
        self.told: list[str] = []
        self._read = 0

    def on_start(self) -> None:
        """Begin with what is there already. If the workers cannot do that, the service does not start."""
        self.look()

    def on_receive(self, message: str) -> None:
        """A text from elsewhere; it is cleaned at the next look, together with others."""
        self.told.append(message)
        if len(self.told) == 8:
            self.look()

    def receive_timeout(self) -> float:
        """Wait for messages this long at most."""
        return self.every

    def on_timeout(self) -> None:
        """Look for what is new."""
        self.look()

    def on_exit(self, reason: ExitReason) -> None:
        """Leave nothing undone, if there is time: in a drain that is what was given to it, in a stop 5 seconds."""
        if isinstance(reason, Shutdown):
            self.look()

    def look(self) -> None:
        """Clean and archive what is new."""
        self.looks += 1
        texts, self.told = self.told + self._new_lines(), []
        if texts:
            system = current_system()  # on this thread that is the System that this actor is a part of
            archive = system.actor("intake", "archive")
            for item in system.dispatch.run(texts, module="reader", function="clean"):
                archive.tell(item.payload)

    def _new_lines(self) -> list[str]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        new, self._read = lines[self._read :], len(lines)
        return new
