"""Functions that the tests of executors call, in workers and here. Gates are files: see support.gates."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any, ClassVar

STATE: dict[str, Any] = {}


def add(left: Any, right: Any = 0, *, twice: bool = False) -> Any:
    return (left + right) * (2 if twice else 1)


def given(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def pid() -> int:
    return os.getpid()


def wait_at(gate: str, value: Any = None) -> Any:
    """Say that the gate was reached, and wait until it is open."""
    with open(gate + ".begun", "a") as file:
        file.write(f"{os.getpid()}\n")
    while not os.path.exists(gate):
        time.sleep(0.002)
    return value


def write(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


def kill_own() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exit_with(code: int) -> None:
    sys.exit(code)


def recurse() -> None:
    recurse()


def raise_built_in(name: str, *args: Any) -> None:
    """Raise a built-in exception; what it is made from may be made here, too."""
    raise getattr(__import__("builtins"), name)(*args)


def raise_with_object(name: str) -> None:
    raise_built_in(name, object())


def raise_large(size: int) -> None:
    raise ValueError("x" * size)


def raise_own() -> None:
    raise Own("of a class of mine")


def raise_group() -> None:
    raise ExceptionGroup("two of them", [ValueError(1), KeyError(2)])


def raise_panic() -> None:
    raise Panic("not even an Exception")


def fail_at(number: int, bad: int) -> int:
    if number == bad:
        raise ValueError(f"no {number}")
    return number


def remember(value: Any) -> None:
    STATE["value"] = value


def recall() -> Any:
    return STATE.get("value")


def make_lambda() -> Any:
    return lambda: None


def refuse_to_start(*args: Any) -> None:
    raise ValueError("no model there")


async def double_later(value: int) -> int:
    await asyncio.sleep(0)
    if value < 0:
        raise ValueError(f"negative: {value}")
    return 2 * value


async def remember_later(value: Any) -> None:
    await asyncio.sleep(0)
    remember(value)


class Own(Exception):
    pass


class Panic(BaseException):
    pass


class Counter:
    """With pickle, a method of an object."""

    kind: ClassVar[str] = "counter"

    def __init__(self, start: int) -> None:
        self.start = start

    def count(self, by: int) -> int:
        return self.start + by

    def __call__(self, by: int) -> int:
        return self.count(by) + 1000

    def remember(self) -> None:
        remember(self.start)

    @classmethod
    def named(cls, text: str) -> str:
        return f"{cls.kind} {text}"

    @staticmethod
    def plain(text: str) -> str:
        return text.upper()


class ExitsInWorker:
    """Its pickled form exits the process that loads it."""

    def __reduce__(self) -> Any:
        return exit_with, (7,)


class Unloadable:
    """Its pickled form raises in the process that loads it."""

    def __reduce__(self) -> Any:
        return refuse_to_start, ()


class Malicious:
    """A result whose pickled form would be seen in the process that loads it."""

    def __reduce__(self) -> Any:
        return remember, ("loaded",)


def malicious() -> Malicious:
    return Malicious()


def raise_malicious() -> None:
    raise ValueError(Malicious())
