"""Why and where a value could not be encoded. Only ever loaded once something has failed."""

from __future__ import annotations

from .extension_codes import EncodeError, RefusedError
from .handlers import raised_by_handler
from .refusals import type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final

# msgpack packs 1,024 levels of lists and maps (511 where it runs without its compiled half); what is nested deeper
# fails as a whole.
_MAX_DEPTH: Final = 1024
_SHOWN: Final = 60


def explain(value: object, error: Exception, try_leaf: Callable[[object], object]) -> EncodeError:
    """Return the error for a value that failed to encode, with the place in it.

    Args:
        value: which failed.
        error: how it failed.
        try_leaf: encodes a value, or raises what is wrong with it.
    """
    try:
        found = _find(value, try_leaf)
    except Exception as failure:
        if raised_by_handler(failure):
            raise
        found = None
    if found is None:
        return EncodeError("", _reason(error))
    steps, reason = found
    return EncodeError("".join(text for text, _ in steps), reason, tuple(step for _, step in steps if step is not None))


def _find(root: object, try_leaf: Callable[[object], object]) -> tuple[list[tuple[str, int | str | None]], str] | None:
    """Find the first leaf that fails: its path, and why; None if no leaf does."""
    path: list[tuple[str, int | str | None]] = []
    open_ids: list[int] = []
    levels: list[Iterator[tuple[str, int | str | None, object]]] = []
    above: set[int] = set()

    def leaf_error(value: object) -> str | None:
        try:
            try_leaf(value)
        except Exception as error:
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
    """Return a container's members, each with its step of the path as text and as data; None for a leaf."""
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
        return f"<{type_name(type(value))}>"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
