"""Each counter of a run's ledger is written by the one part that its documentation names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from slither_actors.runs.ledger import Ledger

ROOT = Path(__file__).parents[2]
PARTS = {
    "the Batcher": {"runs/input/batcher.py"},
    "the batch book": {"runs/batch_book.py", "runs/collector.py"},  # which ends it, on the same thread
    "the consumer": {
        "runs/run.py",
        "runs/output/consumer.py",
        "runs/output/gather.py",
        "runs/output/stream.py",
        "runs/output/async_stream.py",
        "runs/output/unreadable.py",
    },
}


def writes() -> dict[str, set[str]]:
    """For each counter, the files of the package that assign to it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "slither_actors").rglob("*.py"):
        name = path.relative_to(ROOT / "slither_actors").as_posix()
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AugAssign):
                targets = [node.target]
            for target in targets:
                if isinstance(target, ast.Attribute) and "ledger" in ast.unparse(target.value):
                    found[target.attr].add(name)
    return found


def test_each_counter_has_the_writer_that_is_documented() -> None:
    text = Ledger.__doc__ or ""
    entries = re.split(r"\n(?= {8}\w+: )", text)
    documented = {}
    for entry in entries:
        match = re.search(r"^ {8}(\w+): .*Writer: ([a-zA-Z ]+)", entry, re.DOTALL)
        if match:
            documented[match[1]] = match[2].strip()
    assert set(documented) == set(Ledger.__slots__)
    found = writes()
    assert set(found) == set(Ledger.__slots__)
    for counter, files in found.items():
        assert files <= PARTS[documented[counter]], (counter, documented[counter], files)
