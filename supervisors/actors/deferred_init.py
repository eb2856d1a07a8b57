"""Actors with a thread whose `__init__` runs there too: a supervisor can start them without waiting for user code.

Pykka makes an actor in the thread that calls `start`, which for a supervisor's child is the scheduler's. What an
`__init__` does there (open a file, import a model) would hold up every timer of the System.
"""

from __future__ import annotations

from typing import Any, TypeVar

import pykka

from supervisors.actors.daemon_actor import DaemonActor, supervise_threading
from supervisors.exits import ExitReason

__all__ = ["with_deferred_init"]

P = TypeVar("P", bound=pykka.ThreadingActor)

# What Pykka's `__init__` sets, and ours. They are made before the thread starts, and others hold them from then on, so
# the `__init__` that runs later must not replace them.
_FIXED = ("actor_urn", "actor_inbox", "actor_stopped", "_actor_ref", "_daemon_ref")
_SEALED = "_sup_sealed"


class _Fixed:
    """An attribute that cannot be set any more once the actor is sealed: later values are dropped."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, actor: Any, owner: type | None = None) -> Any:
        if actor is None:
            return self
        try:
            return actor.__dict__[self._name]
        except KeyError:
            raise AttributeError(self._name) from None

    def __set__(self, actor: Any, value: object) -> None:
        if _SEALED not in actor.__dict__:
            actor.__dict__[self._name] = value


def with_deferred_init(cls: type[P]) -> type[P]:
    """Return the class to start a child with a thread from: supervised, with `__init__` run in its thread.

    An `__init__` that raises is a failed start with that exception, as an `on_start` that raises is.

    Args:
        cls: a subclass of `pykka.ThreadingActor`. What this returned before comes back as it is. A subclass of that
            is to be given to this function, too, else its own `__init__` runs in the thread that calls `start`.

    Raises:
        TypeError: `cls` is no subclass of `pykka.ThreadingActor`.
    """
    given: Any = cls
    if not isinstance(given, type) or not issubclass(given, pykka.ThreadingActor):
        raise TypeError(
            f"with_deferred_init takes an actor with a thread of its own (a DaemonActor, say), not {given!r}"
        )
    made: type[P] | None = cls.__dict__.get("_sup_late_class")
    if made is not None:
        return made
    supervised: Any = supervise_threading(cls)
    base: Any = DaemonActor if issubclass(cls, DaemonActor) else pykka.ThreadingActor

    class Late(supervised):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            if _SEALED in self.__dict__:  # the `__init__` of a subclass calls it, in the thread
                super().__init__(*args, **kwargs)
                return
            base.__init__(self)
            self.__dict__[_SEALED] = True
            self._sup_arguments: Any = (args, kwargs)

        def _sup_on_start(self) -> Any:
            if self._sup_arguments is not None:  # else that of a subclass has done it
                args, kwargs = self._sup_arguments
                super().__init__(*args, **kwargs)
                self._sup_arguments = None
            return super()._sup_on_start()

        def _sup_last_call(self, reason: ExitReason) -> None:
            if self._sup_arguments is None:  # else there is nothing that on_exit could know of
                super()._sup_last_call(reason)

    for name in _FIXED:
        setattr(Late, name, _Fixed(name))
    Late.__name__, Late.__qualname__ = cls.__name__, cls.__qualname__
    Late.__module__, Late.__doc__ = cls.__module__, cls.__doc__
    # Kept on the class itself, so that both are garbage together.
    cls._sup_late_class = Late  # type: ignore[attr-defined]
    Late._sup_late_class = Late
    return Late
