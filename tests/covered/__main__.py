"""``python -m tests.covered [PYTEST ARGUMENTS]``: run tests under coverage, and print what they covered.

Prints the modules whose docstring says that they are pure, and the total. Ends with 1 if the total of the two packages
is below its floor, or a pure module below its own. Without arguments the tests are those below.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.architecture.imports import ROOT, dotted
from tests.architecture.pure import pure_modules

# Tests that count instructions or measure time and memory mean nothing under a tracer. Those of the interpreter's end
# need garbage that is collected at that end, and coverage collects it before, in a handler of its own.
TESTS = [
    "tests/unit",
    "tests/property",
    "tests/integration",
    "--deselect=tests/integration/test_benchmarks.py",
    "--deselect=tests/integration/dispatch/test_the_end_of_the_interpreter.py",
]

# In percent of lines and branches. To be raised with the figure, never lowered.
FLOOR = 95.0
PURE_FLOOR = 100.0

# Pure modules that are below the floor for these, with what they reach. A module that has reached it is to be removed.
BELOW: dict[str, float] = {}


def main(arguments: list[str]) -> int:
    """Run, combine, print; return the exit code."""
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)
    tests = subprocess.run([*coverage, "run", "-m", "pytest", *(arguments or TESTS)], cwd=ROOT, check=False)
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        subprocess.run([*coverage, "json", "--quiet", "-o", str(report)], cwd=ROOT, check=True)
        data = json.loads(report.read_text())
    covered = {
        dotted(ROOT / name): file["summary"]["percent_covered"]
        for name, file in data["files"].items()
        if (ROOT / name).is_relative_to(ROOT)  # not another installation that a child process found
    }
    low = False
    for module in pure_modules():
        floor = BELOW.get(module, PURE_FLOOR)
        reached = covered.get(module, 0.0)
        low |= reached < floor
        print(f"{reached:6.1f} %  {module}{'' if reached >= floor else f'  BELOW {floor}'}")
        if module in BELOW and reached >= PURE_FLOOR:
            low = True
            print(f"          {module} is to leave the list BELOW")
    total = data["totals"]["percent_covered"]
    print(f"{total:6.1f} %  in all (at least {FLOOR})")
    return int(low or total < FLOOR or tests.returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
