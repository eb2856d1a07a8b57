"""Any bytes are a tree or a ConfigError, nothing else, and soon."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from slither_actors.config import SYSTEM
from supervisors import loader
from supervisors.config import TREE
from supervisors.findings import Findings
from supervisors.formats import Format
from supervisors.loader import Node, parse_document
from supervisors.problems import ConfigError, Place
from supervisors.validation import validate

EXAMPLE = (Path(__file__).parents[3] / "docs/examples/service/slither.yaml").read_text()
PARSERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]

# Pieces that mean something to YAML or to us, in any order: nearer to the edges than random bytes are.
PIECES = st.sampled_from(
    ["a", "b: ", ": ", "- ", "? ", "[", "]", "{", "}", ", ", "\n", "\n  ", "\n    ", "&x ", "*x ", "<<: ", "!t ",
     "!!str ", "'", '"', "|\n", ">-\n", "#", "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x\n",
     "no", "0x1", "1_0", ".nan", "1e999",
     "\t", "\r", "\\", "\x00", "\x85", "\ufeff", "\U0001f600", "9" * 5000, "kind: actor\n", "children:\n", "pools:\n"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    """The example with a few cuts and insertions."""
    text = EXAMPLE
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(PIECES) + text[at + draw(st.integers(0, 30)) :]
    return text


DATA = st.one_of(st.binary(max_size=200), TEXTS, mutations(), st.text(max_size=100))


def well_formed(node: Node) -> bool:
    if isinstance(node.value, dict):
        return set(node.keys) == set(node.value) and all(map(well_formed, node.value.values()))
    if isinstance(node.value, list):
        return all(map(well_formed, node.value))
    return node.value is None or type(node.value) in (str, int, float, bool)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: str(parser.__name__))
@settings(max_examples=600, deadline=5000)
@given(data=DATA)
def test_any_bytes_are_a_tree_or_a_config_error(parser: object, data: str | bytes) -> None:
    before, loader._LOADER = loader._LOADER, parser
    lines: list[str] = []
    root = Node(None, Place(1, 1))
    try:
        root = parse_document(data).root
    except ConfigError as error:
        lines = error.lines() or ["an error that says nothing\n"]
    finally:
        loader._LOADER = before
    assert not any("\n" in line for line in lines)
    assert well_formed(root)


@settings(max_examples=400, deadline=5000)
@given(data=st.one_of(TEXTS, mutations()), form=st.sampled_from([SYSTEM, TREE]))
def test_any_tree_is_checked_without_another_error(data: str, form: Format) -> None:
    document, problems = loader._scan(data, "<text>", None)
    if document is not None:
        findings = Findings(document, problems)
        validate(findings, form.schema)
        form.check(findings.root)
        for problem in findings.problems:
            assert problem.place is not None
            assert "\n" not in str(problem)
        if not findings.problems:
            assert str(form.outline(document.root.plain()))
