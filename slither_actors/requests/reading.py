"""From the reply to a request to its Items, in the caller's thread."""

from __future__ import annotations

from typing import Any

from slither_actors.errors import DeadlineExceeded, Overloaded
from slither_actors.item import Item
from slither_actors.pools.assignment.job import Outcome
from slither_actors.requests.lane import Request
from slither_actors.runs.output.reply_decoder import LEAST, ReplyDecoder
from slither_actors.runs.run_failure import failure_of
from slither_actors.wire.codec import DecodeError, decode
from slither_actors.wire.header import REPLY, Frame


class ReplyReader:
    """Reads replies to requests with one set of options. For any thread.

    Args:
        maps: their results are in a map, as those of a command are.
    """

    __slots__ = ("_decoder", "_maps")

    def __init__(self, maps: bool) -> None:
        self._maps = maps
        self._decoder = ReplyDecoder()

    def results(self, request: Request, outcome: Outcome) -> list[Item] | None:
        """Return the Items for an outcome that has a result for each; None: the policy is to decide.

        Raises:
            DispatchError: the pool is gone.
        """
        values = self.values(request, outcome)
        if values is None:
            return None
        if request.bare:
            return list(map(Item, request.positions, values))
        return [Item(i.id, value, i.meta, i.route) for i, value in zip(request.entries, values, strict=True)]

    def values(self, request: Request, outcome: Outcome) -> list[Any] | None:
        """Return the results alone; arguments and errors as for `results`."""
        if type(outcome) is not Frame:
            gone = outcome is request.run_queue.failed  # type: ignore[attr-defined]  # of a Lane
            if gone or isinstance(outcome, (DeadlineExceeded, Overloaded)):
                assert isinstance(outcome, Exception)
                raise failure_of(outcome, "the run failed", None, [], request.ids()) from outcome
            return None
        count = request.count
        if outcome.kind != REPLY or outcome.failed or outcome.count != count:
            return None
        body = outcome.body
        try:
            if outcome.flags or len(body) >= LEAST:
                values: Any = self._decoder.decode(outcome)
            else:
                values = decode(body, outcome.buffers)
        except DecodeError:
            return None
        if self._maps:
            values = values.get("items") if type(values) is dict else None
        return values if type(values) is list and len(values) == count else None
