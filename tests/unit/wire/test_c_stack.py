"""How much C stack a thread is reckoned to have, and which values are too deep for it."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Any

import pytest

from slither_actors.wire import c_stack
from slither_actors.wire.c_stack import Room, c_stack_size
from slither_actors.wire.extension_codes import MAX_NESTING

KIB = 1024
MIB = 1024 * KIB


def of_size(size: int, monkeypatch: pytest.MonkeyPatch) -> Room:
    monkeypatch.setattr(c_stack, "c_stack_size", lambda: size)
    return Room()


def in_a_thread(stack: int, function: Any) -> Any:
    found: list[Any] = []
    before = threading.stack_size(stack)
    try:
        thread = threading.Thread(target=lambda: found.append(function()))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return found[0]


def nested(levels: int, wrap: Any) -> Any:
    value: Any = wrap(None)
    for _ in range(levels - 1):
        value = wrap(value)
    return value


def in_a_list(value: Any) -> list[Any]:
    return [value]


def in_a_map(value: Any) -> dict[str, Any]:
    return {"key": value}


def in_a_tuple(value: Any) -> tuple[Any]:
    return (value,)


def in_a_set(value: Any) -> frozenset[Any]:
    return frozenset({value})


class FakeLibc:
    """A C library whose two questions about a thread fail as the test says."""

    def __init__(self, getattr_fails: int, getstacksize_fails: int) -> None:
        self.destroyed = 0

        def pthread_self() -> int:
            return 1

        def destroy(attributes: object) -> None:
            self.destroyed += 1

        self.pthread_self = pthread_self
        self.pthread_getattr_np = lambda me, attributes: getattr_fails
        self.pthread_attr_getstacksize = lambda attributes, size: getstacksize_fails
        self.pthread_attr_destroy = destroy


@pytest.mark.parametrize("size", [256 * KIB, 1 * MIB])
def test_the_size_is_that_of_the_calling_thread(size: int) -> None:
    found = in_a_thread(size, c_stack_size)
    assert size <= found < 2 * size  # a system may add a guard
    assert c_stack_size() not in (found, 0)


@pytest.mark.skipif(sys.platform == "darwin", reason="asks in another way")
@pytest.mark.parametrize(("fails", "destroyed"), [((22, 0), 0), ((0, 22), 1)])
def test_a_question_that_fails_gives_size_0(
    fails: tuple[int, int], destroyed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    libc = FakeLibc(*fails)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: libc)
    assert c_stack_size() == 0
    assert libc.destroyed == destroyed


def test_without_ctypes_the_size_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert c_stack_size() == 0


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_without_the_functions_the_size_is_0(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: None) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert c_stack_size() == 0


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (8 * MIB, (True, True, MAX_NESTING, 8)),
        (4 * MIB, (True, True, MAX_NESTING, 8)),
        (4 * MIB - 1, (True, False, MAX_NESTING, 8)),
        (1 * MIB, (True, False, MAX_NESTING, 2)),
        (512 * KIB, (True, False, MAX_NESTING, 0)),
        (512 * KIB - 1, (False, False, MAX_NESTING, 0)),
        (128 * KIB, (False, False, 52, 0)),
        (32 * KIB, (False, False, 4, 0)),
        (16 * KIB, (False, False, 1, 0)),
    ],
)
def test_what_there_is_room_for(
    size: int, expected: tuple[bool, bool, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    room = of_size(size, monkeypatch)
    assert (room.large, room.recursive, room.extensions, room.unchecked) == expected
    assert room.size == size


def test_an_unknown_size_is_taken_for_that_of_musl(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_size(0, monkeypatch).size == 128 * KIB


def test_each_thread_is_measured_when_it_first_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    room = of_size(8 * MIB, monkeypatch)
    monkeypatch.setattr(c_stack, "c_stack_size", lambda: 64 * KIB)
    assert in_a_thread(0, lambda: room.size) == 64 * KIB
    assert room.size == 8 * MIB


@pytest.mark.parametrize(("wrap", "most"), [(in_a_list, 16), (in_a_map, 16), (in_a_tuple, 4), (in_a_set, 4)])
def test_a_value_is_as_deep_as_there_is_stack(wrap: Any, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    room = of_size(32 * KIB, monkeypatch)  # 8 KiB are left: 16 lists, or 4 extensions
    assert not room.lacks(nested(most, wrap))
    assert room.lacks(nested(most + 1, wrap))


def test_a_set_costs_as_much_as_a_frozenset(monkeypatch: pytest.MonkeyPatch) -> None:
    room = of_size(26 * KIB, monkeypatch)  # one extension, or 4 lists
    assert not room.lacks({1, 2})
    assert room.lacks([{1, 2}])


def test_keys_of_a_map_are_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    room = of_size(32 * KIB, monkeypatch)
    assert not room.lacks({nested(3, in_a_tuple): 0})
    assert room.lacks({nested(4, in_a_tuple): 0})


def test_breadth_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    room = of_size(32 * KIB, monkeypatch)
    assert not room.lacks([nested(15, in_a_list), *([[]] * 1000), nested(15, in_a_list)])
    assert room.lacks([1, "text", nested(15, in_a_list), nested(16, in_a_list)])


def test_a_value_that_contains_itself_is_too_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    cycle: list[Any] = []
    cycle.append({"again": cycle})
    assert of_size(8 * MIB, monkeypatch).lacks(cycle)


def test_stack_of_unchecked_packers_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    room = of_size(1 * MIB, monkeypatch)
    packers = room.unchecked * (511 * 512 + 2048)
    most = (1 * MIB - 24 * KIB - packers) // 512
    assert not room.lacks(nested(most, in_a_list))
    assert room.lacks(nested(most + 1, in_a_list))
