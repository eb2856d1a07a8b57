"""Any bytes are what an entry point promises or its one error, and nothing else: by inputs that hypothesis makes up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from fuzz import strategies, targets
from fuzz.seeds import CORPUS, ROOT

EXAMPLES = [file.read_text() for file in sorted((ROOT / "docs").rglob("*.yaml"))]
# Generous: it is against what does not end. The bounds themselves are in test_bounds.py.
DEADLINE = 5000


@settings(max_examples=150, deadline=DEADLINE)
@given(strategies.frames_input)
def test_any_bytes_are_frames_or_a_protocol_error(data: bytes) -> None:
    targets.frames(data)


@settings(max_examples=400, deadline=DEADLINE)
@given(strategies.codec_input)
def test_any_bytes_are_a_value_or_a_decode_error(data: bytes) -> None:
    targets.codec(data)


@settings(max_examples=300, deadline=DEADLINE)
@given(strategies.messages_input)
def test_any_bytes_are_a_message_or_an_error_of_the_wire(data: bytes) -> None:
    targets.messages(data)


@settings(max_examples=250, deadline=DEADLINE)
@given(strategies.yaml_input(EXAMPLES))
def test_any_bytes_are_a_checked_tree_or_a_config_error(data: bytes) -> None:
    targets.yaml(data)


@pytest.mark.parametrize("target", CORPUS)
def test_what_coverage_guided_fuzzer_begins_with_keeps_promises(target: str) -> None:
    seeds = list(CORPUS[target]())
    assert len(seeds) >= 10
    for data in seeds:
        targets.TARGETS[target](data)
