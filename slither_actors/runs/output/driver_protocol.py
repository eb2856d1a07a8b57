"""What a Consumer yields to its driver, and gets back: it never waits itself, it yields what it needs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from slither_actors.item import Item


class Wait:
    """Consumer → driver: send me the next message, or None once `deadline` (by `time.monotonic`) is over."""

    __slots__ = ("deadline",)

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline


class Pause:
    """Consumer → driver: a good moment to let others have their turn. Send me None."""

    __slots__ = ()


FOREVER: Final = Wait()
PAUSE: Final = Pause()

Step = list[Item] | Wait | Pause
"""A piece of the results (send me None), or what the consumer needs before there can be one."""

Steps = Generator[Step, Any, None]
