"""Actors that own a real process each, made and watched as a pool's workers are; and trees of them."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from slither_actors.pools.hosts.base import Death, Spawned
from slither_actors.pools.hosts.local import LocalHost
from slither_actors.pools.processes.spawner import Spawner
from slither_actors.pools.processes.table import Processes
from slither_actors.pools.spec import PoolSpec
from supervisors import DEFERRED, Crashed, ExitReason, LightActor, Scheduler, WouldDeadlock, stop, wait_started
from support.gates import SECONDS


class Owner(LightActor):
    """Lives as long as its process, which no other actor owns.

    Runs in: the scheduler's thread. If its process dies, it crashes; if it ends, its process is killed.
    """

    def __init__(self, world: World, name: str) -> None:
        super().__init__()
        self.world, self.name = world, name
        self.host: Any = None

    def on_start(self) -> Any:
        world = self.world
        made, exited = (lambda: None), (lambda code: None)
        self.host = LocalHost(self, self, world.spawner, world.spec, self.name, made, exited)  # type: ignore[arg-type]
        self.host.start()
        return DEFERRED

    def on_receive(self, message: Any) -> None:
        if isinstance(message, Spawned):
            self.world.pids[self.name] = message.pid
            self.world.starts[self.name] += 1
            if self.name not in self.world.slow:
                self.started()
        elif isinstance(message, Death):
            self.host = None
            self.exit(Crashed(RuntimeError(f"signal {message.signal}")))

    def on_exit(self, reason: ExitReason) -> None:
        self.world.pids.pop(self.name, None)
        self.world.ends[self.name] += 1
        if self.host is not None:
            self.host.abandon()

    # What a host tells of frames; these processes have none to send.
    def on_frames(self, frames: Any) -> None:
        raise AssertionError(frames)

    def on_broken(self, error: Exception) -> None:
        raise AssertionError(error)


class World:
    """A scheduler with a spawner, and who lives on it.

    Attributes:
        pids: of the processes that live, by their owner's name.
        starts, ends: how many there were so far.
        slow: names of owners that have not started until they are let: see `let_start`.

    Args:
        folder: for the program that the processes run.
    """

    def __init__(self, folder: Path) -> None:
        program = folder / "sleeps"
        program.write_text("#!/bin/sh\nexec sleep 3600\n")
        program.chmod(0o755)
        self.spec = PoolSpec(size=1, python=program)
        self.scheduler = Scheduler("world")
        self.processes = Processes()
        self.scheduler.on_end = self.processes.end
        self.spawner: Any = None
        self.pids: dict[str, int] = {}
        self.starts: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.slow: set[str] = set()
        self.root: Any = None

    def __enter__(self) -> Self:
        self.scheduler.start()
        self.spawner = Spawner.start(self.scheduler, lambda actor: None, self.processes)
        return self

    def __exit__(self, *_: object) -> None:
        if self.root is not None:
            stop(self.root, timeout=SECONDS)
        stop(self.spawner, timeout=SECONDS)
        self.scheduler.stop(SECONDS)

    def owner(self, name: str) -> Any:
        """Start an `Owner`; for child specs."""
        return Owner.start(self, name)

    def start(self, root: Callable[..., Any]) -> Any:
        """Start a supervisor: ``root(scheduler=...)``; wait until all under it have started."""
        self.root = root(scheduler=self.scheduler)
        wait_started(self.root, SECONDS)
        return self.root

    def let_start(self, name: str) -> None:
        """The slow owner of this name has started."""
        self.slow.discard(name)
        self.look(lambda: [actor.started() for actor in self._owners() if actor.name == name])

    def look(self, function: Callable[[], Any]) -> Any:
        """Call it on the scheduler's thread, between two messages."""
        if self.scheduler.on_thread():
            raise WouldDeadlock("look() on the scheduler's thread")
        answer: list[Any] = []
        done = threading.Event()

        def call() -> None:
            answer.append(function())
            done.set()

        self.scheduler.post(call)
        assert done.wait(SECONDS)
        return answer[0]

    def alive(self) -> dict[str, int]:
        """Name and pid of all that live now."""
        return self.look(lambda: dict(self.pids))  # type: ignore[no-any-return]

    def kill(self, *names: str) -> None:
        """SIGKILL to their processes, all before anybody notices."""
        pids = [self.pids[name] for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def _owners(self) -> list[Owner]:
        return [actor for actor in self.scheduler._actors if isinstance(actor, Owner)]
