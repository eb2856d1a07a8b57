"""Posted functions as messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from supervisors.runtime.mailbox import FunctionTarget, GuaranteedCall, MailboxTarget, special_types


class Recorder:
    """A guard that calls functions, and notes what it was asked for."""

    def __init__(self) -> None:
        self.owners: list[MailboxTarget | None] = []
        self.logged: list[BaseException] = []

    def run_guarded(self, owner: MailboxTarget | None, fn: Callable[..., object], /, *args: object) -> None:
        self.owners.append(owner)
        fn(*args)

    def log_exception(self, what: str, exception: BaseException, /) -> None:
        self.logged.append(exception)


class Target(MailboxTarget):
    def __init__(self, alive: bool) -> None:
        self._alive = alive
        self.got: list[int] = []

    def take(self, number: int) -> None:
        self.got.append(number)


@pytest.fixture
def guard() -> Recorder:
    return Recorder()


def test_a_plain_function_has_no_owner(guard: Recorder) -> None:
    got: list[int] = []
    FunctionTarget(guard).on_receive((got.append, (1,)))
    assert got == [1]
    assert guard.owners == [None]


def test_a_method_belongs_to_its_target(guard: Recorder) -> None:
    target = Target(alive=True)
    FunctionTarget(guard).on_receive((target.take, (1,)))
    assert target.got == [1]
    assert guard.owners == [target]


def test_a_method_of_a_dead_target_is_not_called(guard: Recorder) -> None:
    target = Target(alive=False)
    FunctionTarget(guard).on_receive((target.take, (1,)))
    assert target.got == []
    assert guard.owners == []


def test_a_guaranteed_call_is_made_in_its_turn_and_at_the_end(guard: Recorder) -> None:
    got: list[int] = []
    functions = FunctionTarget(guard)
    functions._special(GuaranteedCall(got.append, 1))
    functions._refuse(GuaranteedCall(got.append, 2))
    assert got == [1, 2]
    assert GuaranteedCall in special_types


def test_a_failed_function_is_logged(guard: Recorder) -> None:
    error = ValueError("bad")
    FunctionTarget(guard)._crashed(error)
    assert guard.logged == [error]
