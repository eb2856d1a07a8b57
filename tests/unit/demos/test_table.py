"""The report and its table."""

from __future__ import annotations

import itertools
import random
from typing import Any

from slither_actors.demos.report import Report
from slither_actors.demos.table import FANCY, PLAIN, WIDTH, format_table

EXPECTED = """\
A title
--------------------------------------------------------------------------------
                                      code             tests          together
  files                                  2                 1                 3
  lines                              1,003               100             1,103
  classes                                1                 0                 1
  functions                              3                 1                 4
  of them async                          1                 0                 1

Public names with a docstring
  code    modules     ############............   50 %        1 of      2
          classes     ########################  100 %        1 of      1
          functions   ########................   33 %        1 of      3
  tests   modules     ........................    0 %        0 of      1
          classes     none there
          functions   ........................    0 %        0 of      1

Longest functions
     900 lines  Engine.run                                           a/core.py:7
      80 lines  test_run                                   a/test/test_core.py:3
       1 lines  main                                                    a/b.py:1

Most imported
  sys                 ########################        3 files
  os                  ########................        1 files

Files that do not parse: 1
  a/broken.py
      SyntaxError: invalid syntax (broken.py, line 1)
"""


def found(
    lines: int, functions: int, longest: tuple[int, str, int] | None, imports: list[str], **others: Any
) -> dict[str, Any]:
    return {
        "lines": lines,
        "classes": others.get("classes", 0),
        "functions": functions,
        "coroutines": others.get("coroutines", 0),
        "public": {"modules": 1, "classes": others.get("classes", 0), "functions": functions},
        "documented": others.get("documented", {}),
        "longest": longest,
        "imports": imports,
    }


FILES = {
    "a/core.py": found(
        1000,
        2,
        (900, "Engine.run", 7),
        ["os", "sys"],
        classes=1,
        coroutines=1,
        documented={"modules": 1, "classes": 1, "functions": 1},
    ),
    "a/b.py": found(3, 1, (1, "main", 1), ["sys"]),
    "a/test/test_core.py": found(100, 1, (80, "test_run", 3), ["sys"]),
}


def report_of(names: list[str]) -> Report:
    report = Report()
    for name in names:
        report.add(name, FILES[name])
    report.add_unparsed("a/broken.py", "SyntaxError: invalid syntax (broken.py, line 1)")
    return report


def test_the_table_reads_like_this() -> None:
    assert format_table("A title", report_of(list(FILES))) == EXPECTED


def test_the_order_in_which_files_come_does_not_show() -> None:
    for names in itertools.permutations(FILES):
        assert format_table("A title", report_of(list(names))) == EXPECTED


def test_the_table_of_nothing_is_a_table() -> None:
    assert "files" in format_table("Nothing", Report())


def test_no_line_is_over_eighty_columns_and_plain_is_ascii() -> None:
    rng = random.Random(7)
    report = Report()
    for number in range(200):
        name = f"{'deep/' * rng.randrange(30)}file_{number}.py"
        longest = (rng.randrange(1, 10**6), "Class." * rng.randrange(30) + "method", 10**5)
        report.add(name, found(10**8, 10**6, longest, [f"module_{'x' * rng.randrange(60)}"]))
    for number in range(40):
        report.add_unparsed("folder/" * number + "bad.py", "SyntaxError: " + "words and more " * number)
    table = format_table("Large", report)
    assert max(len(line) for line in table.splitlines()) <= WIDTH
    assert table.isascii()
    assert "and 28 more" in table


def test_on_a_terminal_headings_are_bold_and_the_words_the_same() -> None:
    report = report_of(list(FILES))
    fancy = format_table("A title", report, FANCY)
    for shown, plain in ((FANCY.bold, ""), (FANCY.plain, ""), (FANCY.full, "#"), (FANCY.empty, "."), (FANCY.rule, "-")):
        fancy = fancy.replace(shown, plain)
    assert fancy == format_table("A title", report, PLAIN)
