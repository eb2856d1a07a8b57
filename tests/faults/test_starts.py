"""Workers that never become ready, and functions that cannot be imported."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.evil import stand_in
from support.gates import SECONDS, alive, pids_in
from support.victims import beside, counts, counts_after, kill_and_wait, pids, pool, works

from slither_actors import (
    DispatchError,
    LoadError,
    PoolUnavailable,
    ProtocolError,
    Retry,
    StartTimeout,
    System,
    WorkerCrashed,
)
from supervisors import Backoff

pytestmark = pytest.mark.fault(9)

Start = Callable[..., System]


# --- never ready


def test_worker_that_never_says_ready_is_killed_at_its_deadline(make: Start, tmp_path: Path) -> None:
    system = make(2, python=stand_in(tmp_path, "false_start", "silence"), start_timeout=0.5, shutdown=0.5)
    with pytest.raises(StartTimeout) as caught:
        system.start()
    assert caught.value.timeout == 0.5
    assert "while pool 'default' was started" in caught.value.__notes__
    assert system.stopped
    seen = counts_after(system)
    assert seen.kills["start_timeout"] >= 1
    assert 1 <= seen.deaths <= seen.kills["start_timeout"]  # the other one's may have come after the stop
    assert seen.exits["SIGKILL"] == sum(seen.kills.values())


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("garbage", "magic"),
        ("announces_4_gib", "too_large"),
        ("nonsense_ready", "body"),
        ("reply_before_ready", "unexpected"),
        ("closes_its_pipe", "closed"),
    ],
)
def test_what_is_no_worker_is_a_protocol_error_at_once(make: Start, tmp_path: Path, how: str, reason: str) -> None:
    system = make(1, python=stand_in(tmp_path, "false_start", how), shutdown=0.5)
    with pytest.raises(ProtocolError) as caught:
        system.start()
    assert caught.value.reason == reason
    seen = counts_after(system)
    assert 1 <= seen.deaths <= seen.protocol_errors[reason]  # the next one's death may be that of the stop
    assert set(seen.kills) <= {"protocol", "shutdown"}  # the next one may have been starting when all was stopped


def test_half_a_ready_and_then_silence_is_over_its_deadline(make: Start, tmp_path: Path) -> None:
    system = make(1, python=stand_in(tmp_path, "false_start", "half_a_ready"), start_timeout=0.5, shutdown=0.5)
    with pytest.raises(StartTimeout):
        system.start()
    assert counts_after(system).protocol_errors == {}


def test_a_process_that_exits_instead_says_what_it_said(make: Start, tmp_path: Path) -> None:
    system = make(1, python=stand_in(tmp_path, "false_start", "exits"))
    with pytest.raises(WorkerCrashed, match="cannot be a worker today") as caught:
        system.start()
    assert caught.value.exit_code == 70
    assert set(counts_after(system).exits) <= {"exit 70", "SIGKILL"}


def test_a_ready_worker_with_an_unasked_answer_is_replaced(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    switch = tmp_path / "switch"
    switch.touch()
    system = start(1, python=stand_in(tmp_path, "false_start", "ready_and_a_reply", switch), max_restarts=None)
    eventually(lambda: counts(system).protocol_errors.get("unasked", 0) >= 2, SECONDS)
    switch.unlink()
    assert works(system)
    seen = counts(system)
    assert seen.kills == {"protocol": seen.protocol_errors["unasked"]}
    assert seen.deaths == seen.protocol_errors["unasked"]


def gives_up(system: System, cause: type[Exception]) -> float:
    """Kill the pool's only worker while a run waits for it; the seconds until that hears that this was the last one."""

    def wait() -> None:
        with pytest.raises(DispatchError) as caught:
            system.dispatch.run([1], module="tasks", function="double", on_error=Retry(100, backoff=0))
        assert isinstance(caught.value.reason, PoolUnavailable)
        assert isinstance(caught.value.reason.__cause__, cause)

    began = time.monotonic()
    os.kill(pids(system)[0], signal.SIGSTOP)  # so that the run is not served before it is killed
    with beside(wait):
        kill_and_wait(pids(system)[0])
    return time.monotonic() - began


def test_failed_starts_are_counted_backed_off_and_escalated(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    switch = tmp_path / "switch"
    system = start(1, python=stand_in(tmp_path, "false_start", "exits", switch), max_restarts=4, max_seconds=600.0)
    assert works(system)
    switch.touch()
    # The kill is not counted, as a batch was completed before. Five starts fail, with pauses of 0.05 s and more.
    assert gives_up(system, WorkerCrashed) >= 0.35
    seen = counts(system)
    assert seen.deaths == 6
    assert (seen.exits["SIGKILL"], seen.exits["exit 70"]) == (1, 5)
    switch.unlink()
    eventually(lambda: pool(system).available, SECONDS)
    assert works(system)


def test_pool_without_ready_workers_gives_up_within_its_budget(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    switch = tmp_path / "switch"
    system = start(
        1,
        python=stand_in(tmp_path, "false_start", "exits", switch),
        max_restarts=1000,
        restart_backoff=Backoff(base=0.01, maximum=0.02),
    )
    assert works(system)
    switch.touch()
    gives_up(system, WorkerCrashed)
    seen = counts(system)
    assert (seen.deaths, seen.exits["exit 70"]) == (1 + 8, 8)
    switch.unlink()
    eventually(lambda: pool(system).available, SECONDS)
    assert works(system)


def test_deadlines_of_starts_count_for_the_budget(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    switch = tmp_path / "switch"
    system = start(
        1,
        python=stand_in(tmp_path, "false_start", "silence", switch),
        start_timeout=2.0,
        max_restarts=1,
        max_seconds=600.0,
        shutdown=0.5,
    )
    assert works(system)
    switch.touch()
    assert gives_up(system, StartTimeout) >= 4.0
    seen = counts(system)
    assert (seen.deaths, seen.kills["start_timeout"]) == (3, 2)
    switch.unlink()
    eventually(lambda: pool(system).available, SECONDS)


def test_a_start_that_fails_after_a_timeout_is_counted_as_well(
    start: Start, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    """The Executor makes the next worker itself then; that this one cannot start is not planned."""
    switch = tmp_path / "switch"
    system = start(1, python=stand_in(tmp_path, "false_start", "exits", switch), max_restarts=None)
    assert works(system)

    def hang() -> None:
        with pytest.raises(DispatchError):
            system.dispatch.run([str(tmp_path / "pid")], module="hangs", function="in_python", timeout=0.5)

    with beside(hang):
        pids_in(tmp_path / "pid")
        switch.touch()
    eventually(lambda: counts(system).exits.get("exit 70", 0) >= 2, SECONDS)
    switch.unlink()
    assert works(system)
    seen = counts(system)
    assert (seen.kills, seen.deaths) == ({"timeout": 1}, seen.exits["exit 70"])


def test_a_failed_start_is_reported_while_the_worker_cannot_end(make: Start, tmp_path: Path) -> None:
    (tmp_path / "lingers.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait).start()\nraise LookupError('no model')\n"
    )
    system = make(1, path=[tmp_path], preload=["lingers"], shutdown=0.5)
    with pytest.raises(LoadError, match="LookupError: no model"):
        system.start()
    assert set(counts_after(system).exits) <= {"SIGTERM", "SIGKILL"}


def test_a_failure_that_is_no_failure_is_told_as_that(make: Start, tmp_path: Path) -> None:
    system = make(1, python=stand_in(tmp_path, "false_start", "nonsense_failure"))
    with pytest.raises(LoadError) as caught:
        system.start()
    assert isinstance(caught.value.reason, ProtocolError)


# --- interpreters


def test_an_interpreter_without_msgpack_is_told_with_the_remedy(make: Start, tmp_path: Path) -> None:
    # -S: without site-packages, so that there is no msgpack, whatever is installed.
    python = tmp_path / "python-without-msgpack"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    system = make(1, python=python)
    with pytest.raises(WorkerCrashed, match=r"cannot be a worker, as it has no msgpack.*-m pip install msgpack"):
        system.start()
    assert set(counts_after(system).exits) <= {"exit 3", "SIGKILL"}
    assert counts_after(system).started <= 20  # the budget, and not a loop without end


@pytest.mark.parametrize("kind", ["missing", "folder", "not executable", "no program"])
def test_an_interpreter_that_is_none_is_told_as_system_tells_it(make: Start, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "python"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_text("no program\n")
        path.chmod(stat.S_IRUSR | (0 if kind == "not executable" else stat.S_IXUSR))
    if kind == "not executable" and os.access(path, os.X_OK):
        pytest.skip("this user may execute everything")
    system = make(1, python=path)
    with pytest.raises(OSError, match=r"python|Exec format"):
        system.start()
    assert counts_after(system).exits == {}


# --- modules


@pytest.mark.parametrize("spec", [{"preload": ["broken_import"]}, {"adapter": "broken_import:Adapter"}], ids=str)
def test_a_pool_whose_module_fails_shows_the_traceback(make: Start, tmp_path: Path, spec: dict[str, object]) -> None:
    imports = tmp_path / "imports"
    system = make(2, env={"IMPORTS": str(imports)}, **spec)
    with pytest.raises(LoadError) as caught:
        system.start()
    assert "No module named 'a_module_that_there_is_not'" in str(caught.value)
    assert "broken_import.py" in str(caught.value)
    assert "in missing" in str(caught.value)
    # Tried by each worker, and perhaps once more before all was stopped; no loop.
    assert len(imports.read_text().splitlines()) <= 4


@pytest.mark.parametrize(
    ("how", "exits", "said"),
    [("exit", "exit 1", "usage: something else"), ("os._exit", "exit 7", ""), ("abort", "SIGABRT", "Aborted")],
)
def test_a_module_that_ends_process_that_imports_it_fails_start(
    make: Start, tmp_path: Path, how: str, exits: str, said: str
) -> None:
    system = make(1, preload=["fatal_import"], env={"IMPORTS": str(tmp_path / "imports"), "HOW": how})
    with pytest.raises((LoadError, WorkerCrashed)) as caught:
        system.start()
    assert said in str(caught.value)
    assert isinstance(caught.value, LoadError) == (how == "exit")
    assert exits in counts_after(system).exits


@pytest.mark.parametrize("each", [False, True])
def test_a_function_whose_module_fails_ends_only_its_run(start: Start, tmp_path: Path, each: bool) -> None:
    imports = tmp_path / "imports"
    system = start(1, env={"IMPORTS": str(imports)})
    before = pids(system)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            range(100), module="broken_import", function="f", each=each, batch_size=1, on_error=Retry(5, backoff=0)
        )
    reason = caught.value.reason
    assert isinstance(reason, LoadError)
    assert "No module named 'a_module_that_there_is_not'" in str(reason)
    assert "in missing" in str(reason)
    # Once, whatever the policy says, by a worker that lives on.
    assert len(imports.read_text().splitlines()) == 1
    assert (pids(system), counts(system).exits) == (before, {})
    assert works(system)


@pytest.mark.parametrize(("how", "exits"), [("os._exit", "exit 7"), ("abort", "SIGABRT")])
def test_an_import_that_ends_two_workers_in_a_row_is_load_error(
    start: Start, tmp_path: Path, how: str, exits: str
) -> None:
    imports = tmp_path / "imports"
    system = start(1, env={"IMPORTS": str(imports), "HOW": how})
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="fatal_import", function="f", on_error=Retry(3, backoff=0))
    assert isinstance(caught.value.reason, LoadError)
    assert isinstance(caught.value.reason.reason, WorkerCrashed)
    assert len(imports.read_text().splitlines()) == 2
    seen = counts(system)
    assert (seen.deaths, seen.exits) == (2, {exits: 2})
    assert works(system)


def test_a_file_that_was_mended_is_imported_by_the_next_run(start: Start, tmp_path: Path) -> None:
    (tmp_path / "mended.py").write_text("this is no Python\n")
    system = start(1, path=[tmp_path])
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="mended", function="f")
    assert isinstance(caught.value.reason, LoadError)
    assert "SyntaxError" in str(caught.value.reason)
    (tmp_path / "mended.py").write_text("def f(payloads):\n    return payloads\n")
    os.utime(tmp_path / "mended.py", (1, 1))  # so that no stale cache of the folder hides it
    assert [item.payload for item in system.dispatch.run([1], module="mended", function="f")] == [1]
    assert alive(pids(system)[0])
    assert counts(system).exits == {}
