"""Adapters: classes whose methods are a worker's commands."""

from __future__ import annotations

from .state import sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, Final, TypeVar, overload

    F = TypeVar("F", bound=Callable[..., Any])

_MARK: Final = "__slither_command__"


class Adapter:
    """Base class of the object that a worker makes once and whose commands it then executes, one at a time.

    With `PoolSpec(concurrency=n)` it executes n at a time: those that are `async def` methods on one event loop, the
    others on threads.

    Subclasses take no arguments on construction and define methods marked with :func:`command`.
    """

    def init(self, *args: Any, **options: Any) -> Awaitable[None] | None:
        """Load models here: called once before the worker is ready, with the pool's options. To raise is to fail.

        The options come by name. A subclass names its own, and a type checker lets it: hence `args`, which is empty.
        It may be an `async def` method, as `terminate` and commands may; all run on the worker's one event loop.
        """

    def terminate(self) -> Awaitable[None] | None:
        """Release resources: called once when the worker is stopped in order (not when it crashes or is killed)."""

    @property
    def session(self) -> dict[str, Any]:
        """The store of the current call's session; see :func:`slither_actors.worker.session`."""
        return sessions.here().store()

    @property
    def session_id(self) -> str | None:
        """The current call's session, None if it has none."""
        return sessions.here().current


if TYPE_CHECKING:

    @overload
    def command(function: F) -> F: ...
    @overload
    def command(function: str | None = None) -> Callable[[F], F]: ...


def command(function: Any = None) -> Any:
    """Mark a method of an :class:`Adapter` as a command, under its own name or the given one.

    It takes a mapping ``{"items": [...]}`` and returns one with as many items; an item that is an exception instance
    has failed alone. ``@command``, ``@command()`` and ``@command("name")`` will do.
    """
    if function is not None and not isinstance(function, str):
        if not callable(function):
            raise TypeError(f"command takes a method or a name, not {function!r}")
        return command(None)(function)
    if function == "":
        raise ValueError("a command needs a name")

    def mark(method: Any) -> Any:
        setattr(method, _MARK, function or method.__name__)
        return method

    return mark


def commands_of(cls: type) -> dict[str, str]:
    """Return the commands of an adapter class: name of the command to name of the method, sorted.

    Raises:
        ValueError: two methods have the same command name.
    """
    commands: dict[str, str] = {}
    for attribute in dir(cls):
        name = getattr(getattr(cls, attribute, None), _MARK, None)
        if not isinstance(name, str):
            continue
        if name in commands:
            raise ValueError(f"{cls.__qualname__} has two commands {name!r}: {commands[name]} and {attribute}")
        commands[name] = attribute
    return dict(sorted(commands.items()))
