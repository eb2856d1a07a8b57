"""What a batch costs, counted: a regression is seen without a clock, on any machine.

The ceilings are what it takes today with the CPython that takes most, and a tenth more. Lower them when it becomes
less; a change that raises one says why. `python -m pytest tests/counts -s` shows the counts, by function.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from architecture.imports import ROOT
from support import scripts
from support.one_thread import MESSAGES, OPCODES, READS, WRITES, OneThread

from slither_actors import PoolSpec, System
from slither_actors.pools.hosts import gil_io, local
from supervisors.runtime import poller

WORKLOADS = {"A": (64_000, 64), "C": (1000, 1)}
"""As `tests.benchmarks` has them: payloads (fewer), and how many of them are a batch."""
workloads = pytest.mark.parametrize(("payloads", "size"), WORKLOADS.values(), ids=WORKLOADS)


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[OneThread]:
    with OneThread(monkeypatch) as made:
        made.run(list(range(640)), 64)  # what is made or loaded once is there
        yield made


@workloads
def test_on_the_host_without_the_kernel(one_thread: OneThread, payloads: int, size: int) -> None:
    results, counts = one_thread.run(list(range(payloads)), size)
    assert results == list(range(payloads))
    cost = {what: count / (payloads // size) for what, count in counts.items()}
    print(f"\nhost, a batch: {cost}", *one_thread.by_function.most_common(20), sep="\n")
    # Several frames a read and a write, several replies a message, whatever is in them.
    assert cost[WRITES] <= 0.12
    assert cost[READS] <= 0.12
    assert cost[MESSAGES] <= 0.07
    assert 100 < cost[OPCODES] <= 840


@workloads
def test_of_a_worker_without_the_kernel(tmp_path: Path, payloads: int, size: int) -> None:
    done = scripts.run(
        tmp_path,
        f"""
        import itertools
        sys.path.insert(0, {str(ROOT / "tests")!r})
        from support.opcodes import Opcodes
        from slither_actors.wire import frames as wire
        from slither_actors.wire.codec import encode
        from slither_actors.wire.messages import Hello, Load, call_side
        from slither_actors.worker import channel
        from slither_actors.worker.channel import Channel
        from slither_actors.worker.loop import Loop
        # What it does now and then, by the clock: a batch takes some 10 us, and much longer while it is counted.
        channel.monotonic = itertools.count(0.0, 0.00001).__next__
        batches = 200
        (requests, ask), (answers, reply) = os.pipe(), os.pipe()
        loop = Loop(Channel(requests, reply))
        def send(*frames):
            os.write(ask, b"".join(frames))
        send(
            wire.pack_frame(wire.HELLO, 0, Hello(path=sys.path, max_batches=batches).to_body()),
            wire.pack_frame(wire.LOAD, 1, Load(1, "tests.benchmarks.work", "identity").to_body()),
        )
        body = encode(list(range(1000, 1000 + {size})))
        send(*(
            wire.pack_frame(wire.CALL, number, body, side=call_side(1, None), count={size})
            for number in range(2, 2 + batches)
        ))
        loop._start()
        with Opcodes() as opcodes:
            loop._serve()  # until it has executed that many
        replies = wire.FrameParser(accepts=wire.FROM_WORKER).feed(os.read(answers, 1 << 20))
        assert [frame.kind for frame in replies[2:]] == [wire.REPLY] * batches + [wire.RETIRE]
        print(opcodes.total / batches)
        for name, count in opcodes.by_function.most_common(10):
            print(name, count / batches)
        """,
    )
    assert done.returncode == 0, done.stderr
    print(f"\nworker, a batch: {done.stdout}")
    assert 100 < float(done.stdout.split()[0]) <= 375


@workloads
def test_system_calls_of_the_host(monkeypatch: pytest.MonkeyPatch, payloads: int, size: int) -> None:
    """With real workers it depends on the machine how many replies come at a time; these are the most there can be."""
    calls: Counter[str] = Counter()

    def counted(holder: Any, name: str) -> None:
        call: Callable[..., Any] = getattr(holder, name)

        def counts(*arguments: Any) -> Any:
            calls[name] += 1
            return call(*arguments)

        monkeypatch.setattr(holder, name, counts)

    with System({"default": PoolSpec(size=2)}) as system:
        options: dict[str, Any] = {"module": "tests.benchmarks.work", "function": "identity", "batch_size": size}
        system.dispatch.run([1], **options)
        counted(gil_io, "write")
        counted(gil_io, "read_to")
        counted(local.os, "readv")
        counted(local.os, "writev")
        counted(poller.Poller, "poll")
        results = system.dispatch.run(list(range(payloads)), **options)
    assert [item.payload for item in results] == list(range(payloads))
    cost = {name: count / (payloads // size) for name, count in calls.items()}
    print(f"\nsystem calls, a batch: {cost}")
    assert cost["write"] <= 1.1
    assert cost["read_to"] <= 2.2
    assert cost["poll"] <= 3
    assert cost.get("readv", 0) + cost.get("writev", 0) <= 0.1
