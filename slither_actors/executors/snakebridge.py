"""SnakeBridge: a batch is a call of a function that workers import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from slither_actors.context import Context
from slither_actors.errors import OptionTypeError, UnexpectedResponse
from slither_actors.executors.base import AFFINITY, POOL, Affinity, Call, RunSettings, check_affinity, check_pool
from slither_actors.executors.names import check_names, name_of
from slither_actors.item import Item
from slither_actors.validation.kinds import Flag
from slither_actors.validation.option import Option
from slither_actors.wording import shown


class SnakeBridge:
    """Calls a function with the list of a batch's payloads; it returns as many results, in their order.

    Args:
        function: its name in `module` (dotted for attributes), or the function itself if workers can import it.
        module: dotted name of the module that workers import; only with a name.
        each: call it with one payload at a time; an exception is then that item's failure alone.
        pool: name of the pool.
        affinity: what a session means to the choice of worker; None: as the pool says.

    Raises:
        OptionError: a value is out of range or of a wrong type, or workers cannot import the function.
    """

    __slots__ = ("affinity", "each", "function", "module", "pool")
    OPTIONS: ClassVar[Mapping[str, Option]] = {
        "module": Option(
            kind=None,
            description="For SnakeBridge: where `function` is, if that is a name; workers import it",
            in_file=False,
        ),
        "function": Option(
            kind=None,
            description="For SnakeBridge: what workers call: a name in `module`, or an importable function",
            see="workers.md#functions-snakebridge",
            in_file=False,
        ),
        "each": Option(
            kind=Flag(),
            description="For SnakeBridge: call it with one payload at a time; one item fails alone",
            unless="False",
            in_file=False,
        ),
        "pool": POOL,
        "affinity": AFFINITY,
    }

    def __init__(
        self,
        *,
        function: str | Callable[..., Any],
        module: str | None = None,
        each: bool = False,
        pool: str | None = None,
        affinity: Affinity | None = None,
    ) -> None:
        if isinstance(function, str) or not callable(function):
            self.module, self.function = check_names(module, function)
        elif module is not None:
            raise OptionTypeError(
                f"module is for a function given by name; {shown(function)} knows its own, "
                f"so leave module={shown(module)} out",
                "module",
                "function",
            )
        else:
            self.module, self.function = name_of(function)
        self.each: bool = self.OPTIONS["each"].check("each", each)
        self.pool = check_pool(pool)
        self.affinity = check_affinity(affinity)

    @property
    def target(self) -> tuple[str, str, bool]:
        """Module, function and whether it takes one payload at a time."""
        return self.module, self.function, self.each

    def request(self, batch: Sequence[Item], context: Context, options: RunSettings) -> Call:
        """Return the call for a batch."""
        return Call(self.module, self.function, self.each, [item.payload for item in batch])

    def results(self, batch: Sequence[Item], reply: object) -> Iterable[Item]:
        """Return the batch's items with the payloads of the reply."""
        return results_for(batch, reply)

    def __repr__(self) -> str:
        return f"SnakeBridge(module={self.module!r}, function={self.function!r}{', each=True' if self.each else ''})"


def results_for(batch: Sequence[Item], reply: object) -> list[Item]:
    """Return the batch's items with the payloads of a list.

    Raises:
        UnexpectedResponse: it is no list, or one of another length.
    """
    if not isinstance(reply, list):
        raise UnexpectedResponse(f"a list of {len(batch)} results was expected, not a {type(reply).__name__}")
    if len(reply) != len(batch):
        raise UnexpectedResponse(
            f"{len(batch)} items went out, {len(reply)} results came back", expected=len(batch), got=len(reply)
        )
    return [item.update_payload(payload) for item, payload in zip(batch, reply, strict=True)]
