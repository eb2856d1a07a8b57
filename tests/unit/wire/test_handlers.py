"""An exception of a signal handler is distinguished from one of a value that is being encoded."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from slither_actors.wire.handlers import raised_by_handler


class SoftLimit(Exception):
    """What the handlers of these tests raise."""


def of_a_function(number: int, frame: FrameType | None) -> None:
    raise SoftLimit


def of_starred_arguments(*arguments: Any) -> None:
    raise SoftLimit


def that_lets_go_of_the_frame(number: int, frame: FrameType | None) -> None:
    del frame
    raise SoftLimit


def that_calls_another(number: int, frame: FrameType | None) -> None:
    of_a_function(number, None)


@contextmanager
def installed(handler: Callable[..., None]) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def raised(encode: Callable[[], object]) -> Exception:
    try:
        encode()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "handler", [of_a_function, of_starred_arguments, that_lets_go_of_the_frame, that_calls_another]
)
def test_an_exception_of_a_handler_is_recognized(handler: Callable[..., None]) -> None:
    with installed(handler):
        error = raised(lambda: os.kill(os.getpid(), signal.SIGUSR1))
        assert isinstance(error, SoftLimit)
        assert raised_by_handler(error)


def test_an_exception_of_a_value_is_not() -> None:
    def encode(value: object, depth: int = 3) -> None:
        if not depth:
            raise TypeError("no form on the wire")
        encode(value, depth - 1)

    with installed(of_a_function):
        assert not raised_by_handler(raised(lambda: encode(1)))


def test_an_exception_that_was_never_raised_is_not() -> None:
    assert not raised_by_handler(SoftLimit())
