"""The fault model's table of tests, from the marks on the tests: ``python tests/support/fault_docs.py`` rewrites it.

In docs/fault-model.md each row of the table of faults begins with the fault's number and ends with the files whose
tests are marked with it, ``@pytest.mark.fault(N)``.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "fault-model.md"
FAULTS = range(1, 32)

# | 7 | ... | what the last cell says |
ROW = re.compile(r"^\| (\d+) \|(.*)\|([^|]*)\|$", re.MULTILINE)


def marks() -> dict[int, dict[str, int]]:
    """For each fault, the test files (from the root) with how many of their tests are marked with it."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        module = ast.parse(path.read_text())
        whole = [number for node in module.body if _is_pytestmark(node) for number in _numbers(node)]
        for test in _tests(module):
            for number in {*whole, *(number for mark in test.decorator_list for number in _numbers(mark))}:
                name = path.relative_to(ROOT).as_posix()
                found[number][name] = found[number].get(name, 0) + 1
    return found


def page_text(page: str) -> str:
    """The page with the last cell of each row as the marks have it."""
    found = marks()
    return ROW.sub(lambda row: f"| {row[1]} |{row[2]}| {_cell(found.get(int(row[1]), {}))} |", page)


def _cell(files: dict[str, int]) -> str:
    return ", ".join(f"[{Path(name).name}](../{name}) ({count})" for name, count in files.items())


def _tests(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(module)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    ]


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets)


def _numbers(node: ast.AST) -> list[int]:
    return [
        argument.value
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("pytest.mark.fault", "mark.fault")
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int)
    ]


if __name__ == "__main__":
    PAGE.write_text(page_text(PAGE.read_text()))
