"""What a failure of a user's function was probably about, in one clause. Loaded when the first one comes.

A clause states what the function was called with, and is added only where the failing frame shows that this is what it
stumbled over: an error that a user's own data has caused must not send its reader the wrong way.
"""

from __future__ import annotations

import re

from .exception_record import CLAUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Final

EACH: Final = "each=True (on the command line: --each)"
ASYNC: Final = (
    "an async function cannot run in a worker: call it in a plain one, with asyncio.run(), or asyncio.gather() inside"
)

_LIST: Final = re.compile(r"\blist\b")
# How Python says that what is no list was used as one.
_NOT_A_LIST: Final = re.compile(
    r"'?{}'? object is not (iterable|subscriptable|a sequence)|object of type '{}' has no len"
)
_MOST_SEARCHED: Final = 10_000


def leave(error: BaseException, given: Any, each: bool) -> None:
    """Leave the clause with the exception, for the record that is made of it; a parameter is as of `clause`."""
    try:
        vars(error)[CLAUSE] = clause(error, given, each)
    except Exception:  # an exception without a dict
        pass


def clause(error: BaseException, given: Any, each: bool) -> str:
    """Return what to add to the text of an exception that a function raised; "" if nothing is known.

    Args:
        error: the exception, with its traceback.
        given: what the function was called with: the list of payloads, or one of them.
        each: whether the function is called for each payload.
    """
    try:
        if each:
            return _for_one(error, given)
        return _for_list(error, given) if type(given) is list and given else ""
    except Exception:  # a value of the user's may do anything when it is looked at
        return ""


def got(given: Any) -> str:
    """Describe the argument of a function that takes lists and returned something else than a list."""
    if type(given) is not list:
        return ""
    return f"; it was called with a list of {len(given)}: {EACH} calls it with one"


def about_result(result: Any) -> str:
    """Return the remedy for a value that was to be a list of results."""
    cls = type(result)
    if is_async(result):
        return f"; {ASYNC}"
    if result is None:
        return "; is its return missing?"
    if cls in (set, frozenset):
        return "; a set has no order, so which result belongs to which payload is lost"
    if cls is dict or issubclass(cls, (str, bytes, bytearray, dict)):
        return ""
    return "; list() of it will do" if hasattr(cls, "__iter__") else ""


def is_async(value: Any) -> bool:
    """Whether it comes of an async function: a coroutine, an async generator, a task."""
    cls = type(value)
    return hasattr(cls, "__await__") or hasattr(cls, "__anext__")


def close(value: Any) -> None:
    """Close a coroutine that will not be awaited, so that Python does not warn of it."""
    if type(value).__name__ == "coroutine":
        value.close()


def _for_list(error: BaseException, given: list[Any]) -> str:
    said = f"it was called with a list of {len(given)}: {EACH} calls it with one"
    if isinstance(error, AttributeError) and hasattr(error, "obj"):
        return said if error.obj is given else ""
    if not isinstance(error, (TypeError, AttributeError)) or not _LIST.search(str(error)):
        return ""
    frame = _last_frame(error)
    # In another list, one of the function's or in the data, the reason may be too.
    if frame is not None:
        held = list(frame.f_locals.values())
        if not any(value is given for value in held) or any(type(v) is list and v is not given for v in held):
            return ""
    return "" if _holds_a_list(given) else said


def _for_one(error: BaseException, given: Any) -> str:
    cls = type(given)
    said = f"with {EACH} it was called with one payload, of type {cls.__name__}; without, it gets a list of them"
    frame = _last_frame(error)
    if frame is None or not any(value is given for value in frame.f_locals.values()):
        return ""
    if isinstance(error, KeyError):
        return said if cls is dict and error.args and type(error.args[0]) in (int, slice) else ""
    if isinstance(error, AttributeError) and hasattr(error, "obj"):
        return said if error.obj is given and hasattr(list, getattr(error, "name", "") or "") else ""
    name = re.escape(cls.__name__)
    matches = re.search(_NOT_A_LIST.pattern.replace("{}", name), str(error))
    return said if isinstance(error, TypeError) and matches else ""


def _last_frame(error: BaseException) -> FrameType | None:
    """Return the frame that raised, if it is not the one of ours that called a function written in C."""
    frame = None
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    while trace is not None:
        frame = trace.tb_frame
        trace = trace.tb_next
    return frame


def _holds_a_list(payloads: list[Any]) -> bool:
    """Whether there is a list in the payloads; True also where there is too much to look at."""
    left, seen = list(payloads), 0
    while left:
        value = left.pop()
        seen += 1
        if type(value) is list or seen > _MOST_SEARCHED:
            return True
        if type(value) is dict:
            left.extend(value.values())
        elif type(value) is tuple:
            left.extend(value)
    return False
