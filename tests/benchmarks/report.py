"""The figures as tables in Markdown, ready to be pasted into a page; in JSON; and as lines for who waits. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .figures import IMAP, IN_PROCESS, RAW, Book, Figures, Spread
from .goal_types import DECIMALS, Judged
from .settings import Settings

Row = Sequence[str]

FORMATS = {"s": 3, "ms": 2, "us": 0, "MB": 1, "1/s": 0, "share": 3}
"""Decimals by unit."""
TIME = "time"
WHOSE = {IMAP: f"{IMAP}'s", RAW: f"the {RAW}'s"}
REACHED = {True: "yes", False: "no", None: "not measured"}


def markdown(book: Book, machine: Mapping[str, Any], goals: Sequence[Judged] = (), scale: float = 1.0) -> str:
    """All tables of a run.

    Args:
        book: its figures.
        machine: as `machine.describe` has it.
        goals: judged; none: no table of them.
        scale: of the run; other than 1, the tables say that these are not the workloads.
    """
    parts = [_preamble(book, machine, scale)]
    throughput = [figures for figures in book.all if figures.measure == TIME and IN_PROCESS in figures.values]
    if throughput:
        parts += _throughput(throughput)
    for group in _groups([figures for figures in book.all if figures not in throughput]):
        parts += _group(group)
    if goals:
        rows = [_goal(judged) for judged in goals]
        parts.append("### Goals\n\n" + table(["", "goal", "figure", "reached"], rows, numbers=False))
    return "\n\n".join(parts) + "\n"


def json_text(
    book: Book, machine: Mapping[str, Any], goals: Sequence[Judged], settings: Settings, failed: Mapping[str, str]
) -> str:
    """Everything, down to the values of each round."""
    told = {
        "machine": machine,
        "settings": asdict(settings),
        "figures": [figures.told() for figures in book.all],
        "goals": [
            {
                "workload": judged.goal.workload,
                "what": judged.goal.what,
                "sense": judged.goal.sense,
                "limit": judged.goal.limit,
                "unit": judged.goal.unit,
                "figure": judged.finding.figure if judged.finding is not None else None,
                "of": judged.finding.of if judged.finding is not None else "",
                "reached": judged.reached,
            }
            for judged in goals
        ],
        "failed": failed,
    }
    return json.dumps(told, indent=1) + "\n"


def lines(figures: Figures) -> str:
    """The figures in a few words, a line for each contender."""
    told = [f"{figures.workload}  {figures.title}: {_head(figures)}"]
    width = max(map(len, [*figures.values, *figures.skipped]))
    for name in figures.values:
        to = figures.reference
        times = f"  {_ratio(figures.ratio(name, to))} of {to}" if to is not None and name != to else ""
        told.append(f"   {name:{width}} {cell(figures.spread(name), FORMATS[figures.unit])}{times}")
    told += [f"   {name:{width}} {why}" for name, why in figures.skipped.items()]
    return "\n".join(told)


def table(head: Row, rows: Sequence[Row], *, numbers: bool = True) -> str:
    """A table in Markdown; all columns but the first to the right if they hold `numbers`."""
    marks = ["---", *["---:" if numbers else "---"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, marks, *rows))


def cell(spread: Spread, decimals: int) -> str:
    """The median, with the lowest and the highest in brackets."""
    return f"{spread.median:.{decimals}f} ({spread.low:.{decimals}f} to {spread.high:.{decimals}f})"


def _ratio(spread: Spread) -> str:
    return cell(spread, DECIMALS[""])


def _preamble(book: Book, machine: Mapping[str, Any], scale: float) -> str:
    load = ", ".join(f"{load:.2f}" for load in machine["load"])
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rounds = sorted({figures.rounds for figures in book.all})
    told = [
        f"{machine['cpus']} CPUs ({machine['cpu']}), {machine['platform']}, {machine['python']}; {versions}.",
        f"Load average at the start: {load}.",
    ]
    if rounds:
        told.append(f"Medians of {' or '.join(map(str, rounds))} rounds, with the lowest and the highest in brackets.")
    if scale != 1:
        told.append(f"**Scaled by {scale:g}: these are not the workloads, and say nothing about the goals.**")
    return "\n".join(told)


def _throughput(all_figures: Sequence[Figures]) -> list[str]:
    """Workloads side by side: contenders in rows."""
    names = list(dict.fromkeys(name for figures in all_figures for name in figures.values))
    head = ["", *(figures.workload for figures in all_figures)]
    seconds = [[name, *(_cell_of(figures, name) for figures in all_figures)] for name in names]
    legend = "\n".join(f"- {figures.workload}: {figures.title}" for figures in all_figures)
    parts = [f"### Time of all results, two workers\n\n{legend}"]
    for to in (IMAP, RAW):
        rows = [
            [name, *(_ratio_of(figures, name, to) for figures in all_figures)]
            for name in names
            if name not in (to, IN_PROCESS)
        ]
        if any(any(row[1:]) for row in rows):
            what = f"As a multiple of {WHOSE[to]} time in the same round; less is better:"
            parts.append(f"{what}\n\n{table(head, rows)}")
    parts.append(f"In seconds:\n\n{table(head, seconds)}")
    skipped = {name: why for figures in all_figures for name, why in figures.skipped.items()}
    if skipped:
        parts.append("Without " + ", ".join(f"{name} ({why})" for name, why in skipped.items()) + ".")
    return parts


def _groups(all_figures: Sequence[Figures]) -> list[list[Figures]]:
    """Figures of the same workload and the same cases belong into one table."""
    groups: dict[Any, list[Figures]] = {}
    for figures in all_figures:
        groups.setdefault((figures.workload, figures.title, *figures.values), []).append(figures)
    return list(groups.values())


def _group(group: Sequence[Figures]) -> list[str]:
    first = group[0]
    head = [""]
    rows = [[name] for name in first.values]
    for figures in group:
        head.append(_head(figures))
        for row in rows:
            row.append(_cell_of(figures, row[0]))
        to = figures.reference
        if to is not None:
            head.append(f"of {to}'s")
            for row in rows:
                row.append(_ratio(figures.ratio(row[0], to)) if row[0] != to else "")
    parts = [f"### {first.workload}: {first.title}", table(head, rows)]
    notes = list(dict.fromkeys(figures.note for figures in group if figures.note))
    if first.skipped:
        notes.append("Without " + ", ".join(f"{name} ({why})" for name, why in first.skipped.items()) + ".")
    if notes:
        parts.append("\n".join(notes))
    return parts


def _head(figures: Figures) -> str:
    unit = "" if figures.unit == "share" else f" ({figures.unit})"
    return f"{figures.measure}{unit}"


def _cell_of(figures: Figures, name: str) -> str:
    return cell(figures.spread(name), FORMATS[figures.unit]) if name in figures.values else ""


def _ratio_of(figures: Figures, name: str, to: str) -> str:
    return _ratio(figures.ratio(name, to)) if name in figures.values and to in figures.values else ""


def _goal(judged: Judged) -> Row:
    goal, finding = judged.goal, judged.finding
    unit = f" {goal.unit}" if goal.unit not in ("", "share") else ""
    what = f"{goal.what} {goal.sense} {goal.limit:g}{unit}"
    if finding is None:
        return [goal.workload, what, "", REACHED[None]]
    of = f" ({finding.of})" if finding.of else ""
    return [goal.workload, what, f"{finding.figure:.{DECIMALS[goal.unit]}f}{unit}{of}", REACHED[judged.reached]]
