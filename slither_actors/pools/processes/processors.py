"""How many processors this process may use: its affinity, its container's quota, and what the user says."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping

_Reader = Callable[[str], float | None]
_USUAL_MOUNTS = [
    ("/", "/sys/fs/cgroup", "cgroup2", ["rw"]),
    ("/", "/sys/fs/cgroup/unified", "cgroup2", ["rw"]),
    ("/", "/sys/fs/cgroup/cpu", "cgroup", ["cpu"]),
    ("/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", ["cpu"]),
]
"""Looked at where /proc does not say what is mounted, as in some sandboxes."""
_OCTAL = re.compile(r"\\([0-7]{3})")


def processors(
    root: str = "/", environ: Mapping[str, str] | None = None, affinity: int | None = None, said: str | None = None
) -> int:
    """Return the number of processors that this process may use, at least 1.

    `PYTHON_CPU_COUNT` and ``-X cpu_count``, as Python 3.13 knows them, go before anything else. A quota of a cgroup
    is rounded up: with 1.5 processors two workers find work.

    Args:
        root: where /proc and /sys are; for tests.
        environ: the environment; None: this process's.
        affinity: processors that the scheduler may run it on; None: as the system says.
        said: of ``-X cpu_count``; None: the setting of this interpreter.
    """
    environ = os.environ if environ is None else environ
    if said is None:
        said = str(sys._xoptions.get("cpu_count", "")) or environ.get("PYTHON_CPU_COUNT", "")
    if said.isascii() and said.isdigit() and int(said) >= 1:
        return int(said)
    if affinity is None:
        affinity = _affinity()
    quota = cgroup_quota(root)
    return max(1, affinity if quota is None else min(affinity, math.ceil(quota)))


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not on macOS
        return os.cpu_count() or 1


def cgroup_quota(root: str = "/") -> float | None:
    """Processors' worth of time that the process's own cgroup and those above it allow; None: as much as there is.

    Args:
        root: where /proc and /sys are.
    """
    least: float | None = None
    for folder, read in _cgroups(root):
        quota = read(folder)
        if quota is not None and (least is None or quota < least):
            least = quota
    return least


def _cgroups(root: str) -> Iterator[tuple[str, _Reader]]:
    """Each folder that a quota of this process may stand in, with what reads it."""
    mounts = list(_mounts(root)) or _USUAL_MOUNTS
    for line in _text(root, "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            kind, read = "cgroup2", _quota_v2
        elif "cpu" in controllers.split(","):
            kind, read = "cgroup", _quota_v1
        else:
            continue
        for mounted, point, fs, opts in mounts:
            if fs != kind or (kind == "cgroup" and "cpu" not in opts):
                continue
            # Without a namespace of its own a container sees the whole path, and only its part of it is mounted. A
            # path that leads out of the namespace ("/../x") or of what is mounted says no more than the mount.
            prefix = mounted.rstrip("/")
            inside = path[len(prefix) :] if path == prefix or path.startswith(prefix + "/") else ""
            parts = [part for part in inside.split("/") if part]
            if ".." in parts:
                parts = []
            for length in range(len(parts), -1, -1):
                yield os.path.join(root, point.lstrip("/"), *parts[:length]), read


def _mounts(root: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Of each mounted cgroup hierarchy: what of it is mounted, where, its type, its options."""
    for line in _text(root, "proc/self/mountinfo").splitlines():
        before, separator, after = line.partition(" - ")
        fields, described = before.split(" "), after.split(" ")
        if separator and len(fields) >= 5 and len(described) >= 3 and described[0] in ("cgroup", "cgroup2"):
            yield _unescaped(fields[3]), _unescaped(fields[4]), described[0], described[2].split(",")


def _unescaped(path: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), path)


def _quota_v2(folder: str) -> float | None:
    most, _, period = _text(folder, "cpu.max").strip().partition(" ")
    return _share(most, period or "100000")  # "max" is no number


def _quota_v1(folder: str) -> float | None:
    return _share(_text(folder, "cpu.cfs_quota_us"), _text(folder, "cpu.cfs_period_us"))  # -1: no quota


def _share(most: str, period: str) -> float | None:
    try:
        quota, length = int(most), int(period)
    except ValueError:
        return None
    return quota / length if quota > 0 and length > 0 else None


def _text(*path: str) -> str:
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
