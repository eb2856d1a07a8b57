"""The clients of the soak: each does one kind of run after the other, and looks at every result."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from slither_actors import (
    BatchTimeout,
    Context,
    DispatchError,
    Item,
    ProtocolError,
    Retry,
    Route,
    SessionLost,
    System,
    WorkerCrashed,
    WorkerError,
)
from slither_actors.strategies import FixedBatch, KeyPartition, WeightedBatch
from support.soak.books import Books, Wrong, check, of_a_load

HARM = (WorkerCrashed, BatchTimeout, ProtocolError)
"""What the killer does to batches that are not at fault."""
TIMEOUT = 3.0
"""Seconds of a batch. A worker that was stopped by a signal is found by it."""
RETRY: dict[str, Any] = {"backoff": 0.01, "max_backoff": 0.1}


def payloads_of(rng: random.Random, bad: Iterable[str] = (), most: int = 600) -> list[tuple[str, int]]:
    """Good ones mostly, and of the bad ones a few."""
    kinds = ["ok"] * 30 + ["naps", "prints", "keeps"]
    payloads = [(rng.choice(kinds), number) for number in range(rng.randrange(1, most))]
    for kind in bad:
        for _ in range(rng.randrange(3)):
            number = rng.randrange(len(payloads))
            payloads[number] = (kind, number)
    return payloads


def routed(item: Item, reason: Exception) -> Item:
    return item.put_meta(routed=reason)


class Client:
    """One thread's worth of runs.

    Args:
        system: with the pools "default" and "sessions".
        books: of all clients.
        seed: of its choices.
    """

    def __init__(self, system: System, books: Books, seed: int) -> None:
        self.system = system
        self.books = books
        self.rng = random.Random(seed)
        self.kinds: list[Callable[[], None]] = [
            self.retried,
            self.split,
            self.skipped,
            self.sent_elsewhere,
            self.halting,
            self.session,
            self.closing,
            self.dropped,
            self.one_batch,
        ]

    def work(self, over: Callable[[], bool]) -> None:
        """Run after run, until it is over."""
        while not over():
            kind = self.rng.choice(self.kinds)
            try:
                kind()
            except Wrong as wrong:
                self.books.note(f"{kind.__name__}: {wrong}")
            except Exception as error:
                self.books.note(f"{kind.__name__} raised {error!r}")
            self.books.add(runs=1)

    # -- pieces

    def options(self, *, opaque: bool = False) -> dict[str, Any]:
        rng = self.rng
        strategies: list[Any] = [
            FixedBatch(rng.choice([1, 4, 16, 50])),
            WeightedBatch(lambda item: 1 + item.payload[1] % 5, max_weight=30),
            KeyPartition(key_fn=lambda item: item.payload[1] % 3, batch_size=8),
        ]
        return {
            "module": "mixed",
            "function": "all_at_once",
            "strategy": strategies[0] if opaque else rng.choice(strategies),
            "ordering": rng.choice(["preserve", "as_completed"]),
            "max_in_flight": rng.randrange(1, 5),
            "timeout": TIMEOUT,
        }

    def source(self, payloads: list[tuple[str, int]]) -> Any:
        return payloads if self.rng.random() < 0.5 else (payload for payload in payloads)

    def through(self, payloads: list[tuple[str, int]], allowed: tuple[type[Exception], ...], **options: Any) -> None:
        """A run to its end, whatever that is."""
        stream = self.system.dispatch.stream(self.source(payloads), **{**self.options(), **options})
        got: list[Item] = []
        try:
            got.extend(stream)
        except DispatchError as error:
            check([*got, *error.partial_results], payloads, allowed)
            self.books.failed([item.id for item in got], error, stream.statistics())
            return
        check(got, payloads, allowed)
        ids = [item.id for item in got]
        if options.get("ordering", "") == "preserve" and ids != sorted(ids):
            raise Wrong("out of order")
        self.books.finished(ids, len(payloads), stream.statistics())

    # -- kinds of runs

    def retried(self) -> None:
        self.through(
            payloads_of(self.rng), (), ordering="preserve", strategy=FixedBatch(8), on_error=Retry(30, **RETRY)
        )

    def split(self) -> None:
        self.through(
            payloads_of(self.rng, ["fails", "dies", "exits"], 200),
            (*HARM, WorkerError),
            on_error=Retry(5, split=True, then="skip", **RETRY),
        )

    def skipped(self) -> None:
        function = self.rng.choice(["all_at_once", "alone"])
        self.through(payloads_of(self.rng, ["fails", "dies"]), (*HARM, WorkerError), function=function, on_error="skip")

    def sent_elsewhere(self) -> None:
        self.through(
            payloads_of(self.rng, ["fails"]), (*HARM, WorkerError), function="one", each=True, on_error=Route(routed)
        )

    def halting(self) -> None:
        self.through(payloads_of(self.rng, ["fails", "exits"]), (), on_error="halt")

    def session(self) -> None:
        """A session counts its batches; where it was lost, and told so, it counts from 1 again."""
        bad = self.rng.random() < 0.3
        payloads = [("ok", number) for number in range(self.rng.randrange(1, 30))]
        if bad:
            payloads[len(payloads) // 2] = ("dies", len(payloads) // 2)
        stream = self.system.dispatch.stream(
            payloads,
            pool="sessions",
            command="count",
            batch_size=1,
            on_error="skip",
            timeout=TIMEOUT,
            context=Context.new(session_id=f"session {self.rng.randrange(1 << 60)}"),
        )
        before, told = 0, False
        got: list[Item] = []
        try:
            got.extend(stream)
        except DispatchError as error:
            self.books.failed([item.id for item in got], of_a_load(error), stream.statistics())
            return
        for item in got:
            if "skipped" in item.meta:
                if not isinstance(item.meta["error"], (*HARM, SessionLost)):
                    raise Wrong(f"a session's batch was skipped for {item.meta['error']!r}")
                told = True
                continue
            if item.payload != before + 1 and not (told and item.payload == 1):
                raise Wrong(f"a session that was at {before} is at {item.payload}, told of its loss: {told}")
            before, told = item.payload, False
        self.books.finished([item.id for item in got], len(payloads), stream.statistics())

    def closing(self) -> None:
        """The consumer has enough, at any time; with what hangs in a batch, as often as not."""
        payloads = payloads_of(self.rng, ["hangs"] if self.rng.random() < 0.2 else ())
        wanted = self.rng.randrange(len(payloads))
        stream = self.system.dispatch.stream(
            self.source(payloads), **{**self.options(opaque=True), "timeout": 1.0}, on_error="skip"
        )
        got: list[Item] = []
        try:
            with stream:
                for item in stream:
                    got.append(item)
                    if len(got) > wanted:
                        break
        except DispatchError as error:
            self.books.failed([item.id for item in got], of_a_load(error), stream.statistics())
            return
        check(got, payloads, HARM)
        self.books.closed([item.id for item in got], stream.statistics)

    def dropped(self) -> None:
        """It is not closed: its last reference is dropped."""
        payloads = payloads_of(self.rng)
        stream = self.system.dispatch.stream(self.source(payloads), **self.options(opaque=True), on_error="skip")
        try:
            item = next(stream)
        except DispatchError as error:
            self.books.failed([], of_a_load(error), stream.statistics())
            return
        check([item], payloads, HARM)
        del stream
        self.books.add(items=1, dropped_streams=1)

    def one_batch(self) -> None:
        payloads = payloads_of(self.rng, most=50)
        try:
            got = self.system.dispatch.call_batch(
                payloads, module="mixed", function="all_at_once", timeout=TIMEOUT, on_error=Retry(30, **RETRY)
            )
        except DispatchError as error:
            self.books.failed([], error, None)
            return
        check(got, payloads, ())
        self.books.finished([item.id for item in got], len(payloads), None)
