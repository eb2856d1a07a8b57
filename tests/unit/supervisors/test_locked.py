"""A lock that is held for one call is free afterwards, whatever interrupts the call."""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.interrupts import Bytecodes, Interrupt, forget_handled

from supervisors.runtime.interrupts import locked


def fails() -> None:
    raise ValueError("its own")


@pytest.mark.parametrize("function", [fails, int], ids=["raises", "returns"])
def test_an_interrupt_at_any_bytecode_leaves_it_free(function: Callable[[], Any]) -> None:
    lock = threading.RLock()
    interrupts = 0
    for at in itertools.count():
        codes = Bytecodes(at)
        try:
            with codes:
                locked(lock, fails)
        except (Interrupt, ValueError):
            pass
        forget_handled()
        assert not lock._is_owned(), codes.where  # type: ignore[attr-defined]
        if codes.raised is None:
            break
        interrupts += 1
    assert interrupts > 10
    assert sys.exception() is None


def test_a_lock_that_was_held_before_is_held_after() -> None:
    lock = threading.RLock()
    with lock:
        with pytest.raises(ValueError, match="its own"):
            locked(lock, fails)
        assert lock._is_owned()  # type: ignore[attr-defined]
    assert not lock._is_owned()  # type: ignore[attr-defined]
