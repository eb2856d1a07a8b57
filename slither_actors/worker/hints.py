"""What a failure of a user's function was probably about, in one clause. Loaded when the first one comes.

A clause states what the function was called with, and is added only where the failing frame shows that this is what it
stumbled over: an error that a user's own data has caused must not send its reader the wrong way.
"""

from __future__ import annotations

import re

from .exception_record import CLAUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Final

    from .operands import Raised

EACH: Final = "each=True (on the command line: --each)"
# Of a coroutine from a plain function, and of an async generator.
_COROUTINE: Final = (
    "a worker awaits `async def` functions, and this is a plain one that returned what is to be awaited: make it "
    "`async def`, or mark it by inspect.markcoroutinefunction"
)
_ASYNC_GENERATOR: Final = (
    "an async function that yields cannot be awaited: collect the results and return a list, or call it by stream_one"
)

_LIST: Final = re.compile(r"\blist\b")
# How Python says that what is no list was used as one.
_NOT_A_LIST: Final = (
    r"'?{}'? object is not (iterable|subscriptable|a sequence)|object of type '{}' has no len"
    r"|after \* must be an iterable, not {}\b"
)
# How it says so of an operand, beside a list.
_WITH_A_LIST: Final = (
    r"unsupported operand type\(s\) for \+=?: ('{}' and 'list'|'list' and '{}')"
    r"|can only concatenate ({} \(not \"list\"|list \(not \"{}\")|unhashable type: 'slice'"
)
_OF_TEXT: Final = "string indices must be integers"
# How a call says that it wants something else, and how that it was called with too many or too few.
_ASKS: Final = re.compile(r"\b(?:must be|should be|expected|required|requires)\b(?: an?\b)?")
_MISCALLED: Final = re.compile(r"\b(?:positional|keyword|exactly)\b|expected (?:at \w+ )?\d|argument #")
# What Decimal says of a list that has the form of no number.
_OF_DECIMAL: Final = re.compile(
    r"argument must be a sequence of length 3|sign must be an integer with the value 0 or 1"
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
        return about_async(result)
    if result is None:
        return "; is its return missing?"
    if cls in (set, frozenset):
        return "; a set has no order, so which result belongs to which payload is lost"
    if cls is dict or issubclass(cls, (str, bytes, bytearray, dict)):
        return ""
    return "; list() of it will do" if hasattr(cls, "__iter__") else ""


def about_async(value: Any) -> str:
    """Return the remedy for a value that `is_async`."""
    return f"; {_ASYNC_GENERATOR if hasattr(type(value), '__anext__') else _COROUTINE}"


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
    if not isinstance(error, (TypeError, AttributeError, ValueError)):
        return ""
    text, traces = str(error), _traces(error)
    raised = _raised(traces)
    if isinstance(error, ValueError):
        return said if _OF_DECIMAL.match(text) and (raised is None or raised.took(given)) else ""
    certain = raised is not None and raised.took(given)
    if raised is not None and certain and not raised.is_call:
        # An index of the list that is half of something is a mistake in a function that takes lists.
        return "" if text.endswith("slices, not float") else said
    if (certain or raised is None) and _asks_for_another(text, given):
        return said
    if not _LIST.search(text) or _holds_a_list(given):
        return ""
    # In another list, one of the function's, the reason may be too.
    if traces:
        held = list(traces[0].tb_frame.f_locals.values())
        if not any(value is given for value in held) or any(type(v) is list and v is not given for v in held):
            return ""
    return said


def _asks_for_another(text: str, given: list[Any]) -> bool:
    """Whether a call that was given the list wanted something else; False where it may have been about an element."""
    if _MISCALLED.search(text) or not _ASKS.search(text):
        return False
    kinds = "|".join({re.escape(type(payload).__name__) for payload in given})
    # What it wants may well be of the kind of the elements: that is what it gets with each=True.
    left = re.sub(rf"{_ASKS.pattern} '?(?:{kinds})\b", "", text)
    return not re.search(rf"\b(?:{kinds})\b", left)


def _for_one(error: BaseException, given: Any) -> str:
    cls = type(given)
    said = f"with {EACH} it was called with one payload, of type {cls.__name__}; without, it gets a list of them"
    if isinstance(error, AttributeError) and hasattr(error, "obj"):
        name = getattr(error, "name", "") or ""
        # Of a key: the rows of the list that was meant are dicts, and a loop over the one row gave its keys.
        is_key = cls is dict and type(error.obj) is str and any(key is error.obj for key in given)
        return said if (error.obj is given and hasattr(list, name)) or (is_key and hasattr(dict, name)) else ""
    text, traces = str(error), _traces(error)
    if not traces:
        return ""
    if cls is dict and isinstance(error, TypeError) and text.startswith(_OF_TEXT):
        raised = _raised(traces)
        return said if raised is not None and raised.took_an_element_of(given) else ""
    if not any(value is given for value in traces[0].tb_frame.f_locals.values()):
        return ""
    if isinstance(error, KeyError):
        return said if cls is dict and error.args and type(error.args[0]) in (int, slice) else ""
    if not isinstance(error, TypeError):
        return ""
    name = re.escape(cls.__name__)
    if re.search(_NOT_A_LIST.replace("{}", name), text):
        return said
    if re.search(_WITH_A_LIST.replace("{}", name), text):
        raised = _raised(traces)
        return said if raised is not None and raised.took(given) else ""
    return ""


def _traces(error: BaseException) -> list[TracebackType]:
    """Return where it was raised and where that was called from; nothing in ours, which called a function in C."""
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    traces: list[TracebackType] = []
    while trace is not None:
        traces = [trace, *traces[:1]]
        trace = trace.tb_next
    return traces


def _raised(traces: list[TracebackType]) -> Raised | None:
    """Return the instruction that raised; None where there is none of Python's."""
    if not traces:
        return None
    from .operands import Raised

    return Raised(*traces)


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
