"""Why a value of a type is not sent, and what to send in its place. Loaded when the first one was refused."""

from __future__ import annotations

import sys


def refusal(cls: type, value: object) -> str:
    """Return why a value of this type is not sent, and what to send in its place."""
    name = type_name(cls)
    modules = sys.modules
    enum = modules.get("enum")
    if enum is not None and issubclass(cls, enum.Enum):
        return f"{name} is an enum; send its value or name"
    if hasattr(cls, "__dataclass_fields__"):
        return f"{name} is a dataclass; send dataclasses.asdict() of it"
    if hasattr(cls, "__struct_fields__"):
        return f"{name} is a msgspec.Struct; send msgspec.to_builtins() of it"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return f"{name} is a named tuple; send tuple() or _asdict() of it"
    if issubclass(cls, BaseException):
        return f"{name} is an exception; it may be an item of a worker's results, but not inside one"
    masked = getattr(modules.get("numpy.ma"), "MaskedArray", None)
    if masked is not None and issubclass(cls, masked):  # asarray() would drop the mask, and say nothing
        return f"{name} has a mask, which does not travel; send .filled() of it, or its .data and .mask as two arrays"
    numpy = modules.get("numpy")
    if numpy is not None and hasattr(numpy, "ndarray") and issubclass(cls, numpy.ndarray):
        return f"{name} is a subclass of numpy.ndarray; send numpy.asarray() of it"
    for base in (bool, int, float, str, bytes, bytearray, list, dict, tuple, set, frozenset, complex):
        if issubclass(cls, base):
            return f"{name} is a subclass of {base.__name__}; send {base.__name__}() of it"
    if issubclass(cls, type):
        return f"it is a class ({type_name(value)}); send its name"  # type: ignore[arg-type]
    if callable(value) and hasattr(value, "__code__"):
        return "it is a function; send its name"
    if hasattr(cls, "__await__") or hasattr(cls, "__anext__"):
        return f"{name} comes of an async function; await it first, and send what it gives"
    if hasattr(cls, "fileno") and hasattr(cls, "read"):
        return f"{name} is an open file; send its name, or what read() gives"
    if hasattr(cls, "fetchall"):
        return f"{name} is a cursor; send list() of its rows"
    if hasattr(cls, "__next__"):
        return f"{name} is an iterator; send list() of it"
    for method in ("model_dump", "to_dict", "to_numpy", "numpy", "tolist"):  # pydantic, pandas, torch, array.array
        if callable(getattr(cls, method, None)):
            return f"{name} cannot be sent; send .{method}() of it"
    if hasattr(cls, "__attrs_attrs__"):
        return f"{name} is an attrs class; send attrs.asdict() of it"
    if hasattr(cls, "__iter__"):
        kind = "dict" if hasattr(cls, "keys") and hasattr(cls, "__getitem__") else "list"
        return f"{name} cannot be sent; send {kind}() of it"
    return f"objects of type {name} cannot be sent; send plain data (numbers, text, bytes, lists, dicts, arrays)"


def type_name(cls: type) -> str:
    """Return the name of a class for people, with its module unless it is built in."""
    module = getattr(cls, "__module__", None)
    name = getattr(cls, "__qualname__", None) or cls.__name__
    return str(name) if module in (None, "builtins") else f"{module}.{name}"
