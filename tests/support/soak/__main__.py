"""The soak: a host with two pools, clients of every kind, and threads that kill workers. Prints what came of it."""

from __future__ import annotations

import argparse
import itertools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from slither_actors import PoolSpec, System, telemetry
from support.killer import Killer
from support.soak.books import Books
from support.soak.clients import Client
from support.soak.loop import loop_of_clients
from support.soak.measure import Meter, Sample, growth, sample
from support.worker import FUNCTIONS

SIGNALS = (signal.SIGKILL, signal.SIGABRT, signal.SIGTERM, signal.SIGSTOP)
CLIENTS, TASKS = 5, 4
"""Threads with one run after the other each, and tasks of one event loop."""
QUIET = 30.0
"""Seconds that the system gets to be as it was at first, once all clients have gone."""


def pools() -> dict[str, PoolSpec]:
    common = {"path": [FUNCTIONS], "max_restarts": None, "shutdown": 1.0, "start_timeout": 10.0}
    return {
        "default": PoolSpec(size=4, max_batches=150, max_rss=100 << 20, **common),  # type: ignore[arg-type]
        "sessions": PoolSpec(size=2, adapter="mixed:Counting", affinity="strict", max_batches=100, **common),  # type: ignore[arg-type]
    }


def say(text: str) -> None:
    print(text, flush=True)


def settles(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def ready(system: System) -> bool:
    """Whether all workers of all pools are, and no run is under way."""
    statistics = system.statistics()
    return statistics.runs == 0 and all(
        each.pool is not None and each.pool.ready == each.pool.size and each.pool.in_pipes == 0
        for each in statistics.pools.values()
    )


class Soak:
    """One soak.

    Args:
        seconds: how long the clients work.
        seed: of all that is left to chance.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        self.seconds = seconds
        self.rng = random.Random(seed)
        self.books = Books()
        self.killers: list[Killer] = []
        self.wrong: list[str] = []

    def run(self) -> int:
        """From the first worker to the last. The exit code."""
        before = sample()
        heard = itertools.count()
        with System(pools(), name="soak") as system, telemetry.attach(telemetry.BATCH_STOP, lambda _: next(heard)):
            self._work(system)
            self._report(system)
            say(f"telemetry told of {next(heard)} batches, {system.statistics().dropped_events} events were dropped")
        if not settles(lambda: beyond(before, sample()) == [], QUIET):
            self.wrong += [f"after the system was stopped: {text}" for text in beyond(before, sample())]
        self.wrong += self.books.wrong
        for text in self.wrong:
            say(f"WRONG: {text}")
        return 1 if self.wrong else 0

    def _work(self, system: System) -> None:
        books, end = self.books, time.monotonic() + self.seconds
        began = time.monotonic()
        seeds = [self.rng.randrange(1 << 32) for _ in range(CLIENTS + TASKS + 2)]
        Client(system, Books(), seeds[0]).one_batch()  # what is started on first use is there from now on
        assert settles(lambda: ready(system), QUIET)
        idle = sample()

        def over() -> bool:
            return time.monotonic() > end or bool(books.wrong)

        threads = [
            threading.Thread(target=Client(system, books, seed).work, args=(over,), name=f"client {seed}")
            for seed in seeds[:CLIENTS]
        ]
        threads.append(
            threading.Thread(target=loop_of_clients, args=(system, books, seeds[CLIENTS : CLIENTS + TASKS], over))
        )
        self.killers = [
            Killer(system, seeds[-2], 0.25, SIGNALS, None),
            Killer(system, seeds[-1], 1.0, SIGNALS, None, pool="sessions"),
        ]
        meter = Meter()
        with ExitStack() as stack:
            for killer in self.killers:
                stack.enter_context(killer)
            meter.start()
            for thread in threads:
                thread.start()
            minute = 0
            while not over():
                time.sleep(0.2)
                if (time.monotonic() - began) // 60 > minute:
                    minute += 1
                    say(f"minute {minute}: {sample()}; {self._kills()} kills, {books.counts['runs']} runs")
        for thread in threads:
            thread.join(60.0)
            if thread.is_alive():
                self.wrong.append(f"a client is still at it a minute after the end: {thread.name}")
        meter.stop()
        if not books.wrong:
            self._compare(meter, began)
        if not settles(lambda: ready(system), QUIET):
            self.wrong.append(f"it does not come to rest: {system.statistics()}")
        if not settles(lambda: beyond(idle, sample()) == [], QUIET):
            self.wrong += [f"at rest again: {text}" for text in beyond(idle, sample())]
        say(f"at rest before: {idle}; after: {sample()}")

    def _compare(self, meter: Meter, began: float) -> None:
        """The first window, after the caches have filled, with the last."""
        window = min(60.0, self.seconds / 5)
        end = began + self.seconds
        first, last = meter.window(began + window / 2, began + 3 * window / 2), meter.window(end - window, end)
        say(f"first window: {first}\nlast window:  {last}")
        self.wrong += growth(first, last)

    def _kills(self) -> int:
        return sum(killer.kills for killer in self.killers)

    def _report(self, system: System) -> None:
        books = self.books.counts
        statistics = system.statistics()
        say(
            f"{self._kills()} kills ({', '.join(f'{name} {n}' for name, n in self._signals())}), "
            f"{books['runs']} runs, {books['items']} items, {books['retries']} retries, {books['skipped']} skipped, "
            f"{books['routed']} routed, {books['closed']} closed with {books['dropped']} items dropped, "
            f"{books['cancelled']} cancelled, {books['dropped_streams']} let go of, "
            f"duplicates {books['duplicates']}, losses {books['losses']}"
        )
        for name in sorted(name for name in books if name.startswith("failed: ")):
            say(f"runs that {name}: {books[name]}")
        for name, each in statistics.pools.items():
            counts = each.counts
            say(
                f"pool {name}: {counts.started} started, exits {dict(counts.exits)}, kills {dict(counts.kills)}, "
                f"recycled {dict(counts.recycled)}, {counts.deaths} deaths, {counts.redelivered} redelivered, "
                f"{counts.late} late, protocol errors {dict(counts.protocol_errors)}"
            )
            ended = sum(counts.exits.values())
            if counts.started != ended + each.pool.size:  # type: ignore[union-attr]
                self.wrong.append(f"{counts.started} workers of pool {name} were started, and {ended} have ended")
            if counts.protocol_errors:
                self.wrong.append(f"protocol errors of honest workers: {counts.protocol_errors}")
        if statistics.stuck_threads:
            self.wrong.append(f"{statistics.stuck_threads} threads are stuck")

    def _signals(self) -> list[tuple[str, int]]:
        total = sum((killer.sent for killer in self.killers[1:]), start=self.killers[0].sent.copy())
        return sorted(total.items())


def beyond(before: Sample, now: Sample) -> list[str]:
    """What there is more of than before, memory aside."""
    names = ("descriptors", "threads", "children")
    return [
        f"{name}: {getattr(before, name)} before, {getattr(now, name)} now"
        for name in names
        if getattr(now, name) > getattr(before, name)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m support.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else int.from_bytes(os.urandom(4), "big")
    say(f"seed {seed}, {arguments.seconds:g} s")
    return Soak(arguments.seconds, seed).run()


if __name__ == "__main__":
    sys.exit(main())
