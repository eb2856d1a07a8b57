"""What the library logs, on standard error if it was asked for."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from slither_actors.cli.translate import translated_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slither_actors.cli.display import Display


@contextlib.contextmanager
def logs(display: Display, verbose: bool) -> Iterator[None]:
    """Within the context, what workers print and log goes to the display; records of this library only if wanted.

    Without a handler Python would write warnings to standard error by itself, into the moving line; and what those of
    the library say of workers that died, the run says already by its results.

    Args:
        display: makes room for them.
        verbose: whether the library's own are shown.
    """
    handler = _DisplayHandler(display)
    if not verbose:
        handler.addFilter(_of_the_user)
    root, workers = logging.getLogger(), logging.getLogger(_WORKERS)
    levels = root.level, workers.level
    root.addHandler(handler)
    workers.setLevel(logging.INFO)
    if verbose:
        root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        workers.setLevel(levels[1])


def _of_the_user(record: logging.LogRecord) -> bool:
    ours = record.name.partition(".")[0] in ("slither_actors", "supervisors")
    return record.name == _WORKERS or not ours


_WORKERS = "slither_actors.worker"


class _DisplayHandler(logging.Handler):
    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            printed = record.name == _WORKERS and record.levelno == logging.INFO
            self._display.say(translated_line(record.getMessage()) if printed else self.format(record))
        except Exception:
            self.handleError(record)
