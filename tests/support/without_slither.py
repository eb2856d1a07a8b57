"""Running `supervisors` alone: a folder with that package and nothing else of this project on the path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from architecture.imports import ROOT


def run_alone(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """``python argv`` where `slither_actors` cannot be imported, although its distribution may be installed."""
    link = folder / "supervisors"
    if not link.exists():
        link.symlink_to(ROOT / "supervisors")
    blocker = folder / "sitecustomize.py"
    blocker.write_text("import sys\nsys.modules['slither_actors'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *argv], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
