"""The tables."""

from __future__ import annotations

import json

from benchmarks.figures import BOUND, IMAP, IN_PROCESS, OURS, PPE, RAW, Book, Figures, Spread
from benchmarks.goals import judge
from benchmarks.report import cell, json_text, lines, markdown, table
from benchmarks.settings import Settings

MACHINE = {
    "cpus": 2,
    "cpu": "a processor",
    "python": "CPython 3.11.7",
    "platform": "Linux 6 x86_64",
    "versions": {"slither-actors": "0.1.0", "loky": "3.7.0"},
    "load": [0.5, 1.0, 2.25],
}
A = Figures(
    "A",
    "time",
    "ints",
    "s",
    {OURS: [0.09, 0.12, 0.06], IMAP: [0.1, 0.1, 0.1], RAW: [0.03, 0.06, 0.03], IN_PROCESS: [0.01, 0.01, 0.01]},
    {"loky": "not installed"},
)
D = Figures("D", "time", "bytes", "s", {OURS: [0.5] * 3, IMAP: [1.0] * 3, IN_PROCESS: [0.0] * 3})
G_TIME = Figures("G", "time", "computing", "s", {OURS: [2.0], IMAP: [4.0]}, note="A note.")
G_SHARE = Figures("G", "efficiency", "computing", "share", {OURS: [0.975], IMAP: [0.95]}, note="A note.")

EXPECTED = """\
2 CPUs (a processor), Linux 6 x86_64, CPython 3.11.7; slither-actors 0.1.0, loky 3.7.0.
Load average at the start: 0.50, 1.00, 2.25.
Medians of 1 or 3 rounds, with the lowest and the highest in brackets.

### Time of all results, two workers

- A: ints
- D: bytes

As a multiple of imap's time in the same round; less is better:

|  | A | D |
| --- | ---: | ---: |
| slither-actors | 0.90 (0.60 to 1.20) | 0.50 (0.50 to 0.50) |
| raw loop | 0.30 (0.30 to 0.60) |  |

As a multiple of the raw loop's time in the same round; less is better:

|  | A | D |
| --- | ---: | ---: |
| slither-actors | 2.00 (2.00 to 3.00) |  |
| imap | 3.33 (1.67 to 3.33) |  |

In seconds:

|  | A | D |
| --- | ---: | ---: |
| slither-actors | 0.090 (0.060 to 0.120) | 0.500 (0.500 to 0.500) |
| imap | 0.100 (0.100 to 0.100) | 1.000 (1.000 to 1.000) |
| raw loop | 0.030 (0.030 to 0.060) |  |
| in process | 0.010 (0.010 to 0.010) | 0.000 (0.000 to 0.000) |

Without loky (not installed).

### G: computing

|  | time (s) | of imap's | efficiency |
| --- | ---: | ---: | ---: |
| slither-actors | 2.000 (2.000 to 2.000) | 0.50 (0.50 to 0.50) | 0.975 (0.975 to 0.975) |
| imap | 4.000 (4.000 to 4.000) |  | 0.950 (0.950 to 0.950) |

A note.
"""


def test_the_tables_are_throughput_and_one_for_each_other() -> None:
    assert markdown(Book([A, D, G_TIME, G_SHARE]), MACHINE) == EXPECTED


def test_goals_come_last_with_figure_and_verdict() -> None:
    book = Book([D, G_SHARE])
    last = markdown(book, MACHINE, judge(book)).split("### Goals\n\n")[1]
    assert last == (
        "|  | goal | figure | reached |\n"
        "| --- | --- | --- | --- |\n"
        "| D | time, as a multiple of imap's at most 0.5 | 0.50 | yes |\n"
        "| D | time, as a multiple of the best other peer's below 1 |  | not measured |\n"
        "| D | time, as a multiple of the raw loop's at most 1.2 |  | not measured |\n"
        "| G | efficiency at least 0.97 | 0.975 | yes |\n"
    )


def test_a_scaled_run_says_that_it_is_one() -> None:
    assert "Scaled by 0.1: these are not the workloads" in markdown(Book([A]), MACHINE, scale=0.1)


def test_a_run_in_which_everything_failed_says_where() -> None:
    assert markdown(Book([]), MACHINE).startswith("2 CPUs")


def test_a_cell_is_the_median_with_the_range_in_brackets() -> None:
    assert cell(Spread(1.0, 0.5, 2.0), 2) == "1.00 (0.50 to 2.00)"


def test_a_table_has_its_numbers_to_the_right() -> None:
    assert table(["", "x"], [["a", "1"]]) == "|  | x |\n| --- | ---: |\n| a | 1 |"


def test_lines_have_ratios_to_imap_and_the_missing_peers() -> None:
    assert lines(A).splitlines() == [
        "A  ints: time (s)",
        "   slither-actors 0.090 (0.060 to 0.120)  0.90 (0.60 to 1.20) of imap",
        "   imap           0.100 (0.100 to 0.100)",
        "   raw loop       0.030 (0.030 to 0.060)  0.30 (0.30 to 0.60) of imap",
        "   in process     0.010 (0.010 to 0.010)  0.10 (0.10 to 0.10) of imap",
        "   loky           not installed",
    ]
    assert lines(G_SHARE).splitlines()[1] == "   slither-actors 0.975 (0.975 to 0.975)"


def test_the_json_has_the_values_of_each_round_and_the_goals() -> None:
    book = Book([A])
    told = json.loads(json_text(book, MACHINE, judge(book), Settings(3, (IMAP,)), {"B": "did not end"}))
    assert told["machine"] == MACHINE
    assert told["settings"] == {"rounds": 3, "peers": [IMAP], "scale": 1.0}
    assert told["figures"][0]["values"][OURS] == [0.09, 0.12, 0.06]
    assert [(goal["workload"], goal["limit"], goal["reached"]) for goal in told["goals"]] == [
        ("A", 0.9, True),
        ("A", 1.0, None),
        ("A", 1.5, False),
    ]
    assert told["failed"] == {"B": "did not end"}


def test_figures_are_shown_as_multiples_of_their_reference() -> None:
    rates = Figures("N", "requests", "single requests", "1/s", {PPE: [10.0], BOUND: [85.0]}, to=PPE)
    text = markdown(Book([rates]), MACHINE)
    assert f"|  | requests (1/s) | of {PPE}'s |" in text
    assert f"| {BOUND} | 85 (85 to 85) | 8.50 (8.50 to 8.50) |" in text
    assert f"{BOUND:20} 85 (85 to 85)  8.50 (8.50 to 8.50) of {PPE}" in lines(rates)
    assert rates.told()["ratios"][PPE][BOUND]["median"] == 8.5
