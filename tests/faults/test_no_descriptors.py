"""Descriptors or processes run out: starts fail, are counted and backed off, leave nothing, and succeed again.

In programs of their own, as these are taken from a whole process.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from support.scarcity import run

pytestmark = pytest.mark.fault(23)


def test_a_start_out_of_descriptors_fails_alone_and_leaves_none(tmp_path: Path) -> None:
    (needed,) = run(
        tmp_path,
        """
        with System({"default": PoolSpec(size=2, max_restarts=None)}) as system:
            for room in range(ROOM):
                serve()
                open_before, counts = descriptors(), pool().counts
                with Descriptors(room) as few:
                    os.kill(pool().executors[0].pid, signal.SIGKILL)
                    wait(lambda: pool().counts.deaths >= counts.deaths + 3 or pool().counts.started > counts.started)
                    assert pool().available
                    assert numbers(range(20)) == list(range(20))  # the other worker serves
                    if pool().counts.started > counts.started:
                        break
                    few.give_back()
                wait(lambda: pool().pool.ready == 2)
                now = pool().counts
                assert now.started == counts.started + 1, (now, counts)
                assert now.exits == {"SIGKILL": room + 1} and now.kills == {}, now
                # Each that died or could not be made was counted, and started again.
                assert now.deaths - counts.deaths == now.restarts[0] - counts.restarts.get(0, 0) >= 3
                assert descriptors() == open_before, (descriptors(), open_before)
                # Scheduler, guardian, two of the pool's memory, and six a worker.
                assert system.statistics().descriptors == 3 + 1 + 2 + 2 * 6
            serve()
            assert pool().counts.started == counts.started + 1
            assert pool().counts.deaths == counts.deaths + 1
            print(room)
        """,
    )
    # Four pipes, and what the standard library needs for a moment.
    assert 8 < int(needed) < 14


def test_failed_starts_are_backed_off_each_longer_than_the_last(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        delays = []
        with System({"default": PoolSpec(size=1, max_restarts=None)}) as system:
            numbers([1])
            with telemetry.attach("slither.supervisor.restart", lambda event: delays.append(event.metadata["delay"])):
                with Descriptors(0):
                    os.kill(pool().executors[0].pid, signal.SIGKILL)
                    wait(lambda: len(delays) >= 5)
                wait(lambda: pool().pool.ready == 1)
                numbers([1])
                delays.append(None)
                os.kill(pool().executors[0].pid, signal.SIGKILL)
                wait(lambda: pool().counts.exits == {"SIGKILL": 2} and len(delays) > delays.index(None) + 1)
            print(*delays[:5], delays[-1])
        """,
    )
    # One that has answered since is started again at once.
    assert told == ["0.0 0.05 0.1 0.2 0.4 0.0"]


def test_a_pool_without_starts_gives_up_and_comes_back(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        with System({"default": PoolSpec(size=1, max_restarts=3)}) as system:
            numbers([1])
            # It is loaded: a death at the load would cost no attempt.
            system.dispatch.run([0], module="tasks", function="sleeps")
            stream = system.dispatch.stream(
                [60, 60], module="tasks", function="sleeps", batch_size=1, on_error=Retry(9, backoff=0.001)
            )
            def read():
                try:
                    next(stream)
                except DispatchError as error:
                    print(type(error.reason).__name__, type(error.reason.__cause__).__name__, error.unfinished)
            with Descriptors(0):
                reader = threading.Thread(target=read)
                reader.start()
                wait(lambda: pool().executors[0].in_pipe)  # sent to the worker, so that its death is an attempt
                os.kill(pool().executors[0].pid, signal.SIGKILL)
                reader.join(20)
                end = stream.statistics()
                print(end.pulled, end.dropped_by_halt, end.failed, end.retries)
                counts = pool().counts
                print(counts.started, dict(counts.exits), counts.deaths >= 4)
            wait(lambda: pool().available and pool().pool.ready == 1)
            print(numbers([1, 2]), pool().counts.started)
        """,
    )
    assert told == [
        "PoolUnavailable OSError [0, 1]",
        "2 2 1 1",
        "1 {'SIGKILL': 1} True",
        "[1, 2] 2",
    ]


def test_system_that_starts_without_any_says_so_and_leaves_none(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        import errno
        started = []
        for room in range(ROOM):
            before = descriptors()
            with Descriptors(room) as few:
                try:
                    system = System({"default": PoolSpec(size=1)}).start()
                except OSError as error:
                    assert error.errno == errno.EMFILE, error
                else:
                    started.append(room)
                    system.stop()
                few.give_back()
            assert descriptors() == before, room
            assert threading.enumerate() == [threading.main_thread()]
        print(started[0], started == list(range(started[0], ROOM)))
        """,
    )
    # The scheduler's three, the guardian's pipe, two of the pool's memory, and a worker's start on top of them.
    assert told in [[f"{6 + needed} True"] for needed in range(9, 15)]


def test_no_processes_and_no_threads(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        """
        import errno, subprocess
        STARTS = ["_start_joinable_thread", "_start_new_thread"]  # the first from CPython 3.13 on
        class Nothing:
            # The superuser has no such limit: there it is where the kernel is asked that it says no.
            def __enter__(self):
                self.limits = resource.getrlimit(resource.RLIMIT_NPROC)
                self.thread = next(name for name in STARTS if hasattr(threading, name))
                self.calls = subprocess._fork_exec, getattr(threading, self.thread)
                if os.getuid():
                    resource.setrlimit(resource.RLIMIT_NPROC, (0, self.limits[1]))
                    return
                def no_process(*arguments):
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
                def no_thread(*arguments, **named):
                    raise RuntimeError("can't start new thread")
                subprocess._fork_exec = no_process
                setattr(threading, self.thread, no_thread)
            def __exit__(self, *_):
                resource.setrlimit(resource.RLIMIT_NPROC, self.limits)
                subprocess._fork_exec = self.calls[0]
                setattr(threading, self.thread, self.calls[1])
        with System({"default": PoolSpec(size=2, max_restarts=None)}) as system:
            serve()
            counts, before = pool().counts, descriptors()
            with Nothing():
                os.kill(pool().executors[0].pid, signal.SIGKILL)
                wait(lambda: pool().counts.deaths >= counts.deaths + 3)
                print("made", pool().counts.started - counts.started, descriptors() - before)
                tell("in memory", lambda: numbers([1, 2]))
                tell("lazy", lambda: numbers(i for i in [1, 2]))
                tell("inline", lambda: len(system.dispatch.run([1, 2], executor=Inline)))
            wait(lambda: pool().pool.ready == 2)
            print("made", pool().counts.started - counts.started, descriptors() - before)
            tell("lazy", lambda: numbers(i for i in [1, 2]))
            tell("inline", lambda: len(system.dispatch.run([1, 2], executor=Inline)))
        """,
    )
    assert told == [
        "made 0 -6",
        "in memory [1, 2]",
        "lazy RuntimeError can't start new thread []",
        "inline RuntimeError can't start new thread [0]",
        "made 1 0",
        "lazy [1, 2]",
        "inline 2",
    ]
