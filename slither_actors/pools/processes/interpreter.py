"""Which program runs workers and guardian, and with which flags. Looks at `sys` and the file system, starts nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from slither_actors.errors import OptionError
from slither_actors.worker.boot import STARTED_AS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slither_actors.pools.spec import PoolSpec

_REMEDY = "PoolSpec(python=...) with the path of a Python 3.9 or later that has msgpack"


def own() -> str | None:
    """Return the interpreter that this process runs on, None where `sys.executable` cannot be one."""
    return None if why_not_own() else sys.executable


def why_not_own() -> str:
    """Why `sys.executable` cannot run workers; empty if nothing speaks against it."""
    path = sys.executable
    packed = _packed()
    if packed:
        return f"this program is packed ({packed}): {path!r} would start the program again, and no interpreter"
    if not path:
        return f"this process does not know its own interpreter (sys.executable is {path!r})"
    if not os.path.isfile(path):
        return f"this process's own interpreter, sys.executable, is {path!r}, and there is no such file"
    if not os.access(path, os.X_OK):
        return f"this process's own interpreter, sys.executable, is {path!r}, which cannot be executed"
    return ""


def _packed() -> str:
    """Return the sign by which a packed program is known, empty for others."""
    if getattr(sys, "frozen", False):  # PyInstaller, cx_Freeze, py2exe, py2app, bbfreeze
        return "sys.frozen"
    if getattr(sys, "oxidized", False):
        return "PyOxidizer"
    compiled = globals().get("__compiled__")  # Nuitka; without `standalone` it compiles modules for an interpreter
    if compiled is not None and (getattr(compiled, "standalone", False) or getattr(compiled, "onefile", False)):
        return "Nuitka"
    return ""


def check(specs: Mapping[str, PoolSpec]) -> None:
    """Refuse a System whose workers nothing could run, or that would start its own program without end.

    Args:
        specs: its pools, by name.

    Raises:
        OptionError: naming the pool and the remedy.
    """
    started_as = os.environ.get(STARTED_AS)
    if started_as:
        # Whatever `sys.executable` or `python` is, it has run the program again instead of what it was given; the
        # variable is taken away by the first line of a worker. Refused here, that ends with the first generation.
        raise OptionError(
            f"this process was started as {started_as} of another System, and runs a program that starts one itself: "
            f"{sys.executable!r} is no plain Python interpreter (a packed program, an embedding one, or a "
            f"sitecustomize that starts a System); give the System {_REMEDY}"
        )
    reason = why_not_own()
    if reason:
        for name, spec in specs.items():
            if spec.python is None:
                message = f"pool {name!r} has no interpreter for its workers: {reason}; give it {_REMEDY}"
                raise OptionError(message, "python")


def flags(python: str) -> list[str]:
    """Return the command line flags of a worker on `python`, so that its code runs as it would in this process.

    None for another interpreter than this process's own: it need not know them. (Variables such as PYTHONUTF8 are
    inherited by any.)

    Args:
        python: the worker's interpreter.
    """
    if python != sys.executable:
        return []
    given = sys.flags
    if given.isolated:
        found = ["-I"]
    else:
        found = []
        if given.ignore_environment:
            found.append("-E")
        if given.no_user_site:
            found.append("-s")
        if getattr(given, "safe_path", False):
            found.append("-P")
    if given.no_site:
        found.append("-S")
    for letter, count in (
        ("d", given.debug),
        ("B", given.dont_write_bytecode),
        ("O", given.optimize),
        ("b", given.bytes_warning),
        ("v", given.verbose),
    ):
        if count:
            found.append("-" + letter * int(count))
    for name, value in sys._xoptions.items():
        found += ["-X", name if value is True else f"{name}={value}"]
    return found + [part for option in _warnings() for part in ("-W", option)]


def _warnings() -> list[str]:
    """Return the warning options of this process, without those that -b and -X dev add by themselves."""
    options = list(sys.warnoptions)
    implied = ["error::BytesWarning" if sys.flags.bytes_warning > 1 else "default::BytesWarning"]
    if not sys.flags.bytes_warning:
        implied = []
    if sys.flags.dev_mode:
        implied.append("default")
    for option in implied:
        if option in options:
            options.remove(option)
    return options
