"""How far a run is, as one line of text. No clock, no terminal: times and widths are passed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

RATE_WINDOW = 5.0
"""Seconds over which the rate is taken: short enough to show a change, long enough not to flicker."""

_BAR_WIDTH = 20

# Before this there is too little to tell how long the rest will take.
_LEFT_AFTER_SECONDS = 1.0
_LEFT_AFTER_FRACTION = 0.005


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at one moment.

    Args:
        done: inputs that came out, failed ones among them.
        rate: of these a second; None while that is unknown.
        in_flight: inputs read that have no outcome yet.
        retries: batches that were run again, or split.
        failed: inputs that failed.
        fraction: how much of the input is done, 0 to 1; None where its end is unknown.
        left: seconds to the end; None while that is unknown.
        stopping: a signal came, and what is in flight is being finished.
    """

    done: int
    rate: float | None = None
    in_flight: int = 0
    retries: int = 0
    failed: int = 0
    fraction: float | None = None
    left: float | None = None
    stopping: bool = False


class Rate:
    """Things a second over the last `RATE_WINDOW` seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, now: float, done: int) -> float | None:
        """Update the rate: `done` at `now` (seconds). It is None until two moments are known."""
        self._samples.append((now, done))
        # The oldest stays until the next one is old too: it is where the window begins.
        while len(self._samples) > 2 and self._samples[1][0] <= now - RATE_WINDOW:
            self._samples.popleft()
        began, before = self._samples[0]
        return (done - before) / (now - began) if now > began else None


def seconds_left(elapsed: float, fraction: float | None) -> float | None:
    """Seconds to the end if the rest goes as fast as what is done did.

    Args:
        elapsed: seconds since the start.
        fraction: how much is done, 0 to 1; None if unknown.
    """
    if fraction is None or fraction < _LEFT_AFTER_FRACTION or elapsed < _LEFT_AFTER_SECONDS:
        return None
    return elapsed * (1 - min(fraction, 1.0)) / fraction


def format_progress(progress: Progress, width: int) -> str:
    """Return the line, of at most `width` characters: the least important part is left out first."""
    parts: list[tuple[int, str]] = []  # (the higher, the sooner left out; text), in the order shown
    if progress.stopping:
        parts.append((0, "stopping"))
    if progress.fraction is not None:
        share = min(max(progress.fraction, 0.0), 1.0)
        filled = int(share * _BAR_WIDTH)
        parts.append((1, f"{int(share * 100):3d}%"))
        parts.append((6, f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}]"))
    parts.append((0, f"{progress.done:,} done"))
    if progress.rate is not None:
        parts.append((2, f"{format_rate(progress.rate)}/s"))
    parts.append((5, f"{progress.in_flight} in flight"))
    if progress.retries:
        parts.append((4, counted(progress.retries, "retry", "retries")))
    if progress.failed:
        parts.append((1, f"{progress.failed:,} failed"))
    if progress.left is not None:
        parts.append((3, f"{format_duration(progress.left)} left"))
    while len(parts) > 1 and len(_joined(parts)) > width:
        parts.remove(max(parts))
    return _joined(parts)[:width]


def format_summary(
    ending: str,
    results: int,
    failed: int,
    retries: int,
    seconds: float,
    *,
    unfinished: int = 0,
    unwritten: int = 0,
) -> str:
    """Return the line that closes every run.

    Args:
        ending: how it ended, in a word or two; empty for a run that came to its end.
        results: results written.
        failed: inputs that failed.
        retries: batches that were run again, or split.
        seconds: how long it took.
        unfinished: inputs that were read when the run failed and have neither a result nor a failure of their own.
        unwritten: results that there were, and that did not get to the output.
    """
    parts = [counted(results, "result", "results")]
    if unwritten:
        parts.append(f"{unwritten:,} not written")
    if failed or not (unfinished or unwritten):
        parts.append(f"{failed:,} failed")
    if unfinished:
        parts.append(f"{unfinished:,} unfinished")
    if retries:
        parts.append(counted(retries, "retry", "retries"))
    rate = f" ({format_rate((results + unwritten + failed) / seconds)}/s)" if seconds > 0 else ""
    return f"{ending + ': ' if ending else ''}{', '.join(parts)} in {format_elapsed(seconds)}{rate}"


def format_rate(rate: float) -> str:
    """Return a number a second, with as many digits as can be read at a glance."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def format_elapsed(seconds: float) -> str:
    """How long something took: ``1.24 s``, and from a minute on ``2:05``."""
    return f"{seconds:.2f} s" if seconds < 60 else format_duration(seconds)


def format_duration(seconds: float) -> str:
    """Seconds as ``0:05``, ``12:34``, ``1:02:03``."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counted(number: int, one: str, several: str) -> str:
    """Return a number and its noun: ``1 retry``, ``1,234 retries``."""
    return f"{number:,} {one if number == 1 else several}"


def _joined(parts: list[tuple[int, str]]) -> str:
    return "  ".join(text for _, text in parts)
