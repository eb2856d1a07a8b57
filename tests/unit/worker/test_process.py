"""What a worker is as a process: start, crash, descriptors, signals, and dying with its host."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgpack
import pytest
from support.worker import FUNCTIONS, WorkerProcess, failure, hello_of, results

import slither_actors
from slither_actors.wire import frames
from slither_actors.wire.codec import decode, encode
from slither_actors.wire.frames import pack_frame
from slither_actors.wire.messages import Failure, Ready
from slither_actors.worker import boot, guard, in_worker

LINUX = sys.platform == "linux"


def test_ready_says_who_is_there() -> None:
    with WorkerProcess(hello_of(adapter="functions:Scorer")) as worker:
        ready = Ready.from_body(worker.ready().body)
        assert ready.pid == worker.process.pid
        assert ready.python == ".".join(map(str, sys.version_info[:3]))
        assert ready.msgpack == ".".join(map(str, msgpack.version))
        assert ready.commands == ["other-name", "partly", "score", "wrong", "wrong_items"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"preload": ["no_such_module"]}, "No module named 'no_such_module'"),
        ({"preload": ["exits_when_imported"]}, "usage: something else"),
        ({"adapter": "functions:Nope"}, "module functions has no Nope"),
        ({"adapter": "functions:NoAdapter"}, "no subclass of slither_actors.worker.Adapter"),
        ({"adapter": "functions:Refusing"}, "no model there"),
        ({"adapter": "functions:Scorer", "init": {"factr": 1}}, "factr"),
    ],
)
def test_failed_start_is_told_with_request_id_0_and_exit_code_1(fields: dict[str, object], said: str) -> None:
    with WorkerProcess(hello_of(**fields)) as worker:
        frame = worker.receive()
        found = failure(frame, "start")
        assert frame.request_id == 0
        assert said in found.message
        assert worker.ended() == 1


def test_the_surroundings_of_a_function_show_nothing_of_start() -> None:
    with WorkerProcess(hello_of(name="the-name", path=[FUNCTIONS, "/nowhere"])) as worker:
        worker.ready()
        inside, argv, names, foreign, path, own_session = results(worker.call("surroundings", [1]))
        assert inside is True
        assert in_worker() is False
        assert argv == ["the-name"]
        assert names == []
        assert foreign == []
        assert path[:2] == [FUNCTIONS, "/nowhere"]
        assert "" not in path
        assert len(path) > 2
        assert own_session


def test_the_path_of_the_interpreter_can_be_replaced() -> None:
    wanted = [FUNCTIONS, *(entry for entry in sys.path if entry)]
    with WorkerProcess(hello_of(path=wanted, keep_path=False)) as worker:
        worker.ready()
        assert results(worker.call("surroundings", [1]))[4] == wanted


def test_modules_in_the_working_directory_do_not_shadow_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("struct", "msgpack", "slither_actors", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    with WorkerProcess() as worker:
        worker.ready()


def test_an_installed_slither_actors_gives_way_to_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "slither_actors").mkdir()
    (tmp_path / "slither_actors" / "__init__.py").write_text("raise SystemExit('another version')\n")
    with WorkerProcess(env={**os.environ, "PYTHONPATH": str(tmp_path)}) as worker:
        worker.ready()


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (3, 3), (None, 0), ("text", 1)])
def test_sys_exit_in_a_function_ends_process_with_a_traceback(code: object, expected: int) -> None:
    with WorkerProcess() as worker:
        worker.ready()
        worker.load(1, "exits")
        worker.request(1, [code])
        with pytest.raises(EOFError):
            worker.receive()
        assert worker.ended() == expected
        assert "in exits" in worker.stderr
        assert "SystemExit" in worker.stderr


def test_a_keyboard_interrupt_of_a_function_is_its_failure() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        frame = worker.call("interrupts", [1])
        assert frame.kind == frames.FAILURE
        assert Failure.from_body(frame.body).type == "KeyboardInterrupt"
        assert worker.call("double", [1]).kind == frames.REPLY


def test_a_crash_does_not_wait_for_the_users_threads() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        worker.load(1, "exits_with_a_thread")
        worker.request(1, [1])
        assert worker.ended() == 5


def test_prints_go_to_stderr_and_leave_the_protocol_alone() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        assert results(worker.call("prints", [1])) == [1]
        worker.send(pack_frame(frames.STOP))
        assert worker.ended() == 0
        for text in ("from print\n", "no newline", "from C\n", "from fd 1\n"):
            assert text in worker.stderr


def test_stdin_is_empty() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        assert results(worker.call("reads_stdin", [1, 2])) == ["", ""]


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_programs_of_a_function_inherit_no_descriptors() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        listed = results(worker.call("descriptors_of_a_child", [1]))[0]
        # The one that the listing itself opens, if any.
        assert len(eval(listed)) <= 1


def test_a_forked_child_that_returns_does_not_answer() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        assert results(worker.call("forks_and_both_return", [1])) == [True]
        assert results(worker.call("double", [1])) == [2]
        worker.send(pack_frame(frames.STOP))
        assert worker.ended() == 0
        assert "the child ends here" in worker.stderr


def test_a_forked_child_does_not_keep_the_pipes_open() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        child = results(worker.call("forks_a_child_that_stays", [1]))[0]
        try:
            worker.process.kill()
            with pytest.raises(EOFError):
                worker.receive()
        finally:
            os.kill(child, signal.SIGKILL)


def test_an_interrupt_is_ignored_and_a_termination_is_not() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        worker.process.send_signal(signal.SIGINT)
        assert results(worker.call("double", [1])) == [2]
        worker.process.send_signal(signal.SIGTERM)
        assert worker.ended() == -signal.SIGTERM


def test_garbage_from_the_host_ends_the_worker() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        worker.send(b"GET / HTTP/1.1\r\n")
        assert worker.ended() == 1
        assert "ProtocolError" in worker.stderr


def test_a_host_that_no_longer_reads_ends_the_worker_quietly() -> None:
    with WorkerProcess() as worker:
        worker.ready()
        worker.load(1, "double")
        os.close(worker.replies)
        worker._open.remove(worker.replies)
        worker.request(1, [1])
        assert worker.ended() == 0
        assert worker.stderr == ""


def test_an_interpreter_without_msgpack_says_so() -> None:
    argv = ["-c", _code_of(boot.command), str(Path(slither_actors.__file__).parents[1]), "", "3", "4", "5", "1"]
    # -S: without site-packages, so that there is no msgpack, whatever is installed.
    process = subprocess.run(
        [sys.executable, "-S", *argv], capture_output=True, timeout=20, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert process.returncode == guard.NO_MSGPACK == 3
    assert sys.executable in process.stderr.decode()
    assert "no msgpack" in process.stderr.decode()
    assert b"Traceback" not in process.stderr


def test_hosts_msgpack_serves_where_same_interpreter_finds_none() -> None:
    there = str(Path(msgpack.__file__).parents[1])
    root = str(Path(slither_actors.__file__).parents[1])
    process = subprocess.run(
        [sys.executable, "-S", "-c", _code_of(boot.command), root, there, "0", "1", "2", "1"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    # It came as far as the look for its parent, which is not process 1.
    assert process.returncode == guard.WRAPPED, process.stderr.decode()


def _code_of(command: object) -> str:
    return boot.command(sys.executable, 3, 4, 5)[2]


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13", "3.14"])
def test_another_interpreter_can_be_a_worker(version: str, tmp_path: Path) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip(f"no python{version} here")
    # It has no msgpack of its own, most likely: give it the pure part of ours.
    package = Path(msgpack.__file__).parent
    shutil.copytree(package, tmp_path / "msgpack", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__"))
    with WorkerProcess(python=python, env={**os.environ, "PYTHONPATH": str(tmp_path)}) as worker:
        assert Ready.from_body(worker.ready().body).python.startswith(version)
        assert results(worker.call("echo", [(1, 2), 2**70, {3}])) == [(1, 2), 2**70, {3}]
        failure(worker.call("unsendable", [1]), "encode")


@pytest.mark.skipif(not LINUX, reason="PR_SET_PDEATHSIG")
@pytest.mark.parametrize("how", ["idle", "stuck in C"])
def test_a_worker_dies_with_its_host(how: str, tmp_path: Path, eventually: object) -> None:
    host = textwrap.dedent(f"""
        import os, sys
        sys.path[:0] = {[str(Path(__file__).parents[2])]!r}
        from support.worker import WorkerProcess, hello_of
        worker = WorkerProcess()
        worker.ready()
        if {how == "stuck in C"}:
            # PyDLL holds the interpreter lock while it sleeps.
            worker.load(1, "PyDLL", module="ctypes")
            with open({str(tmp_path / "stuck.py")!r}, "w") as file:
                file.write("import ctypes\\ndef f(p):\\n open(p[0], 'w').close()\\n ctypes.PyDLL(None).sleep(60)")
            first, worker = worker, WorkerProcess(hello_of(path=[{str(tmp_path)!r}]))
            worker.ready()
            worker.load(1, "f", module="stuck")
            worker.request(1, [{str(tmp_path / "begun")!r}])
        print(worker.process.pid, flush=True)
        import signal
        signal.pause()
    """)
    process = subprocess.Popen([sys.executable, "-c", host], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        if how != "idle":
            eventually((tmp_path / "begun").exists)  # type: ignore[operator]
        process.kill()
        process.wait()
        eventually(lambda: not _alive(pid))  # type: ignore[operator]
    finally:
        process.kill()
        process.communicate()


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_worker_whose_host_is_gone_at_its_start_ends() -> None:
    with WorkerProcess(argv=None, greet=False) as never_greeted:
        arguments = boot.command(sys.executable, 3, 4, 5)
        assert arguments[-1] == str(os.getpid())
    assert never_greeted.process.returncode == -signal.SIGKILL
    arguments[-1] = "1"
    lifeline, host = os.pipe()
    os.close(host)
    arguments[-4:-1] = ["0", "1", str(lifeline)]
    process = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False, pass_fds=(lifeline,)
    )
    os.close(lifeline)
    assert process.returncode == guard.ORPHANED


def test_the_module_run_by_hand_explains_itself() -> None:
    process = subprocess.run(
        [sys.executable, "-m", "slither_actors.worker"], capture_output=True, timeout=20, check=False
    )
    assert process.returncode == 2
    assert b"started by its host" in process.stderr


def test_the_hello_may_carry_any_value_for_the_adapter() -> None:
    assert decode(encode({"factor": (1, 2)})) == {"factor": (1, 2)}
    with WorkerProcess(hello_of(adapter="functions:Scorer", init={"factor": 2**70})) as worker:
        worker.ready()
        worker.request("score", {"items": [1]})
        assert results(worker.receive()) == [2**70]


@pytest.mark.parametrize("leader", [True, False])
def test_where_the_kernel_does_not_help_lifeline_ends_worker(leader: bool) -> None:
    """As on systems without PR_SET_PDEATHSIG; a group of which it is not the leader is not the worker's to kill."""
    there, line = os.pipe()
    code = textwrap.dedent("""
        import sys, threading
        from slither_actors.worker import guard
        guard._ask_kernel = lambda: False
        guard.die_with_host(int(sys.argv[1]), int(sys.argv[2]))
        print("there", flush=True)
        threading.Event().wait()
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(there), str(os.getpid())],
        pass_fds=[there],
        stdout=subprocess.PIPE,
        start_new_session=leader,
    )
    os.close(there)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"there\n"
        os.close(line)
        assert process.wait(20) == -signal.SIGKILL
