"""docs/supervision.md says what the code does: its tables are made from it, its example runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.restart_matrix import TABLES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "supervision.md").read_text()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_the_deciding_function_gives(name: str) -> None:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == TABLES[name]()


def test_the_example_prints_what_the_page_says() -> None:
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    said = re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert code is not None
    assert said is not None
    done = subprocess.run([sys.executable, "-c", code[1]], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == (said[1], "")
