"""What the pages name in code font exists: modules, classes, functions, options, events."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from architecture.imports import ROOT
from support.doc_names import class_names, is_there, missing, spans_of

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

# Names of other projects, of the standard library, of Linux and of examples.
FOREIGN = {
    "ActorDeadError",
    "Any",
    "BrokenProcessPool",
    "CancelledError",
    "Counter",
    "Decimal",
    "IntEnum",
    "OrderedDict",
    "PicklingError",
    "ProcessPoolExecutor",
    "ProcessPoolExecutor(4)",
    "PyThreadState_SetAsyncExc",
    "Slither.Dispatch",
    "User(**payload)",
    "Yes",
    "ZoneInfo",
    "async_nolink",
    "async_stream_nolink",
    "finally",
    "imap",
    "malloc_trim",
    "ptrace",
    "receive",
    "setsid",
}

# Elixir's modules, in the table of what is what here.
ELIXIR = re.compile(r"(GenServer|Process|Task)\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_on_a_page_lead_somewhere(page: Path) -> None:
    assert [span for span in missing(page, FOREIGN) if not ELIXIR.match(span)] == []


def test_each_foreign_name_is_on_a_page() -> None:
    assert {span for page in PAGES for span in spans_of(page)} >= FOREIGN


def test_each_class_of_the_glossary_exists() -> None:
    glossary = (ROOT / "docs" / "design.md").read_text().partition("## Glossary\n")[2].partition("\n## ")[0]
    terms = re.findall(r"^\| (.+?) \|", glossary, re.MULTILINE)[2:]
    classes = [name for term in terms for name in re.findall(r"`(\w+)`", term)]
    assert len(classes) > 30
    assert set(classes) <= class_names()
    assert terms == sorted(terms, key=lambda term: term.strip("`").lower())


@pytest.mark.parametrize(
    "span",
    [
        "pools/none.py",
        "slither_actors.pools.nothing",
        "Nothing",
        "System.nothing",
        "no_such_option",
        "no_such_function()",
        "slither.dispatch.nothing",
        "tests/nothing",
    ],
)
def test_a_name_that_leads_nowhere_is_found(span: str) -> None:
    assert not is_there(span)


@pytest.mark.parametrize(
    "span",
    ["pools/pool.py", "slither_actors.pools.pool.Pool", "System.drain", "max_in_flight=8", "TimeoutError", "--each"],
)
def test_a_name_that_is_there_is_not(span: str) -> None:
    assert is_there(span)
