"""Our time as a multiple of `multiprocessing.Pool(2).imap`, on four workloads, in turn in one run.

    python -m tests.benchmarks.against_imap [--rounds 7] [A B C D]

Both pools have two workers, started by spawn and warmed; results are compared. Ordering, backpressure, timeouts and
supervision are on. Below 1 we are faster.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

from slither_actors import PoolSpec, System
from tests.benchmarks import work

TEXT = "abcdefghijklmnopqrstuvwxyz "


def _dicts(count: int) -> list[dict[str, Any]]:
    rng = random.Random(1)
    return [{"id": i, "text": "".join(rng.choices(TEXT, k=100)), "score": 0.5} for i in range(count)]


def _blobs() -> list[bytes]:
    return [os.urandom(1 << 20) for _ in range(64)] * 8


WORKLOADS: dict[str, tuple[str, Callable[[], Any], Callable[..., Any], Callable[..., Any], int]] = {
    "A": ("100,000 ints, identity, batch 64", lambda: range(100_000), work.identity, work.identity_one, 64),
    "B": ("50,000 dicts, one key added, batch 64", lambda: _dicts(50_000), work.add_key, work.add_key_one, 64),
    "C": ("5,000 ints, batch 1", lambda: range(5_000), work.identity, work.identity_one, 1),
    "D": ("512 x 1 MiB of bytes to length, batch 1", _blobs, work.length, work.length_one, 1),
}


def _time(results: Callable[[], Iterable[Any]]) -> tuple[float, list[Any]]:
    begin = time.perf_counter()
    collected = list(results())
    return time.perf_counter() - begin, collected


def _rounds(system: System, peer: Any, name: str, rounds: int) -> str:
    title, make, function, function_one, batch = WORKLOADS[name]
    data = make()
    ours, theirs = [], []
    for number in range(rounds + 1):
        mine, items = _time(lambda: system.dispatch.stream(data, function=function, batch_size=batch))
        imap, values = _time(lambda: peer.imap(function_one, data, chunksize=batch))
        assert [item.payload for item in items] == values
        if number:  # the first round warms both
            ours.append(mine)
            theirs.append(imap)
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return (
        f"{name}  {title:42} ours {statistics.median(ours):.3f} s  imap {statistics.median(theirs):.3f} s  "
        f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


def main() -> None:
    """Run the workloads and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="A, B, C or D; all unless given")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    peer = multiprocessing.get_context("spawn").Pool(2)
    with System(pools={"default": PoolSpec(size=2)}) as system:
        for name in arguments.workloads or WORKLOADS:
            print(_rounds(system, peer, name, arguments.rounds), flush=True)
    peer.terminate()
    peer.join()


if __name__ == "__main__":
    main()
