"""docs/supervision.md says what the code does: its tables are made from it, its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.restart_matrix import TABLES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "supervision.md").read_text()


def examples() -> dict[str, tuple[str, str]]:
    """Each example's code and output, by the heading above it."""
    found = {}
    for section in re.split(r"^#+ ", PAGE, flags=re.MULTILINE)[1:]:
        code = re.search(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        output = re.search(r"^```text\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
        if code is not None and output is not None:
            found[section.partition("\n")[0]] = (code[1], output[1])
    return found


EXAMPLES = examples()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_the_deciding_function_gives(name: str) -> None:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == TABLES[name]()


def test_every_example_has_its_output() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == PAGE.count("```text")


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_example_prints_what_the_page_says(heading: str) -> None:
    code, output = EXAMPLES[heading]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    if heading == "Starts that take long":  # the failed start is logged
        assert "StartTimeout" in done.stderr
    elif heading != "Ending actors":  # the kill is logged
        assert done.stderr == ""
    assert done.stdout == output
