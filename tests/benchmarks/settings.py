"""What a run of the benchmark is asked to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .figures import IMAP, IN_PROCESS, RAW


@dataclass(frozen=True, slots=True)
class Settings:
    """For one workload.

    Args:
        rounds: that count.
        peers: other pools that take part, where the workload has them.
        scale: of the number of payloads and the like; only at 1 are the figures those of the workload.
    """

    rounds: int
    peers: tuple[str, ...]
    scale: float = 1.0

    def scaled(self, count: int, least: int = 1) -> int:
        """So many of something."""
        return max(least, round(count * self.scale))

    def among(self, peers: Iterable[str]) -> list[str]:
        """Those of these peers that are wanted."""
        return [name for name in peers if name in self.peers]

    def arguments(self) -> list[str]:
        """Themselves on the command line."""
        return ["--rounds", str(self.rounds), "--peers", ",".join(self.peers), "--scale", repr(self.scale)]

    @property
    def with_floors(self) -> list[str]:
        """All peers that are wanted, and the floors."""
        return [*self.peers, RAW, IN_PROCESS]


FEW = (IMAP, "ProcessPoolExecutor", "mpire")
"""Peers of the workloads in which workers only take their time: others say nothing more, and take theirs, too."""
