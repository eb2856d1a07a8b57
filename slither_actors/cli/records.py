"""What a line of the output, and a line of ``--errors``, looks like."""

from __future__ import annotations

import json
from typing import Any

from slither_actors.cli.lines import MalformedLine
from slither_actors.cli.translate import told
from slither_actors.errors import WorkerError

# Strict JSON: a NaN that Python would write, other programs could not read.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


class NotJson(ValueError):
    """A result cannot be written as JSON: of another type, NaN or infinite, nested too deeply."""


def json_line(value: object) -> bytes:
    """One line of JSON, with its line feed.

    Raises:
        NotJson: the value is not of JSON's types. (Tuples are written as lists, keys that are numbers as text.)
    """
    try:
        text = _ENCODER.encode(value)
    except (TypeError, ValueError) as error:
        raise NotJson(f"the result is not JSON: {error}") from None
    except RecursionError:
        raise NotJson("the result is not JSON: nested too deeply") from None
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: JSON can say it, though only escaped
        return _ASCII_ENCODER.encode(value).encode() + b"\n"


def error_record(line: int, value: Any, error: BaseException) -> dict[str, Any]:
    """What ``--errors`` says of an input that failed.

    Args:
        line: the input's line number.
        value: the input; where it is not JSON, the text of the line.
        error: the reason. Of an exception in a worker, type, message and traceback are the worker's.
    """
    return {"line": line, "input": value, "error": _described(error)}


def brief(error: BaseException) -> str:
    """An error in one line, type and message."""
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
    return {"type": type(error).__name__, "message": told(error)}
