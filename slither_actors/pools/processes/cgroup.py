"""Whether a worker was killed by the memory limit of its cgroup: the count of such kills, before and after."""

from __future__ import annotations

import os
from pathlib import Path

TOGETHER = 1.0
"""Seconds within which several deaths may share a growth of the count: the kernel can kill a number of workers at once,
and then it has grown by all of them before the first death is looked at."""


class OomKills:
    """The `oom_kill` count of this process's own cgroup, which the workers share.

    A look costs a file read, so it is taken at the start of a worker and at a death by a SIGKILL that was not ours.

    Args:
        proc: where the kernel says which cgroup this process is in.
        mounts: where cgroups are mounted: the unified ones (v2) there, those of v1 in `memory` below.
    """

    def __init__(self, proc: str | os.PathLike[str] = "/proc/self/cgroup", mounts: str = "/sys/fs/cgroup") -> None:
        self._file = _counter(Path(proc), Path(mounts))
        self._seen = self.count()
        self._seen_at = float("-inf")
        self._floor = self._seen

    def count(self) -> int:
        """Return how many processes of the cgroup were killed for want of memory; 0 if the system has no count."""
        if self._file is None:
            return 0
        try:
            for line in self._file.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == "oom_kill":
                    return int(value)
        except (OSError, ValueError):
            pass
        return 0

    def explain(self, since: int, now: float) -> bool:
        """Return whether a death is one by the memory limit: the count has grown, and by no earlier death.

        Args:
            since: the count when the worker was started.
            now: the scheduler's time.
        """
        count = self.count()
        if now - self._seen_at > TOGETHER:
            self._floor = self._seen
        self._seen = count
        self._seen_at = now
        return count > max(since, self._floor)


def _counter(proc: Path, mounts: Path) -> Path | None:
    """Return the file that has the count; None where there is none, as on macOS."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return None
    found: list[Path] = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):  # v1, which has the controller if it is named here
            # Without a cgroup namespace the path is that of the machine outside, and the mount shows our own only.
            found = [mounts / "memory" / path.lstrip("/") / "memory.oom_control", mounts / "memory/memory.oom_control"]
            break
        if number == "0" and not controllers:
            found += [mounts / path.lstrip("/") / "memory.events", mounts / "memory.events"]
    return next((file for file in found if file.is_file()), None)
