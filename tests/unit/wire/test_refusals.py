"""What is said of a value that is not sent: its type, and what to send in its place."""

from __future__ import annotations

import collections
import dataclasses
import enum
import sys
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest

from slither_actors.wire.refusals import refusal, type_name

HERE = __name__


class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


@dataclasses.dataclass
class Point:
    x: int


class Fields(msgspec.Struct):
    x: int


class Pair(NamedTuple):
    a: int


class Vector(np.ndarray[Any, Any]):
    """A subclass of an array."""


class Attrs:
    __attrs_attrs__ = ()


class Frame:
    def to_dict(self) -> dict[str, Any]:
        return {}

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Model:
    def model_dump(self) -> dict[str, Any]:
        return {}

    def to_dict(self) -> dict[str, Any]:
        return {}


class Tensor:
    def numpy(self) -> None: ...
    def tolist(self) -> None: ...


class Table:
    to_dict = "no method"


class Mapped:
    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def keys(self) -> list[Any]:
        return []

    def __getitem__(self, key: object) -> object:
        return key


class KeysOnly:
    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def keys(self) -> list[Any]:
        return []


class Coded:
    """Like a function, and not to be called."""

    __code__ = None
    _fields = ()


class Rows:
    def fetchall(self) -> list[Any]:
        return []

    def __next__(self) -> None: ...


class File:
    def fileno(self) -> int:
        return 0

    def read(self) -> str:
        return ""

    def __next__(self) -> None: ...


class Socket:
    def fileno(self) -> int:
        return 0


class Reader:
    def read(self) -> str:
        return ""


class Awaited:
    def __await__(self) -> Iterator[None]:
        return iter(())


async def agen() -> AsyncIterator[int]:
    yield 1


def subclass(base: type) -> type:
    return type(f"My{base.__name__}", (base,), {"__module__": HERE})


def name_of(cls: type) -> str:
    return f"{HERE}.{cls.__qualname__}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Colour.RED, f"{HERE}.Colour is an enum; send its value or name"),
        (Number.ONE, f"{HERE}.Number is an enum; send its value or name"),
        (Point(1), f"{HERE}.Point is a dataclass; send dataclasses.asdict() of it"),
        (Fields(1), f"{HERE}.Fields is a msgspec.Struct; send msgspec.to_builtins() of it"),
        (Pair(1), f"{HERE}.Pair is a named tuple; send tuple() or _asdict() of it"),
        (KeyError(), "KeyError is an exception; it may be an item of a worker's results, but not inside one"),
        (
            np.ma.array([1]),
            (
                f"{type_name(np.ma.MaskedArray)} has a mask, which does not travel; send .filled() of it, or its .data "
                "and .mask as two arrays"
            ),
        ),
        (np.zeros(1).view(Vector), f"{HERE}.Vector is a subclass of numpy.ndarray; send numpy.asarray() of it"),
        (Point, f"it is a class ({HERE}.Point); send its name"),
        (int, "it is a class (int); send its name"),
        (lambda: 0, "it is a function; send its name"),
        (agen(), "async_generator comes of an async function; await it first, and send what it gives"),
        (Awaited(), f"{HERE}.Awaited comes of an async function; await it first, and send what it gives"),
        (File(), f"{HERE}.File is an open file; send its name, or what read() gives"),
        (Rows(), f"{HERE}.Rows is a cursor; send list() of its rows"),
        (iter([1]), "list_iterator is an iterator; send list() of it"),
        (Model(), f"{HERE}.Model cannot be sent; send .model_dump() of it"),
        (Frame(), f"{HERE}.Frame cannot be sent; send .to_dict() of it"),
        (Tensor(), f"{HERE}.Tensor cannot be sent; send .numpy() of it"),
        (Attrs(), f"{HERE}.Attrs is an attrs class; send attrs.asdict() of it"),
        (Mapped(), f"{HERE}.Mapped cannot be sent; send dict() of it"),
        (KeysOnly(), f"{HERE}.KeysOnly cannot be sent; send list() of it"),
        (range(3), "range cannot be sent; send list() of it"),
        (collections.deque(), "collections.deque cannot be sent; send list() of it"),
        (Table(), f"objects of type {HERE}.Table cannot be sent; send plain data (numbers, text, bytes, lists, "),
        (Coded(), f"objects of type {HERE}.Coded cannot be sent; send plain data (numbers, text, bytes, lists, "),
        (Socket(), f"objects of type {HERE}.Socket cannot be sent; send plain data (numbers, text, bytes, lists, "),
        (Reader(), f"objects of type {HERE}.Reader cannot be sent; send plain data (numbers, text, bytes, lists, "),
        (len, "objects of type builtin_function_or_method cannot be sent; send plain data (numbers, text, bytes, "),
        (object(), "objects of type object cannot be sent; send plain data (numbers, text, bytes, lists, dicts, "),
    ],
)
def test_a_value_is_refused_with_a_remedy(value: object, said: str) -> None:
    text = refusal(type(value), value)
    assert text.startswith(said)
    assert text == said or said.endswith(", ")


@pytest.mark.parametrize(
    "base", [int, float, str, bytes, bytearray, list, dict, tuple, set, frozenset, complex], ids=str
)
def test_a_subclass_is_to_become_its_base(base: type) -> None:
    cls = subclass(base)
    assert (
        refusal(cls, cls())
        == f"{HERE}.My{base.__name__} is a subclass of {base.__name__}; send {base.__name__}() of it"
    )


@pytest.mark.parametrize("module", ["enum", "numpy", "numpy.ma"])
def test_no_module_need_be_there(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, module)
    assert refusal(object, object()).startswith("objects of type object cannot be sent")


def test_a_module_that_is_called_numpy_may_be_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", ModuleType("numpy"))
    assert refusal(object, object()).startswith("objects of type object cannot be sent")


def test_a_name_has_its_module_unless_it_is_built_in() -> None:
    assert type_name(int) == "int"
    assert type_name(collections.OrderedDict) == "collections.OrderedDict"
    assert type_name(Point) == f"{HERE}.Point"
    assert type_name(type("Nameless", (), {"__module__": None})) == "Nameless"
    assert type_name(type("Inner", (), {"__qualname__": "Outer.Inner", "__module__": "m"})) == "m.Outer.Inner"
