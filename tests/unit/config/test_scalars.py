"""What plain scalars stand for, and which are refused because readers disagree about them."""

from __future__ import annotations

import pytest

from supervisors.config.scalars import Ambiguous, read_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
    ],
)
def test_booleans_null_and_numbers_are_those_of_the_core_schema(text: str, value: object) -> None:
    read = read_plain(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "12:30:45",
        "190:20:30",
        "2001-12-14",
        "n",
        "y",
        "yEs",
        "inf",
        "nan",
        "1e",
        "1.2.3",
        "1e5e5",
        "-",
        "+",
        ".",
        "..",
        "a_b",
        "_1",
        "1-2",
        "0x",
        "0o8",
        "Infinity",
        "9" * 10 + "x",
        "é",
        "1_000 km",
        "-x",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert read_plain(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "ON",
        "off",
        "True",
        "TRUE",
        "False",
        "FALSE",
        "0123",
        "-07",
        "0o17",
        "0x1F",
        "0b11",
        "1_000",
        "1_0.5",
        ".inf",
        "-.Inf",
        ".nan",
        ".NAN",
        "1e999",
        "9" * 101,
    ],
)
def test_what_readers_disagree_about_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(Ambiguous, match=r"write|quotes|finite"):
        read_plain(text)
