"""What a type checker says of the public names of `supervisors`."""

from __future__ import annotations

from pathlib import Path

from support.typed import check_mistakes, errors

CODE = Path(__file__).parent / "supervisors"


def test_right_uses_have_no_error() -> None:
    assert errors(CODE)["good.py"] == {}


def test_each_wrong_use_is_found_at_its_line() -> None:
    check_mistakes(CODE / "bad_uses.py", at_least=14)
