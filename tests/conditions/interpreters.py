"""Other versions of CPython: which is installed where, and an environment of its own for each."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from .known import ROOT

PROGRAM = "import platform; print(platform.python_implementation(), platform.python_version())"


def version_of(program: str) -> str | None:
    """``CPython 3.12.1`` or the like; None if it is no Python that runs, such as the shim of one not installed."""
    try:
        done = subprocess.run([program, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def find(version: str, environ: Mapping[str, str], version_of: Callable[[str], str | None] = version_of) -> str | None:
    """The program of this version: what PYTHON312 (for 3.12) names, else python3.12 on PATH. None: there is none.

    Raises:
        LookupError: PYTHON312 names something else. It was set on purpose and must not be overlooked.
    """
    variable = "PYTHON" + version.replace(".", "")
    if given := environ.get(variable):
        found = version_of(given)
        if not _is(found, version):
            raise LookupError(f"{variable}={given} is {found or 'no Python'}, not CPython {version}")
        return given
    program = shutil.which(f"python{version}", path=environ.get("PATH"))
    return program if program is not None and _is(version_of(program), version) else None


def environment(program: str, version: str) -> str:
    """The Python of a virtual environment with the package and what its tests need; rebuilt as the Makefile's is.

    Raises:
        subprocess.CalledProcessError: it cannot be made.
    """
    folder = ROOT / f".venv-{version}"
    python, stamp = folder / "bin" / "python", folder / ".installed-test"
    if not _newer(stamp, ROOT / "pyproject.toml"):
        subprocess.run([program, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--editable", ".[test]"], cwd=ROOT, check=True)
        stamp.touch()
    return str(python)


def _is(found: str | None, version: str) -> bool:
    return found is not None and f"{found}.".startswith(f"CPython {version}.")


def _newer(path: Path, than: Path) -> bool:
    return path.exists() and path.stat().st_mtime >= than.stat().st_mtime
