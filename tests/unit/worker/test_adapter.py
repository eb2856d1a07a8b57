"""Adapters, commands and session stores, without a process."""

from __future__ import annotations

from typing import Any

import pytest

from slither_actors.worker import Adapter, command, session
from slither_actors.worker.adapter import commands_of
from slither_actors.worker.exception_record import failure_of, shortened
from slither_actors.worker.state import SessionStores


class Base(Adapter):
    @command
    def plain(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    @command("by-name")
    def named(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    @command()
    def empty_parentheses(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    def helper(self) -> None: ...


def test_marked_methods_are_commands_and_others_are_not() -> None:
    assert commands_of(Base) == {"by-name": "named", "empty_parentheses": "empty_parentheses", "plain": "plain"}


def test_commands_are_inherited() -> None:
    class Derived(Base):
        @command
        def more(self, request: dict[str, Any]) -> dict[str, Any]:
            return request

    assert set(commands_of(Derived)) == {"by-name", "empty_parentheses", "more", "plain"}


def test_two_commands_of_one_name_are_refused() -> None:
    class Twice(Base):
        @command("plain")
        def other(self, request: dict[str, Any]) -> dict[str, Any]:
            return request

    with pytest.raises(ValueError, match="two commands 'plain'"):
        commands_of(Twice)


@pytest.mark.parametrize("wrong", ["", 7])
def test_a_command_takes_a_method_or_a_name(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        command(wrong)


def test_stores_are_made_on_first_touch_and_evicted_by_age() -> None:
    sessions = SessionStores(limit=2)
    for session_id in ("a", "b"):
        sessions.begin(session_id)
        assert len(sessions) == (0 if session_id == "a" else 1)
        sessions.store()["id"] = session_id
    sessions.begin("a")
    assert sessions.store() == {"id": "a"}
    sessions.begin("c")
    sessions.store()
    sessions.begin("a")
    assert sessions.store() == {"id": "a"}
    sessions.begin("b")
    assert sessions.store() == {}
    sessions.forget("b")
    sessions.forget("never there")


def test_outside_a_worker_there_is_a_store_all_the_same() -> None:
    session()["x"] = 1
    assert session() == {"x": 1}
    session().clear()


def test_shortened_text_keeps_both_ends_and_its_limit_in_bytes() -> None:
    assert shortened("abc", 10) == "abc"
    text = "begin" + "ü" * 1000 + "end"
    short = shortened(text, 200)
    assert (short[:5], short[-3:]) == ("begin", "end")
    assert len(short.encode()) <= 200
    assert shortened("\udc00", 100) == "\\udc00"


class Strange(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


def test_the_strangest_exceptions_become_failures() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

        __repr__ = __str__

    class Foreign(Exception, metaclass=Strange): ...

    found = failure_of(Unprintable(), "user")
    assert "Unprintable" in found.type
    assert "KeyboardInterrupt" in found.message
    assert failure_of(Foreign("text"), "user").type == "Foreign"
    group = ExceptionGroup("two", [ValueError("one"), Unprintable()])
    assert failure_of(group, "user").message == "two (2 sub-exceptions)"


def test_a_traceback_that_shows_no_place_is_none() -> None:
    class Silent(Exception): ...

    assert failure_of(ValueError("text"), "user").traceback == ""
    assert failure_of(Silent(), "user").traceback == ""
    noted = ValueError("text")
    noted.add_note("and why")
    assert failure_of(noted, "user").traceback == "ValueError: text\nand why\n"
    chained = ValueError("text")
    chained.__cause__ = KeyError("it")
    assert "direct cause" in failure_of(chained, "user").traceback


def test_a_long_chain_of_causes_is_cut() -> None:
    error: Exception = ValueError("first")
    for n in range(300):
        error, cause = ValueError("x" * 1000 + str(n)), error
        error.__cause__ = cause
    assert len(failure_of(error, "user").traceback) <= 32 * 1024
