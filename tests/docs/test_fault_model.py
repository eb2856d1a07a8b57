"""The fault model lists every fault with the tests that hold it, and these are the tests that there are."""

from __future__ import annotations

from support.fault_docs import FAULTS, PAGE, ROW, marks, page_text


def test_every_fault_has_its_row_and_its_tests() -> None:
    rows = [int(row[1]) for row in ROW.finditer(PAGE.read_text())]
    assert rows == list(FAULTS)
    found = marks()
    assert sorted(found) == list(FAULTS), "a mark of a fault that there is not, or a fault without a test"
    for number in FAULTS:
        assert any(name.startswith(("tests/faults/", "tests/chaos/")) for name in found[number]), number


def test_the_tests_that_page_names_are_those_that_are_marked() -> None:
    page = PAGE.read_text()
    assert page == page_text(page), "run: python tests/support/fault_docs.py"
