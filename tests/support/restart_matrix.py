"""The tables of docs/supervision.md, made from the pure function that decides restarts.

python -m tests.docs.restart_matrix      prints them
"""

from __future__ import annotations

from supervisors.exits import Crashed, ExitReason, Killed, Normal, Shutdown
from supervisors.supervision.restart_policy import ChildView, Decision, after_exit

REASONS: dict[str, ExitReason] = {
    "Normal": Normal(),
    "Shutdown": Shutdown(),
    "Crashed": Crashed(RuntimeError()),
    "Killed": Killed(),
}
RESTARTS = ("permanent", "transient", "temporary")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
AUTO = ("never", "any_significant", "all_significant")


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join([_row(head), _row(["---"] * len(head)), *map(_row, rows)])


def restarts() -> str:
    """Restart type by exit reason."""

    def cell(restart: str, reason: ExitReason) -> str:
        decision = after_exit("one_for_one", "never", [ChildView("b", restart)], "b", reason)  # type: ignore[arg-type]
        if decision.restart:
            return "restarted"
        return "not restarted, its spec is deleted" if decision.drop else "not restarted"

    rows = [[f"`{restart}`", *(cell(restart, reason) for reason in REASONS.values())] for restart in RESTARTS]
    return _table(["restart", *REASONS], rows)


def strategies() -> str:
    """What a restart of b takes, of the children a, b, c, d, where c is temporary."""
    children = [ChildView("a"), ChildView("b"), ChildView("c", "temporary"), ChildView("d", "transient")]

    def names(ids: tuple[object, ...]) -> str:
        return ", ".join(map(str, ids)) or "none"

    rows = []
    for strategy in STRATEGIES:
        decision: Decision = after_exit(strategy, "never", children, "b", REASONS["Crashed"])  # type: ignore[arg-type]
        rows.append([f"`{strategy}`", names(decision.stop), names(decision.start), names(decision.drop)])
    return _table(["strategy", "stopped, in this order", "started, in this order", "specs deleted"], rows)


def auto_shutdown() -> str:
    """Whether the supervisor ends as a significant child ends, with another significant one running or not."""
    rows = []
    for auto in AUTO:
        cells = [f"`{auto}`"]
        for other_runs in (True, False):
            for name in ("Normal", "Crashed"):
                children = [
                    ChildView("b", "transient", auto != "never"),
                    ChildView("c", "transient", auto != "never", other_runs),
                ]
                decision = after_exit("one_for_one", auto, children, "b", REASONS[name])  # type: ignore[arg-type]
                cells.append("ends" if decision.shutdown else "restarts it" if decision.restart else "goes on")
        rows.append(cells)
    head = [
        "auto_shutdown",
        "Normal, another runs",
        "Crashed, another runs",
        "Normal, the last one",
        "Crashed, the last one",
    ]
    return _table(head, rows)


TABLES = {"restarts": restarts, "strategies": strategies, "auto_shutdown": auto_shutdown}


def main() -> None:
    """Print them between the marks that the page has."""
    for name, table in TABLES.items():
        print(f"<!-- {name} -->\n{table()}\n<!-- end -->\n")


if __name__ == "__main__":
    main()
