"""Streams of one payload in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slither_actors import System
from slither_actors.runs.chunks.stream import ChunkStream

BOUNDS = ("reader_timeout", "max_ahead", "max_ahead_bytes")


def stream_one(system: System, payload: object, **options: Any) -> ChunkStream:
    """The chunks of a payload, with the options of a stream and of its bounds."""
    bounds: Any = {name: options.pop(name) for name in BOUNDS if name in options}
    if "function" in options:
        options.setdefault("module", "chunked")
    return system.dispatch.bind(**options).stream_one(payload, **bounds)


class Notes:
    """What `chunked.noted` has written down: a letter for each yield that was begun, and how it ended."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notes"

    @property
    def begun(self) -> int:
        """Yields that were begun."""
        return self._text().count("y")

    @property
    def ended(self) -> str:
        """How it ended: "closed", "done", or "" while it has not."""
        return self._text().lstrip("y")

    def _text(self) -> str:
        return self.path.read_text() if self.path.exists() else ""
