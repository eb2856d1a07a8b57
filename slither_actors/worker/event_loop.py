"""The event loop of this worker, on which its `async def` functions run: made when the first of them is loaded."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Coroutine
    from typing import Any, Final

# Of a code object: CO_COROUTINE, and CO_ITERABLE_COROUTINE, which `types.coroutine` sets. `inspect` has them, too, and
# takes milliseconds to import.
_AWAITED: Final = 0x80 | 0x100
# What `inspect.markcoroutinefunction` and `asyncio` set on functions whose code does not show it.
_MARKS: Final = ("_is_coroutine_mark", "_is_coroutine")
_CALL: Final = "__call__"


def is_async(function: object) -> bool:
    """Whether a call gives a coroutine: of an `async def` function, its method or partial, an object with such a call.

    A plain function that returns a coroutine is none, as only the call would show it.
    """
    while type(function).__module__ == "functools" and hasattr(function, "func"):
        function = function.func
    function = getattr(function, "__func__", function)
    if any(getattr(function, mark, None) is not None for mark in _MARKS):
        return True
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(getattr(type(function), _CALL, None), "__code__", None)
    return bool(getattr(code, "co_flags", 0) & _AWAITED)


class EventLoop:
    """The one event loop of a worker, in its main thread; there is none until it is needed.

    Between two calls it does not run: a task that a function leaves behind goes on while the next one is executed.
    """

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None

    def get(self) -> AbstractEventLoop:
        """Return the loop; made at the first call."""
        if self._loop is None:
            import asyncio

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine to its end and return its result. Raises what it raises, whatever that is."""
        result, error = self.get().run_until_complete(_outcome(coroutine))
        if error is None:
            return result
        try:
            raise error
        finally:
            del error  # or this frame would hold the error that holds it

    def close(self) -> None:
        """Cancel what was left on the loop, wait for that, and close it."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        import asyncio

        try:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


async def _outcome(coroutine: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
    """Return the result of a coroutine, and what it raised: an exit or an interrupt must not leave by the loop."""
    try:
        return await coroutine, None
    except BaseException as error:
        return None, error


event_loop: Final = EventLoop()


class ToTheEnd:
    """An `async def` function as a plain one: a call runs it to its end on the worker's event loop.

    Args:
        function: it, for those who can await it.
    """

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., Coroutine[Any, Any, Any]]) -> None:
        self.function = function

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return event_loop.run(self.function(*args, **kwargs))


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what can be called like a plain function: a `ToTheEnd` of an `async def` one, any other as it is."""
    return ToTheEnd(function) if is_async(function) else function
