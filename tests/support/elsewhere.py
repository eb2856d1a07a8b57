"""What other processes than this one have warned of: see in_every_process/sitecustomize.py, which leaves it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = "SLITHER_ACTORS_TEST_WARNINGS"
"""The environment variable that names the folder; not set: no process leaves anything."""


def take_warnings() -> list[str]:
    """What was left since this was asked last: the process, the warning, where it came from."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return []
    told = []
    for path in sorted(Path(folder).glob("[!.]*")):
        told.append(path.read_text(errors="replace"))
        path.unlink()
    return told
