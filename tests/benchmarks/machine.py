"""Where and with what a run of the benchmark was made. Names no host."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = (
    *("slither-actors", "msgpack", "msgspec", "pykka", "numpy"),
    *("joblib", "loky", "mpire", "Pebble", "aiomultiprocess", "fastapi", "uvicorn", "httptools", "uvloop"),
)


def describe() -> dict[str, Any]:
    """Processors, interpreter, system, versions of what takes part, and the load average now."""
    return {
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": _versions(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
