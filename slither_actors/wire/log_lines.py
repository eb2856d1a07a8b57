r"""Records of `logging` as lines on a worker's stderr: what a worker writes there and its host makes records of again.

A line of text is all that a pipe for prints can carry without a protocol of its own. So a record is one line of JSON
behind a mark that no text has by accident; what a reader does not understand is a line like any other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

MARK: Final = b"\x1e\x02slither-record "
LEVELS: Final = "SLITHER_ACTORS_LOG_LEVELS"
"""Variable with the levels that the host has set, as JSON: by logger, the root's under the empty name."""

MOST: Final = 16 * 1024
"""Bytes of a line, mark and end included."""
_NAME: Final = 200
_TEXT: Final = 2000
_KINDS: Final[tuple[Any, ...]] = (int, str, str, str, (int, float), str, str, int, str, str)


def pack(fields: tuple[Any, ...]) -> bytes:
    """Encode a record: level, name, message, traceback, time, path, function, line number, thread, stack."""
    import json

    level, name, message, trace, created, path, function, line, thread, stack = fields
    short = (level, name[:_NAME], message, trace, created, path[-_NAME:], function[:_NAME], line, thread[:_NAME], stack)
    data = _line(json, short)
    limit = _TEXT
    while len(data) > MOST and limit > 1:
        # Control characters take six bytes each, so the texts are cut again should that not have been enough.
        message, trace, stack = _cut(message, limit), _cut(trace, 2 * limit), _cut(stack, limit)
        data = _line(json, (*short[:2], message, trace, *short[4:9], stack))
        limit //= 2
    return data


def _line(json: Any, fields: tuple[Any, ...]) -> bytes:
    text: str = json.dumps(fields, ensure_ascii=False)
    return MARK + text.encode("utf-8", "backslashreplace") + b"\n"


def _cut(text: str, limit: int) -> str:
    """Return the beginning and the end of a text: the cause stands last in a traceback."""
    return text if len(text) <= limit else f"{text[: limit // 2]}\n[...]\n{text[-limit // 2 :]}"


def unpack(line: bytes) -> tuple[Any, ...] | None:
    """Decode a line that begins with the mark; None if :func:`pack` has not made it."""
    import json

    try:
        fields = json.loads(line[len(MARK) :].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, list) or len(fields) != len(_KINDS):
        return None
    for index, kind in enumerate(_KINDS):
        if not isinstance(fields[index], kind) or isinstance(fields[index], bool):
            return None
    return tuple(fields)
