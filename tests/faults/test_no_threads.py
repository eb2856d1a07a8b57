"""No thread is left: a start, a run, an event, a stop, each says so or makes do."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.scarcity import run

pytestmark = pytest.mark.fault(23)

# What threads do that cannot be started is the interpreter's concern, and the same for every reason: so here they are
# counted out, for a look at each moment at which there may be none.
THREADS = """
left = [1000]
really_start = threading.Thread.start

def start(thread):
    if left[0] <= 0:
        raise RuntimeError("can't start new thread")
    left[0] -= 1
    really_start(thread)

threading.Thread.start = start

def tell_and_allow(what, use):
    try:
        tell(what, use)
    finally:
        left[0] = 1000
"""


def test_each_start_of_a_thread_may_fail(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        THREADS
        + """
import asyncio
for number in range(3):
    system = System({"default": PoolSpec(size=1)})
    left[0] = number
    tell_and_allow(f"start {number}", lambda: system.start() is system)
    assert system.stop()
    assert threading.enumerate() == [threading.main_thread()]

async def arun(items):
    return len(await system.dispatch.arun(items, module="tasks", function="double"))

async def left_without():
    async with System({"default": PoolSpec(size=1)}) as own:
        left[0] = 0
    return own.stopped

with System({"default": PoolSpec(size=1)}) as system:
    threads = len(threading.enumerate())
    for number in range(3):
        left[0] = number
        tell_and_allow(f"lazy {number}", lambda: numbers(i for i in [1, 2]))
        left[0] = number
        tell_and_allow(f"async {number}", lambda: asyncio.run(arun(i for i in range(100))))
        left[0] = number
        tell_and_allow(f"inline {number}", lambda: len(system.dispatch.run(range(100), executor=Inline, batch_size=1)))
    wait(lambda: len(threading.enumerate()) == threads)
    left[0] = 0
    with telemetry.attach(telemetry.BATCH_STOP, print):
        tell_and_allow("events", lambda: len(numbers([1, 2])))
    print("dropped", system.statistics().dropped_events >= 2)
    print("runs", system.statistics().runs, system.statistics().stuck_threads)
tell_and_allow("left", lambda: asyncio.run(left_without()))
print("stopped", system.stop())
""",
    )
    none = "RuntimeError can't start new thread []"
    assert told == [
        "start 0 can't start new thread",
        "start 1 can't start new thread",
        "start 2 True",
        f"lazy 0 {none}",
        f"async 0 {none}",
        "inline 0 RuntimeError can't start new thread [0]",
        f"lazy 1 {none}",
        f"async 1 {none}",
        "inline 1 100",
        "lazy 2 [1, 2]",
        "async 2 100",
        "inline 2 100",
        "events 2",
        "dropped True",
        "runs 0 0",
        "left True",
        "stopped True",
    ]
