"""A message to a receiver that does not handle it is a type error where it is sent."""

from __future__ import annotations

from pathlib import Path

from support.typed import check_mistakes


def test_twelve_wrong_messages_are_found() -> None:
    check_mistakes(Path(__file__).parent / "messages" / "bad_messages.py", at_least=12)
