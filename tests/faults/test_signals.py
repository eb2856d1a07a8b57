"""SIGTERM and Ctrl-C: one orderly drain within its limit, then force; exit code 143 or 130; no process is left."""

from __future__ import annotations

import signal
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commands import FUNCTIONS, Running
from support.gates import Gates, pids_in, wait_gone
from support.hosts import MARK, Host, host

pytestmark = [
    pytest.mark.fault(22),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="survivors are found in /proc"),
]

BOTH = pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])

# A service: one run under way in a thread, the main thread waits for the signal. GATE is of the run's third batch.
SERVICE = """
class Service:
    def __init__(self, **spec):
        self.system = System({"default": PoolSpec(size=1, **spec)}).start()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        stream = self.system.dispatch.stream(
            [1, 2, (3, GATE), 4, 5], module="tasks", function="through_gates", batch_size=1, timeout=None
        )
        got = []
        try:
            got.extend(item.payload for item in stream)
        except DispatchError as error:
            got.extend(item.payload for item in error.partial_results)
            print(type(error.reason).__name__, error.unfinished, flush=True)
        end = stream.statistics()
        print(got, end.pulled, end.emitted, end.dropped, end.pulled == end.accounted, flush=True)

    def listen(self):
        while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            time.sleep(0.005)
        print("listening", flush=True)

    def main(self, limit):
        self.thread.start()
        threading.Thread(target=self.listen).start()
        number, report = self.system.run_until_signal(limit)
        self.thread.join()
        print(report.drained, report.completed, report.dropped, report.stopped, flush=True)
        sys.exit(128 + number)
"""


@contextmanager
def service(folder: Path, main: str) -> Iterator[Host]:
    """A program with `SERVICE`, once the third batch of its run has begun."""
    gates = Gates(folder)
    with host(folder, f"GATE = {gates['third']!r}\n{SERVICE}\n{textwrap.dedent(main)}") as program:
        gates.wait_begun("third")
        yield program


# Says when the drain has begun, which is when new runs are refused.
TELLS = """
class TellingService(Service):
    def main(self, limit):
        threading.Thread(target=self.tell).start()
        super().main(limit)

    def tell(self):
        while "the System is draining" not in self.system.health().reasons:
            time.sleep(0.005)
        print("draining", flush=True)
"""


@BOTH
def test_the_run_under_way_is_finished_and_then_program_ends(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with service(tmp_path, TELLS + "TellingService().main(30)") as program:
        assert program.line() == "listening"
        program.process.send_signal(number)
        assert program.line() == "draining"
        Gates(tmp_path).open("third")
        assert program.line() == "[1, 2, 3, 4, 5] 5 5 0 True"
        assert program.line() == "True 1 0 True"
        assert program.process.wait(20) == code
        assert program.family() == set()


@BOTH
def test_over_its_limit_a_drain_ends_and_names_the_unfinished(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with service(tmp_path, "Service(shutdown=0.2).main(0.2)") as program:
        assert program.line() == "listening"
        program.process.send_signal(number)
        assert program.line() == "SystemStopped [2, 3, 4]"
        assert program.line() == "[1, 2] 5 2 3 True"
        assert program.line() == "False 0 1 True"
        assert program.process.wait(20) == code
        assert program.family() == set()


@BOTH
def test_a_second_signal_ends_the_drain_at_once(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with service(tmp_path, TELLS + "TellingService(shutdown=0.2).main(3600)") as program:
        assert program.line() == "listening"
        program.process.send_signal(number)
        assert program.line() == "draining"
        program.process.send_signal(number)
        assert program.line() == "SystemStopped [2, 3, 4]"
        assert program.line() == "[1, 2] 5 2 3 True"
        assert program.line() == "False 0 1 True"
        assert program.process.wait(20) == code
        assert program.family() == set()


@pytest.mark.parametrize(
    "end",
    [
        "service.system.stop",
        "lambda: [(time.sleep(0.01), service.system.actor('a').tell('die')) for _ in range(10_000)]",
    ],
    ids=["stopped by another thread", "its supervisor gave up"],
)
def test_waiting_for_a_signal_ends_when_the_system_ends(tmp_path: Path, end: str) -> None:
    main = f"""
    from supervisors import ChildSpec, LightActor
    class Mortal(LightActor):
        def on_receive(self, message):
            raise RuntimeError(message)
    class Beside(Service):
        def __init__(self):
            super().__init__(shutdown=0.2)
            self.system.stop()
            specs = {{"default": PoolSpec(size=1, shutdown=0.2)}}
            self.system = System(specs, children=[ChildSpec("a", Mortal.start)]).start()
    service = Beside()
    def end():
        sys.stdin.readline()
        try:
            ({end})()
        except Exception as error:
            pass  # it has ended
    threading.Thread(target=end, daemon=True).start()
    service.main(30)
    """
    with service(tmp_path, main) as program:
        assert program.line() == "listening"
        program.say("end")
        # What the run hears depends on who ends it: the pool, or the System as a whole.
        assert program.line() in ("SystemStopped [2, 3, 4]", "PoolUnavailable [2, 3, 4]")
        assert program.line() == "[1, 2] 5 2 3 True"
        program.line()
        assert program.process.wait(20) == 128  # no signal
        assert program.family() == set()


def test_what_a_drain_raises_is_raised_to_who_waits_for_signal(tmp_path: Path) -> None:
    with host(
        tmp_path,
        """
        with System({"default": PoolSpec(size=1)}) as system:
            def drain(timeout):
                raise LookupError("not even that")
            system.drain = drain
            def send():
                while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                    time.sleep(0.005)
                os.kill(os.getpid(), signal.SIGTERM)
            threading.Thread(target=send).start()
            try:
                system.run_until_signal(1)
            except LookupError as error:
                print(error, signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, flush=True)
        """,
    ) as program:
        assert program.line() == "not even that True"
        assert program.process.wait(20) == 0


def test_without_a_handler_sigterm_ends_program_and_workers(tmp_path: Path) -> None:
    with service(tmp_path, "service = Service()\nservice.thread.start()\nservice.thread.join()") as program:
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(20) == -signal.SIGTERM
        assert program.survivors(2.0) == set()


# --- Ctrl-C, where it is not handled


def test_the_groups_ctrl_c_reaches_the_host_and_not_the_workers(tmp_path: Path) -> None:
    with host(
        tmp_path,
        """
        os.setpgid(0, 0)
        def executors():
            return [(executor.pid, executor.workers) for executor in system.statistics().pools["default"].executors]
        with System({"default": PoolSpec(size=2)}) as system:
            before = executors()
            for pid, _ in before:
                os.kill(pid, signal.SIGINT)  # as if they were in the terminal's group, too
            stream = system.dispatch.stream(range(10**7), module="tasks", function="double")
            try:
                for item in stream:
                    if item.id == 1000:
                        os.killpg(0, signal.SIGINT)
            except KeyboardInterrupt:
                print("interrupted", item.id >= 1000)
            stream.close()
            end = stream.statistics()
            print(end.emitted - item.id in (0, 1), end.pulled == end.accounted, end.dropped_by_halt)
            print(len(system.dispatch.run(range(100), module="tasks", function="double")))
            counts = system.statistics().pools["default"].counts
            print(executors() == before, dict(counts.exits), counts.deaths, flush=True)
        """,
    ) as program:
        assert [program.line() for _ in range(4)] == ["interrupted True", "True True 0", "100", "True {} 0"]
        assert program.process.wait(20) == 0
        assert program.family() == set()


def test_ctrl_c_during_the_start_leaves_nobody(tmp_path: Path) -> None:
    (tmp_path / "slow_start.py").write_text(
        f"import os, time\nwith open({str(tmp_path / 'pids')!r}, 'a') as file:\n"
        "    file.write(f'{os.getpid()}\\n')\ntime.sleep(3600)\n"
    )
    with host(
        tmp_path,
        f"""
        try:
            System({{"default": PoolSpec(
                size=2, path=[{str(tmp_path)!r}], preload=["slow_start"], shutdown=0.2)}}).start()
        except KeyboardInterrupt:
            print("interrupted", sorted(thread.name for thread in threading.enumerate()), flush=True)
            time.sleep(3600)
        """,
    ) as program:
        pids_in(tmp_path / "pids", 2)
        program.process.send_signal(signal.SIGINT)
        assert program.line() == "interrupted ['MainThread']"
        assert program.family() == {program.process.pid}


def test_ctrl_c_during_the_stop_leaves_what_the_next_stop_ends(tmp_path: Path) -> None:
    with service(
        tmp_path,
        """
        service = Service(shutdown=1.0)
        service.thread.start()
        while not os.path.exists(GATE + ".begun"):
            time.sleep(0.01)
        try:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
            service.system.stop()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(service.system.stop(), flush=True)
        service.thread.join()
        for thread in threading.enumerate():
            if thread.name == "slither-stop":  # goes on with the stop that was interrupted, and ends by itself
                thread.join(20)
        print(sorted(thread.name for thread in threading.enumerate()), flush=True)
        time.sleep(3600)
        """,
    ) as program:
        lines = [program.line() for _ in range(5)]
        assert lines[0] in ("interrupted", "SystemStopped [2, 3, 4]")
        assert {"interrupted", "SystemStopped [2, 3, 4]", "[1, 2] 5 2 3 True", "True"} == set(lines[:4])
        assert lines[4] == "['MainThread']"
        assert program.family() == {program.process.pid}


# --- on the command line


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Running, Host]]]:
    """``started(*argv)``: the command, and its family."""
    (tmp_path / "work.py").write_text(FUNCTIONS)
    monkeypatch.setenv(MARK, str(tmp_path))
    running: list[Running] = []

    def start(*argv: str) -> tuple[Running, Host]:
        running.append(Running(argv, tmp_path))
        return running[-1], Host(running[-1].process, str(tmp_path))  # type: ignore[arg-type]

    yield start
    for each in running:
        each.close()


@BOTH
def test_command_delivers_what_is_in_flight_and_leaves_nobody(
    started: Callable[..., tuple[Running, Host]], tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "in").write_text("".join(f"{line}\n" for line in range(100_000)))
    options = ("--each", "--batch-size", "1", "--max-in-flight", "2", "--workers", "2")
    running, family = started("map", "work:slow", "in", *options)
    first = [running.line() for _ in range(3)]
    assert len(family.family()) == 4
    running.signal(number)
    done = running.end()
    got = [int(line) for line in [*first, *done.out.splitlines()]]
    assert done.code == code
    assert got == list(range(len(got)))
    assert done.summary.startswith(f"slither-actors: ended by {number.name}: {len(got)} results, 0 failed")
    assert family.survivors(2.0) == set()


@pytest.mark.parametrize(
    ("signals", "code"), [([signal.SIGTERM], 143), ([signal.SIGINT, signal.SIGTERM], 130)], ids=["one", "two"]
)
def test_the_command_does_not_wait_for_a_batch_that_hangs(
    started: Callable[..., tuple[Running, Host]], tmp_path: Path, signals: list[signal.Signals], code: int
) -> None:
    (tmp_path / "hung.py").write_text(
        f"""
import os, signal, time

def up(values):
    signal.signal(signal.SIGTERM, lambda *_: open({str(tmp_path / "asked")!r}, "w").close())
    with open({str(tmp_path / "pid")!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    while True:
        time.sleep(3600)
"""
    )
    running, family = started("map", "hung:up", "--timeout", "none", "--workers", "1", "--batch-size", "1")
    running.send("1\n")
    (worker,) = pids_in(tmp_path / "pid")
    for number in signals:
        running.signal(number)
    done = running.end()
    assert done.code == code
    assert done.summary.startswith(f"slither-actors: ended by {signals[0].name}: 0 results, 1 unfinished")
    assert "Traceback" not in done.err
    assert not (tmp_path / "asked").exists()  # it had its time, and is killed
    wait_gone(worker)
    assert family.survivors(2.0) == set()
