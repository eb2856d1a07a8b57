"""The figures of a load of single requests."""

from __future__ import annotations

from .figures import PPE, Figures, at
from .request_load import HOST_CPU, Load


def load_figures(
    workload: str, title: str, callers: str, loads: dict[str, list[Load]], skipped: dict[str, str]
) -> list[Figures]:
    """Four measures of the same load.

    Args:
        workload: its letter.
        title: of their table.
        callers: how many, as part of the measures' names; "" where there is only one number of them.
        loads: by contender, one a round.
        skipped: who did not take part, and why.
    """

    def figures(measure: str, unit: str, take: str, note: str = "", to: str = PPE) -> Figures:
        values = {name: [getattr(load, take) for load in each] for name, each in loads.items()}
        return Figures(workload, at(measure, callers) if callers else measure, title, unit, values, skipped, note, to)

    return [
        figures("requests", "1/s", "rate"),
        figures("p50", "ms", "half", to=""),
        figures("p99", "ms", "most"),
        figures("host CPU", "us", "cpu", HOST_CPU),
    ]
