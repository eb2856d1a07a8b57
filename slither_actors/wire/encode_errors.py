"""Why and where a value could not be encoded. Only ever loaded once something has failed."""

from __future__ import annotations

import sys

from .extensions import EncodeError, RefusedError
from .handlers import raised_by_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

# msgpack packs 1,024 levels of lists and maps (511 where it runs without its compiled half); what is nested deeper
# fails as a whole.
_MAX_DEPTH: Final = 1024
_SHOWN: Final = 60


def refusal(cls: type, value: object) -> str:
    """Why a value of this type is not sent, and what to send in its place."""
    name = _type_name(cls)
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
        return f"it is a class ({_type_name(value)}); send its name"  # type: ignore[arg-type]
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


def explain(value: object, error: Exception) -> EncodeError:
    """The error for ``value``, which failed to encode with ``error``: finds the place."""
    try:
        found = _find(value)
    except Exception as failure:
        if raised_by_handler(failure):
            raise
        found = None
    if found is None:
        return EncodeError("", _reason(error))
    steps, reason = found
    return EncodeError("".join(text for text, _ in steps), reason, tuple(step for _, step in steps if step is not None))


def _find(root: object) -> tuple[list[tuple[str, int | str | None]], str] | None:
    """The first leaf that fails, by its path, and why; None if no leaf does."""
    from .codec import Encoder

    encoder = Encoder(out_of_band=None)
    path: list[tuple[str, int | str | None]] = []
    open_ids: list[int] = []
    levels: list[Iterator[tuple[str, int | str | None, object]]] = []
    above: set[int] = set()

    def leaf_error(value: object) -> str | None:
        try:
            encoder._pack(value)
        except Exception as error:
            encoder._reset()
            if raised_by_handler(error):
                raise
            # Text with lone surrogates has a form of its own, see `extensions.with_surrogates`.
            return None if type(error) is UnicodeEncodeError and type(value) is str else _reason(error)
        return None

    children = _children(root)
    if children is None:
        reason = leaf_error(root)
        return None if reason is None else ([], reason)
    levels.append(children)
    open_ids.append(id(root))
    above.add(id(root))
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            above.discard(open_ids.pop())
            if path:
                path.pop()
            continue
        text, step, value = entry
        if id(value) in above:
            return [*path, (text, step)], "it contains itself"
        children = _children(value)
        if children is None:
            reason = leaf_error(value)
            if reason is not None:
                return [*path, (text, step)], reason
            continue
        if len(levels) >= _MAX_DEPTH:
            return [*path[:8], ("...", None)], f"it is nested more than {_MAX_DEPTH} levels deep"
        path.append((text, step))
        levels.append(children)
        open_ids.append(id(value))
        above.add(id(value))
    return None


def _children(value: object) -> Iterator[tuple[str, int | str | None, object]] | None:
    """What is inside a container, each with its step of the path as text and as data; None for a leaf."""
    cls = type(value)
    if cls is list or cls is tuple:
        return ((f"[{index}]", index, item) for index, item in enumerate(value))  # type: ignore[arg-type,var-annotated]
    if cls is dict:
        return _entries(value)  # type: ignore[arg-type]
    if cls is set or cls is frozenset:
        return (("{...}", None, item) for item in value)  # type: ignore[attr-defined]
    return None


def _entries(mapping: dict[Any, Any]) -> Iterator[tuple[str, int | str | None, object]]:
    for key, item in mapping.items():
        text = _shown(key)
        yield f" key {text}", None, key
        yield f"[{text}]", key if type(key) in (int, str) else text, item


def _reason(error: Exception) -> str:
    if isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return f"the text {_shown(error.object)} cannot be sent as UTF-8: {error.reason} at {error.start}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply, or contains itself"
    return f"{type(error).__name__}: {error}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:
        if raised_by_handler(error):
            raise
        return f"<{_type_name(type(value))}>"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _type_name(cls: type) -> str:
    module = getattr(cls, "__module__", None)
    name = getattr(cls, "__qualname__", None) or cls.__name__
    return str(name) if module in (None, "builtins") else f"{module}.{name}"
