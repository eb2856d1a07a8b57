"""The lanes of one System, as long as they are used, and what ends all of them."""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from slither_actors.errors import SystemStopped
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import QueueMessage
from slither_actors.requests.deadline_lane import DeadlineLane
from slither_actors.requests.lane import Lane
from slither_actors.run_options import RunOptions
from slither_actors.runs.opener import RunOpener
from slither_actors.runs.places import description, timeouts
from supervisors import Down, Ref, monitor


class Lanes:
    """Opens lanes, and fails the requests in them when their pool, or the System's supervisor of runs, ends.

    A lane is kept by its requests, and by what sends them: a call whose options are never the same leaves nothing.

    Args:
        opener: of the System's runs.
    """

    def __init__(self, opener: RunOpener) -> None:
        self._opener = opener
        self._lanes: dict[int, weakref.ref[Lane]] = {}
        self._watched: dict[Any, None] = {}
        opener.live.count_also(id(self), lambda: sum(len(lane.pending) for lane in self._all()))

    def open(self, pool: Ref[QueueMessage], link: PoolHandle, options: RunOptions) -> Lane:
        """Return a new lane. From any thread.

        Args:
            pool: the Pool.
            link: its handle.
            options: of the requests.
        """
        opener = self._opener
        timeout, batch_timeout = timeouts(options, opener.spec_of(link))
        kind = Lane if options.deadline is None else partial(DeadlineLane, seconds=options.deadline)
        lane = kind(
            pool,
            opener.live,
            opener.scheduler,
            ahead=options.prefetch > 0,
            timeout=timeout,
            batch_timeout=batch_timeout,
            ready=options.ready,
            kill=options.on_abandon == "kill",
            describe=description(options, link.name, 0),
        )
        key = id(lane)
        self._lanes[key] = weakref.ref(lane, lambda _: self._lanes.pop(key, None))
        # Looked at after that: what ends finds the lane, or is found to have ended here.
        self._watch(pool, lambda down: self._fail(opener.pool_error(link), pool))
        self._watch(opener.supervisor, lambda down: self._fail(SystemStopped("the System was stopped during this run")))
        return lane

    def _watch(self, actor: Any, ended: Any) -> None:
        if actor in self._watched:
            return
        self._watched[actor] = None

        def down(what: Down) -> None:
            self._watched.pop(actor, None)
            ended(what)

        try:
            monitor(actor, down)
        except BaseException:  # an interrupt: other lanes may rely on this entry already
            monitor(actor, down)
            raise

    def _fail(self, error: Exception, pool: Ref[QueueMessage] | None = None) -> None:
        for lane in self._all():
            if pool is None or lane.pool is pool:
                lane.fail(error)

    def _all(self) -> list[Lane]:
        found = [known() for known in list(self._lanes.values())]
        return [lane for lane in found if lane is not None]
