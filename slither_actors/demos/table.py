"""The demonstration's table: 80 columns of plain text; on a terminal with bold headings and bars of blocks."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from slither_actors.demos.report import KINDS, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slither_actors.demos.report import Report

WIDTH = 80

_PLACE = 40
_IMPORTED = 8
_BAR = 24
_UNPARSED_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Style:
    """How headings and bars look."""

    bold: str = ""
    plain: str = ""
    full: str = "#"
    empty: str = "."
    rule: str = "-"


PLAIN = Style()
FANCY = Style(
    bold="\x1b[1m",
    plain="\x1b[0m",
    full="\N{FULL BLOCK}",
    empty="\N{LIGHT SHADE}",
    rule="\N{BOX DRAWINGS LIGHT HORIZONTAL}",
)


def format_table(title: str, report: Report, style: Style = PLAIN) -> str:
    """Return the whole table.

    Args:
        title: the first line.
        report: what was found.
        style: `PLAIN` for files and pipes, `FANCY` for terminals.
    """
    lines = [f"{style.bold}{title}{style.plain}", style.rule * WIDTH]
    lines += _counts(report, style)
    lines += _cover(report, style)
    lines += _longest(report, style)
    lines += _imported(report, style)
    lines += _unparsed(report, style)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _counts(report: Report, style: Style) -> Iterator[str]:
    yield f"{style.bold}{'':24}{'code':>18}{'tests':>18}{'together':>18}{style.plain}"
    rows = {
        "files": attrgetter("files"),
        "lines": attrgetter("lines"),
        "classes": attrgetter("classes"),
        "functions": attrgetter("functions"),
        "of them async": attrgetter("coroutines"),
    }
    for name, count in rows.items():
        code, tests = count(report.code), count(report.tests)
        yield f"  {name:22}{code:>18,}{tests:>18,}{code + tests:>18,}"


def _cover(report: Report, style: Style) -> Iterator[str]:
    yield from _heading("Public names with a docstring", style)
    for label, totals in (("code", report.code), ("tests", report.tests)):
        for kind in KINDS:
            yield f"  {label if kind == KINDS[0] else '':8}{kind:12}{_share(totals, kind, style)}"


def _share(totals: Totals, kind: str, style: Style) -> str:
    cover = totals.cover(kind)
    if cover is None:
        return "none there"
    # Rounded down: a bar is full when nothing is missing.
    bar = _bar(int(cover * _BAR), style)
    return f"{bar} {int(cover * 100):>4} %   {totals.documented[kind]:>6,} of {totals.public[kind]:>6,}"


def _longest(report: Report, style: Style) -> Iterator[str]:
    if report.longest:
        yield from _heading("Longest functions", style)
    for function in report.longest:
        head = f"  {function.lines:>6,} lines  "
        place = _shortened(f"{function.file}:{function.line}", _PLACE)
        room = WIDTH - len(head) - len(place)
        yield f"{head}{_shortened(function.name, room - 2):{room}}{place}"


def _imported(report: Report, style: Style) -> Iterator[str]:
    most = sorted(report.imported.items(), key=lambda entry: (-entry[1], entry[0]))[:_IMPORTED]
    if most:
        yield from _heading("Most imported", style)
    for name, files in most:
        yield f"  {_shortened(name, 20):20}{_bar(round(_BAR * files / most[0][1]), style)}   {files:>6,} files"


def _unparsed(report: Report, style: Style) -> Iterator[str]:
    if not report.unparsed:
        return
    yield from _heading(f"Files that do not parse: {len(report.unparsed):,}", style)
    for file, reason in sorted(report.unparsed)[:_UNPARSED_SHOWN]:
        yield f"  {_shortened(file, WIDTH - 2)}"
        yield from textwrap.wrap(reason, WIDTH, initial_indent="      ", subsequent_indent="      ", max_lines=2)
    if len(report.unparsed) > _UNPARSED_SHOWN:
        yield f"  and {len(report.unparsed) - _UNPARSED_SHOWN:,} more"


def _heading(text: str, style: Style) -> Iterator[str]:
    yield ""
    yield f"{style.bold}{text}{style.plain}"


def _bar(filled: int, style: Style) -> str:
    return style.full * filled + style.empty * (_BAR - filled)


def _shortened(text: str, width: int) -> str:
    """Return the end of `text` where it does not fit: the informative part of a path or a dotted name."""
    return text if len(text) <= width else f"...{text[len(text) - max(width, 8) + 3 :]}"
