"""The table of a worker's life in docs/design.md: ``python tests/support/lifecycle_docs.py`` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from slither_actors.pools.worker.lifecycle import MEANINGS, TRANSITIONS, State

PAGE = Path(__file__).parents[2] / "docs" / "design.md"
PLACE = re.compile(r"(<!-- lifecycle -->\n)(.*?)(<!-- /lifecycle -->)", re.DOTALL)


def table() -> str:
    """Return the states with their meaning, and the events that lead to other states."""
    rows = ["| state | meaning | what leads on |", "|---|---|---|"]
    for state in State:
        steps = [f"{event.value}: {after.value}" for (before, event), after in TRANSITIONS.items() if before is state]
        rows.append(f"| {state.value} | {MEANINGS[state]} | {'; '.join(steps)} |")
    return "\n".join(rows) + "\n"


def page_text(page: str) -> str:
    """Return the page with the table as the code has it."""
    return PLACE.sub(lambda found: found[1] + table() + found[3], page)


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text()))
