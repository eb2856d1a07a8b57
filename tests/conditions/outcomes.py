"""What came of a condition, and of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one condition. `seconds` are those of its runs; `note` says why, where there is more to say."""

    name: str
    result: Literal["passed", "failed", "skipped"]
    seconds: float = 0.0
    note: str = ""


def outcome_of(name: str, codes: Sequence[int], seconds: float, unread: Sequence[str] = ()) -> Outcome:
    """What these runs come to.

    Args:
        codes: exit codes of pytest, one a run.
        seconds: how long they took together.
        unread: warnings that were left when no test was there any more to fail for them.
    """
    notes = []
    if bad := [code for code in codes if code]:
        ended = ", ".join(_told(code) for code in sorted(set(bad)))
        notes.append(ended if len(codes) == 1 else f"{len(bad)} of {len(codes)} runs: {ended}")
    if unread:
        notes.append(f"{len(unread)} warnings after the last test")
    return Outcome(name, "failed" if notes else "passed", seconds, "; ".join(notes))


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """One line each."""
    width = max((len(outcome.name) for outcome in outcomes), default=0)
    return [
        f"{outcome.name:{width}}  {outcome.result:7}  {outcome.seconds:6.0f} s  {outcome.note}".rstrip()
        for outcome in outcomes
    ]


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """1 if one failed, else 0: what could not be tried says nothing against the suite."""
    return int(any(outcome.result == "failed" for outcome in outcomes))


def _told(code: int) -> str:
    # pytest's own codes; a negative one is the signal that ended it.
    known = {1: "tests failed", 2: "interrupted", 3: "internal error", 4: "bad usage", 5: "no tests"}
    return known.get(code, f"exit code {code}")
