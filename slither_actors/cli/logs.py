"""What the library logs, on standard error if it was asked for."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slither_actors.cli.display import Display


@contextlib.contextmanager
def logs(display: Display, verbose: bool) -> Iterator[None]:
    """Within the context, log records go to the display, or nowhere.

    Without a handler Python would write warnings to standard error by itself, into the moving line; and what they
    say of workers that died, the run says already by its results.

    Args:
        display: makes room for them.
        verbose: whether they are shown.
    """
    handler = _DisplayHandler(display) if verbose else logging.NullHandler()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    if verbose:
        root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _DisplayHandler(logging.Handler):
    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._display.say(self.format(record))
        except Exception:
            self.handleError(record)
