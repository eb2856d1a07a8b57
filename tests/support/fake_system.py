"""A System without workers for programs that make one: its streams are what a test says."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import pytest

from slither_actors import Item

Serve = Callable[[Iterable[Item]], Iterator[Item]]


class FakeStream:
    """A stream of results that a test makes of the items."""

    def __init__(self, results: Iterator[Item], system: FakeSystem) -> None:
        self._results = results
        self._system = system
        self.retries = 0
        self.in_flight = 0
        self.closed = False

    def __iter__(self) -> Iterator[Item]:
        return self._results

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def statistics(self) -> Any:
        """Return what the test has set."""
        return types.SimpleNamespace(retries=self.retries, in_flight=self.in_flight)


class FakeSystem:
    """Takes the place of the class `System` in one module, and is the System that is made there.

    Args:
        serve: makes results of items.
    """

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.pools: dict[str, Any] = {}
        self.options: dict[str, Any] = {}
        self.streams: list[FakeStream] = []
        self.calls: list[Any] = []
        """Enter, stop (with its timeout) and exit, in their order."""
        self.dispatch = types.SimpleNamespace(stream=self._stream)

    def __call__(self, pools: dict[str, Any]) -> Self:
        self.pools = pools
        return self

    def __enter__(self) -> Self:
        self.calls.append("enter")
        return self

    def __exit__(self, *_: object) -> None:
        self.calls.append("exit")

    @property
    def stream(self) -> FakeStream:
        """The one stream that was opened."""
        (stream,) = self.streams
        return stream

    def stop(self, timeout: float) -> None:
        """Keep the call."""
        self.calls.append(timeout)

    def _stream(self, items: Iterable[Item], **options: Any) -> FakeStream:
        self.options = options
        self.streams.append(stream := FakeStream(self.serve(items), self))
        return stream


class HandTicker:
    """Takes the place of a `Ticker`: ticks when the test says so."""

    tick: Callable[[int], None]

    def __call__(self, tick: Callable[[int], None]) -> contextlib.nullcontext[None]:
        self.tick = tick
        return contextlib.nullcontext()


class HandDisplay:
    """Takes the place of a `Display`: keeps what it is to show."""

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled
        self.said: list[str] = []
        self.shown: list[Any] = []
        self.cleared = 0

    def show(self, progress: Any) -> None:
        """Keep a state of the run."""
        self.shown.append(progress)

    def clear(self) -> None:
        """Count the call."""
        self.cleared += 1

    def say(self, text: str) -> None:
        """Keep a message."""
        self.said.append(text)


def fake_system(monkeypatch: pytest.MonkeyPatch, module: str, serve: Serve) -> FakeSystem:
    """Return a System that takes the place of the one that a module makes."""
    system = FakeSystem(serve)
    monkeypatch.setattr(f"{module}.System", system)
    return system


__all__ = ["FakeStream", "FakeSystem", "HandDisplay", "HandTicker", "fake_system"]
