"""A host with SIGPIPE at its default, as programs in front of ``| head`` have it: no death of a worker ends it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from support import scripts

from slither_actors.executors import InlineExecutor
from supervisors import DaemonActor, LightActor, Scheduler, monitor

PROGRAM = """
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
with System({"default": PoolSpec(size=1, path=[sys.path[1]], max_restarts=None)}) as system:
    %s
print("done")
"""


def outcome(folder: Path, body: str) -> list[str]:
    done = scripts.run(folder, PROGRAM.strip() % body.replace("\n", "\n    "))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_workers_that_crash_with_requests_behind_them(tmp_path: Path) -> None:
    body = """
for number in range(20):
    # What is sent is larger than the pipe, so that the write is under way when its reader dies.
    payloads = [b"x" * 3_000_000 for _ in range(4)]
    try:
        system.dispatch.run(payloads, module="os", function="_exit", each=True, batch_size=1, max_in_flight=1)
    except Exception as error:
        kind = type(getattr(error, "reason", error)).__name__
print(kind)"""
    assert outcome(tmp_path, body) == ["WorkerError", "done"]


def test_a_worker_that_closes_its_pipe_and_is_written_to(tmp_path: Path) -> None:
    body = """
from slither_actors.errors import DispatchError
def killed(number):
    executor = system.statistics().pools["default"].executors[0]
    host = system._links["default"].executors[0]._host
    held, go_on = threading.Event(), threading.Event()
    system._scheduler.post(lambda: (held.set(), go_on.wait(20)))
    held.wait(20)
    os.kill(executor.pid, signal.SIGKILL)  # the scheduler cannot have noticed when it writes
    os.waitid(os.P_PID, executor.pid, os.WEXITED | os.WNOWAIT)
    stream = system.dispatch.stream(range(4), module="operator", function="neg", each=True, on_error=Retry())
    waiting = threading.Thread(target=lambda: results.append([item.payload for item in stream]))
    waiting.start()
    while len(system._scheduler._ready) < 2:
        time.sleep(0.001)
    go_on.set()
    waiting.join(20)
results = []
for number in range(10):
    killed(number)
print(results == [[0, -1, -2, -3]] * 10)"""
    assert outcome(tmp_path, body) == ["True", "done"]


def test_a_guardian_that_was_killed(tmp_path: Path) -> None:
    body = """
for number in range(3):
    guardian = system._tree.guardian
    os.kill(guardian, signal.SIGKILL)
    os.waitid(os.P_PID, guardian, os.WEXITED | os.WNOWAIT)
    os.kill(system.statistics().pools["default"].executors[0].pid, signal.SIGKILL)
    print([item.payload for item in system.dispatch.run([1], module="operator", function="neg", each=True,
           on_error=Retry())])"""
    assert outcome(tmp_path, body) == ["[-1]"] * 3 + ["done"]


def test_a_stop_while_others_send(tmp_path: Path) -> None:
    body = """
go_on = True
def send():
    while go_on:
        system._scheduler.post(int)
        time.sleep(0.0001)  # or the scheduler would hardly get the interpreter lock
senders = [threading.Thread(target=send) for _ in range(4)]
for sender in senders:
    sender.start()
system.stop()
go_on = False
for sender in senders:
    sender.join()"""
    assert outcome(tmp_path, body) == ["done"]


def test_workers_have_signals_as_any_python_program(tmp_path: Path) -> None:
    (tmp_path / "inside.py").write_text(
        "import signal, subprocess\n"
        "def signals(_):\n"
        "    out = subprocess.run(['sh', '-c', 'grep Sig[Blk] /proc/self/status; yes | head -n 1'],\n"
        "                         capture_output=True, text=True)\n"
        "    mask = [int(line.split()[1], 16) for line in out.stdout.splitlines() if line.startswith('SigBlk')]\n"
        "    ignored = signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN\n"
        "    return ignored, list(signal.pthread_sigmask(0, ())), mask, out.stderr\n"
    )
    body = f"""
sys.path.insert(0, {str(tmp_path)!r})
with System({{"default": PoolSpec(size=1, path=[{str(tmp_path)!r}])}}) as other:
    [item] = other.dispatch.run([0], module="inside", function="signals", each=True)
print(item.payload)"""
    assert outcome(tmp_path, body) == ["(True, [], [0], '')", "done"]


def mask() -> set[Any]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_threads_of_users_find_the_signal_as_the_program_has_it(tmp_path: Path) -> None:
    masks: dict[str, Any] = {}
    ended = threading.Event()

    class Worker(DaemonActor):
        def on_start(self) -> None:  # type: ignore[override]
            masks["actor"] = mask()
            self.stop()

    class Starter(LightActor):
        def on_start(self) -> None:
            masks["scheduler"] = mask()
            monitor(Worker.start(), lambda down: ended.set())
            self.scheduler.background.submit(lambda: masks.__setitem__("side", mask()))

    scheduler = Scheduler("signals")
    scheduler.start()
    try:
        Starter.start(scheduler=scheduler)
        assert ended.wait(20)
        assert scheduler.background.flush(20)
    finally:
        scheduler.stop()
    assert masks["scheduler"] - mask() == {signal.SIGPIPE}
    assert masks["actor"] == masks["side"] == mask()


def test_inline_executors_too() -> None:
    from slither_actors import System

    masks: list[Any] = []

    class Inline(InlineExecutor):
        def execute_batch(self, batch: Any, context: Any, options: Any) -> Any:
            masks.append(mask())
            return batch

    with System({"default": {"size": 1}}) as system:
        system.dispatch.run([1], executor=Inline)
    assert masks == [mask()]


@pytest.mark.parametrize("blocked", [True, False])
def test_a_program_that_blocks_it_keeps_it_blocked(blocked: bool) -> None:
    masks: list[Any] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK if blocked else signal.SIG_UNBLOCK, {signal.SIGPIPE})
    try:
        scheduler = Scheduler("masked")
        scheduler.start()
        scheduler.post(lambda: scheduler.background.submit(lambda: masks.append(mask())))
        while not masks:
            pass
        scheduler.stop()
        assert (signal.SIGPIPE in masks[0]) == blocked
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
