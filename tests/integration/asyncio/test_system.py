"""``async with System``, and the default System, from an event loop that goes on meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import scripts
from support.gates import pids_in, wait_gone
from support.loops import Heart, until
from support.worker import FUNCTIONS

from slither_actors import (
    BatchTimeout,
    Dispatch,
    DispatchError,
    LoadError,
    PoolSpec,
    System,
    SystemStopped,
    WorkerCrashed,
)

DOUBLE: dict[str, Any] = {"module": "tasks", "function": "double"}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[dict[str, PoolSpec]]:
    """A pool whose one worker writes its pid and does not get ready before the file "go" is there."""
    (tmp_path / "slow_start.py").write_text(
        "import os, time\n"
        f"with open({str(tmp_path / 'pids')!r}, 'a') as file: file.write(f'{{os.getpid()}}\\n')\n"
        f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.005)\n"
    )
    return {"default": PoolSpec(size=1, path=[str(tmp_path), FUNCTIONS], preload=["slow_start"])}


def test_the_loop_goes_on_while_a_system_starts_and_stops(slow: dict[str, PoolSpec], tmp_path: Path) -> None:
    (tmp_path / "slow_end.py").write_text(
        "import os, time\n"
        "from slither_actors.worker import Adapter\n"
        "class Slow(Adapter):\n"
        "    def terminate(self):\n"
        f"        while not os.path.exists({str(tmp_path / 'end')!r}): time.sleep(0.005)\n"
        f"        open({str(tmp_path / 'ended')!r}, 'w').close()\n"
    )
    pools = {"default": dataclasses.replace(slow["default"], adapter="slow_end:Slow")}

    async def main() -> System:
        async with Heart() as heart:

            async def touch(name: str) -> None:  # which only a loop that goes on does
                beats = heart.beats
                await until(lambda: heart.beats > beats + 20)
                (tmp_path / name).touch()

            going = asyncio.create_task(touch("go"))
            async with System(pools) as system:
                await going
                assert [item.payload for item in await Dispatch.arun([1, 2], **DOUBLE)] == [2, 4]
                ending = asyncio.create_task(touch("end"))
            await ending
        assert (tmp_path / "ended").exists()  # else its worker was killed after `shutdown` seconds
        return system

    system = asyncio.run(main())
    assert system.stopped
    with pytest.raises(SystemStopped):
        asyncio.run(system.dispatch.arun([1], **DOUBLE))


def test_a_start_that_fails_says_why_and_leaves_nothing() -> None:
    async def main() -> None:
        async with System({"default": PoolSpec(size=2, preload=["there_is_no_such_module"])}):
            pytest.fail("it started")

    with pytest.raises(LoadError, match="there_is_no_such_module"):
        asyncio.run(main())


def test_a_start_that_is_cancelled_leaves_nothing(slow: dict[str, PoolSpec], tmp_path: Path) -> None:
    system = System(slow)

    async def enter() -> None:
        async with system:
            pytest.fail("it started")

    async def main() -> None:
        task = asyncio.create_task(enter())
        (pid,) = await asyncio.to_thread(pids_in, tmp_path / "pids")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert system.stopped
        wait_gone(pid)

    asyncio.run(main())


def test_stop_goes_to_its_end_when_task_is_cancelled_meanwhile(tmp_path: Path) -> None:
    system = System({"default": PoolSpec(size=1, path=[FUNCTIONS], shutdown=0.5)})

    async def use(inside: asyncio.Future[int]) -> None:
        async with system:
            await system.dispatch.arun([1], module="tasks", function="ignores_terminate")
            asyncio.create_task(_ignored(system, tmp_path))  # noqa: RUF006  # it hangs, and fails when the System stops
            await asyncio.to_thread(pids_in, tmp_path / "hangs")
            pid = system.statistics().pools["default"].executors[0].pid
            assert pid is not None
            inside.set_result(pid)

    async def main() -> None:
        inside = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(use(inside))
        pid = await inside
        for _ in range(3):
            await asyncio.sleep(0.02)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        wait_gone(pid, seconds=0.5)  # it was gone when the block was left

    asyncio.run(main())


@pytest.mark.parametrize("where", ["start", "body", "stop"])
def test_a_task_that_is_dropped_with_its_loop_stops_its_system(where: str, eventually: Callable[..., None]) -> None:
    """A generator that is dropped leaves its `with`, and so does a coroutine."""
    system = System({"default": PoolSpec(size=1)})
    inside: list[bool] = []

    async def main() -> None:
        async with system:
            inside.append(True)
            await asyncio.Event().wait()

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, what: None)  # asyncio complains of the task
    task = loop.create_task(main())
    loop.run_until_complete(asyncio.sleep(0))
    while where != "start" and not inside:
        loop.run_until_complete(asyncio.sleep(0.01))
    if where == "stop":
        task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del task

    def stopped() -> bool:
        gc.collect()  # more than once: the thread of the start has hold of the task
        return system.stopped

    try:
        eventually(stopped)
    finally:
        system.stop()


async def _ignored(system: System, folder: Path) -> None:
    with pytest.raises(Exception, match="stopped"):
        await system.dispatch.arun([str(folder / "hangs")], module="tasks", function="hangs", timeout=None)


def test_runs_under_way_end_with_the_system(tmp_path: Path) -> None:
    async def main() -> None:
        async with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system:
            run = asyncio.create_task(
                system.dispatch.arun([str(tmp_path / "hangs")], module="tasks", function="hangs", timeout=None)
            )
            await asyncio.to_thread(pids_in, tmp_path / "hangs")
        with pytest.raises(Exception, match="stopped") as caught:
            await run
        assert isinstance(caught.value.reason, SystemStopped)  # type: ignore[attr-defined]

    asyncio.run(main())


def test_timeouts_and_deaths_are_same_errors_as_in_sync_runs(
    tmp_path: Path,
) -> None:
    async def main() -> tuple[Any, Any]:
        async with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system:
            with pytest.raises(DispatchError) as late:
                await system.dispatch.arun([str(tmp_path / "pid")], module="tasks", function="hangs", timeout=0.2)
            with pytest.raises(DispatchError) as dead:
                await system.dispatch.arun([7], module="tasks", function="exits_at_once")
            assert [item.payload for item in await system.dispatch.arun([1], **DOUBLE)] == [2]
        wait_gone(*pids_in(tmp_path / "pid"), seconds=1)
        return late.value.reason, dead.value.reason

    late, dead = asyncio.run(main())
    assert isinstance(late, BatchTimeout)
    assert isinstance(dead, WorkerCrashed)
    assert dead.exit_code == 7


def test_a_drain_lets_runs_finish_and_takes_no_new_ones(tmp_path: Path) -> None:
    async def main() -> None:
        async with System({"default": PoolSpec(size=1, path=[FUNCTIONS])}) as system:
            run = asyncio.create_task(system.dispatch.arun([0.2] * 3, module="tasks", function="sleeps", batch_size=1))
            await until(lambda: system.statistics().runs == 1)
            drain = asyncio.create_task(asyncio.to_thread(system.drain, 20))
            await until(lambda: not system.health().ready)
            with pytest.raises(SystemStopped):
                await system.dispatch.arun([1], **DOUBLE)
            assert len(await run) == 3
            assert (await drain).drained

    asyncio.run(main())


def test_the_default_system_starts_without_blocking_the_loop(tmp_path: Path) -> None:
    done = scripts.run(
        tmp_path,
        """
        import asyncio
        async def main():
            loop, real_start = asyncio.get_running_loop(), System.start
            def start(self):
                went_on = threading.Event()
                loop.call_soon_threadsafe(went_on.set)
                print("starts", went_on.wait(20))
                return real_start(self)
            System.start = start
            left = Dispatch.astream([1], module="operator", function="neg", each=True)
            await left.aclose()
            stream = Dispatch.astream([1, 2], module="operator", function="neg", each=True)
            print(stream.statistics().pulled)
            print([item.payload async for item in stream])
            print([item.payload for item in await Dispatch.arun([3], module="operator", function="neg", each=True)])
            try:
                Dispatch.astream([1], module="operator", function="neg", eech=True)
            except OptionError as error:
                print("each" in str(error))
        asyncio.run(main(), debug=True)
        """,
    )
    assert done.stdout.splitlines() == ["0", "starts True", "[-1, -2]", "[-3]", "True"], done.stderr
    assert done.returncode == 0
