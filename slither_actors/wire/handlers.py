"""Telling what a signal handler raised from what a value raised that has no form on the wire."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def raised_by_handler(error: BaseException) -> bool:
    """Whether a signal handler raised it: a soft time limit, say, which came while a value was encoded or decoded.

    A handler is a function that gets the frame which it interrupts, and stands behind that in the traceback.
    """
    traceback = error.__traceback__
    handlers: list[Any] | None = None
    while traceback is not None and traceback.tb_next is not None:
        frame = traceback.tb_next.tb_frame
        code = frame.f_code
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 0x04)  # inspect.CO_VARARGS
        for name in code.co_varnames[:count]:
            value = frame.f_locals.get(name)
            if value is traceback.tb_frame or (type(value) is tuple and any(v is traceback.tb_frame for v in value)):
                return True
        if handlers is None:
            handlers = [signal.getsignal(number) for number in signal.valid_signals()]
        # One that has let go of the frame is known by its code.
        if any(getattr(getattr(handler, "__func__", handler), "__code__", None) is code for handler in handlers):
            return True
        traceback = traceback.tb_next
    return False
