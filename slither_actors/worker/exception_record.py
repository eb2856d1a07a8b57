"""An exception of the user's code as data. Loaded when the first one comes."""

from __future__ import annotations

import os

from slither_actors.wire.messages import MAX_MESSAGE, MAX_TRACEBACK, Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
CLAUSE = "__slither_clause__"
"""In the dict of an exception: what `hints` has found out about it."""
# In the codec none of the user's code runs: where it was when it gave up, up to 500 calls deep, is of no help.
_OF_THE_CODEC = ("encode", "decode")
# Bytes of a failure below which nothing of use would be left of it, and what its keys, kind and lengths take of them.
_LEAST = 320
_FRAMING = 64


def failure_of(error: BaseException, kind: str) -> Failure:
    """Return the failure for ``error``; never raises, whatever the exception's methods do."""
    name, message, said = type_name(type(error)), _message(error), _clause(error)
    trace = "" if kind in _OF_THE_CODEC else _traceback(error)
    if trace.rstrip() == (f"{name}: {message}".rstrip() if message else name):
        trace = ""  # it was raised by us, or by a function in C: type and message again, and no place
    return Failure(
        kind, shortened(name, MAX_MESSAGE), shortened(message + said, MAX_MESSAGE), shortened(trace, MAX_TRACEBACK)
    )


def _clause(error: BaseException) -> str:
    """Return the clause that was found when the exception was caught; see `hints`."""
    try:
        said = vars(error).get(CLAUSE)
    except BaseException:
        return ""
    return f" ({said})" if isinstance(said, str) and said else ""


def type_name(cls: type) -> str:
    """Qualified name of a class, without the module for builtins."""
    try:
        module, name = cls.__module__, cls.__qualname__
        return str(name) if module == "builtins" else f"{module}.{name}"
    except BaseException:
        return str(type.__dict__["__name__"].__get__(cls))


def shortened(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` bytes of UTF-8: its beginning and, as the cause stands last, more of its end."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    note = f"\n[... {len(data) - limit} bytes and more left out ...]\n".encode()
    head = (limit - len(note)) // 4
    tail = limit - len(note) - head
    return b"".join((data[:head], note, data[-tail:])).decode("utf-8", "ignore")


def fit(failures: list[Failure], size: int) -> list[Failure]:
    """Return failures whose bodies take no more bytes than that together; none if each would have next to none."""
    most = size // max(1, len(failures))
    if most < _LEAST:
        return []
    return [failure if len(failure.to_body()) <= most else _cut(failure, most) for failure in failures]


def _cut(failure: Failure, size: int) -> Failure:
    name = shortened(failure.type, size // 4)
    message = shortened(failure.message, size // 2)
    left = size - _FRAMING - len(name.encode()) - len(message.encode())
    trace = shortened(failure.traceback, left) if left >= _LEAST else ""
    return Failure(failure.kind, name, message, trace)


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:
        return f"<no text: its __str__ raised {type_name(type(second))}>"


def _traceback(error: BaseException) -> str:
    try:
        import traceback

        lines = traceback.format_exception(type(error), error, _trimmed(error.__traceback__))
        return "".join(lines)
    except BaseException as second:
        return f"<no traceback: formatting it raised {type_name(type(second))}>"


def _trimmed(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback from the first frame on that is not of this package; None if all are."""
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_OURS):
            return trace
        trace = trace.tb_next
    return None
