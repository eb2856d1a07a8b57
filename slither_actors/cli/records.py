"""What a line of the output, and a line of ``--errors``, looks like."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import pathlib
import uuid
from typing import Any

from slither_actors.cli.lines import MalformedLine
from slither_actors.cli.translate import translated
from slither_actors.errors import BatchTimeout, LoadError, StartTimeout, WorkerError

_TEXTS = (decimal.Decimal, dt.date, dt.time, uuid.UUID, pathlib.PurePath)
_REMEDIES: tuple[tuple[tuple[type, ...], str], ...] = (
    ((set, frozenset), "return a list of it, sorted() if its order matters"),
    ((bytes, bytearray, memoryview), "return text: .decode() of it, or base64.b64encode(...).decode()"),
    ((complex,), "return its .real and .imag"),
    ((dt.timedelta,), "return its .total_seconds()"),
)


def _plain(value: Any) -> Any:
    """Replace a value that JSON has no form for: by numbers and lists for numpy's, by text for some others.

    Raises:
        TypeError: nothing does; says what to return instead.
    """
    if type(value).__module__ == "numpy" and hasattr(value, "dtype"):
        return _plain_of_numpy(value)
    if isinstance(value, (dt.date, dt.time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, _TEXTS):
        return str(value)
    remedy = next((said for kinds, said in _REMEDIES if isinstance(value, kinds)), "return plain data")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable; {remedy}")


def _plain_of_numpy(value: Any) -> Any:
    """Replace an array or a scalar of numpy's by lists and values of Python's."""
    kind, names = value.dtype.kind, value.dtype.names
    if names:  # field by field, as each has a kind of its own; a row is a list
        fields = [_plain_of_numpy(value[name]) for name in names]
        return _rows(fields, value.ndim)
    if kind in "mM":  # as text: as Python values they would be numbers or dates, depending on their unit
        return value.astype(str).tolist()
    if value.dtype.char == "g":  # a long double, for which Python has no type: tolist() leaves it as it is
        return value.astype(float).tolist()
    return (value.astype(complex) if kind == "c" else value).tolist()


def _rows(fields: list[Any], depth: int) -> Any:
    return [_rows(list(each), depth - 1) for each in zip(*fields, strict=True)] if depth else fields


def _plain_keys(value: Any) -> Any:
    """Replace the keys of dicts that JSON does not know by what `_plain` makes of them."""
    if isinstance(value, dict):
        return {_plain_key(key): _plain_keys(item) for key, item in value.items()}
    return [_plain_keys(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain_key(key: Any) -> Any:
    if key is None or isinstance(key, (str, int, float)):
        return key
    plain = _plain(key) if not isinstance(key, tuple) else key
    if not (plain is None or isinstance(plain, (str, int, float))):
        raise TypeError(f"a key is a {type(key).__name__}; return a dict with keys that are text or numbers")
    return plain


# Strict JSON: a NaN that Python would write, other programs could not read.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
_ASCII_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_plain)


def _is_json_but_for_nan(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=True, default=_plain)
    except (TypeError, ValueError):  # it contains itself, too
        return False
    return True


class NotJson(ValueError):
    """A result cannot be written as JSON: of another type, NaN or infinite, nested too deeply."""


def json_line(value: object) -> bytes:
    """One line of JSON, with its line feed.

    Raises:
        NotJson: the value is not of JSON's types. (Tuples are written as lists, keys that are numbers as text, numpy's
            numbers and arrays as numbers and lists; Decimal, date, time, datetime, UUID and Path as text.)
    """
    try:
        try:
            text = _ENCODER.encode(value)
        except TypeError:  # perhaps of a key; of anything else it is raised again
            value = _plain_keys(value)
            text = _ENCODER.encode(value)
    except ValueError as error:
        remedy = "; JSON has no NaN or infinity: return None for them" if _is_json_but_for_nan(value) else ""
        raise NotJson(f"the result is not JSON: {error}{remedy}") from None
    except TypeError as error:
        raise NotJson(f"the result is not JSON: {error}") from None
    except RecursionError:
        raise NotJson("the result is not JSON: nested too deeply") from None
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: JSON can say it, though only escaped
        return _ASCII_ENCODER.encode(value).encode() + b"\n"


def error_record(line: int, value: Any, error: BaseException) -> dict[str, Any]:
    """Return the record for ``--errors`` of an input that failed.

    Args:
        line: the input's line number.
        value: the input; where it is not JSON, the text of the line.
        error: the reason. Of an exception in a worker, type, message and traceback are the worker's; of a worker that
            was killed at a deadline, its ``stack`` is added, where it is known.
    """
    return {"line": line, "input": value, "error": _described(error)}


def brief(error: BaseException) -> str:
    """Return an error in one line, type and message."""
    described = _described(error)
    kind = described["type"].removeprefix("builtins.")
    message, cut, _ = described["message"].strip().partition("\n")
    if cut and message.endswith(":"):  # "...; its last words on stderr:", which are not shown here
        message = message.rpartition("; ")[0] or message
    return f"{kind}: {message}" if message else kind


def _described(error: BaseException) -> dict[str, str]:
    if isinstance(error, WorkerError):
        return {"type": error.type, "message": error.message, "traceback": error.traceback}
    if isinstance(error, MalformedLine):  # its own text names the line, which the record does already
        return {"type": "MalformedLine", "message": error.reason}
    described = {"type": type(error).__name__, "message": translated(error)}
    if stack := stack_of(error):
        described["stack"] = stack
    return described


def stack_of(error: BaseException) -> str:
    """Where a worker was that was killed at a deadline; empty where that is not known."""
    return error.stack.rstrip() if isinstance(error, (BatchTimeout, LoadError, StartTimeout)) else ""
