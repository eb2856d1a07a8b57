"""Workers that misbehave, for the tests of faults (faults/evil_workers, one small file a misbehaviour)."""

from __future__ import annotations

import sys
from pathlib import Path

EVIL = Path(__file__).parents[1] / "faults" / "evil_workers"
"""The folder of their modules; pools have it on their path."""


def stand_in(folder: Path, name: str, *arguments: object) -> Path:
    """An interpreter for a pool that is none: whatever it is asked to run, it runs this script of the evil workers.

    Args:
        folder: where to put it.
        name: of the script, without ending.
        arguments: for the script, ahead of those that a worker gets.
    """
    path = folder / f"python-{name}"
    words = [sys.executable, str(EVIL / f"{name}.py"), *map(str, arguments)]
    path.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in words) + ' "$@"\n')
    path.chmod(0o755)
    return path
