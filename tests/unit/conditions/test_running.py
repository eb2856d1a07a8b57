"""What the runner of conditions does to processes, and what the hook in each of them carries on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conditions.known import CONDITIONS, ROOT, SWITCH_INTERVAL, WARNINGS, environment_of
from conditions.running import HOG, hogs, one_cpu
from support.elsewhere import take_warnings
from support.leaks import held

from slither_actors import PoolSpec, System

pins = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to a CPU")


COUNT_CPUS = "import os; print(len(os.sched_getaffinity(0)))"


@pins
def test_a_process_started_on_one_cpu_stays_there() -> None:
    usual = os.sched_getaffinity(0)
    with one_cpu():
        child = subprocess.run([sys.executable, "-c", COUNT_CPUS], capture_output=True, text=True, check=True)
    assert child.stdout == "1\n"
    assert os.sched_getaffinity(0) == usual


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in /proc only")
def test_hogs_are_there_one_a_cpu_until_the_end() -> None:
    before = held()
    with hogs():
        assert len(held().beyond(before)) == len(os.sched_getaffinity(0))
    assert held().beyond(before) == []


def test_a_hog_ends_when_its_runner_is_gone() -> None:
    # Its parent is alive and another than the one it is given: it ends as it would when adopted.
    subprocess.run([sys.executable, "-c", HOG, str(os.getppid())], timeout=60, check=True)


def test_the_switch_interval_reaches_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "interval.py").write_text("import sys\ndef f(payloads): return [sys.getswitchinterval()]\n")
    for name, value in environment_of(CONDITIONS["switch-interval"], os.environ).items():
        monkeypatch.setenv(name, value)
    with System({"default": PoolSpec(size=1, path=[tmp_path])}) as system:
        (item,) = system.dispatch.run([None], module="interval", function="f")
    assert item.payload == pytest.approx(1e-6)


# -- warnings


@pytest.fixture
def in_dev_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """``in_dev_mode(code)``: runs it with the hook and returns what it printed."""
    folder = tmp_path / "warnings"
    folder.mkdir()
    monkeypatch.setenv(WARNINGS, str(folder))

    def run(code: str) -> str:
        environment = environment_of(CONDITIONS["dev-mode"], os.environ, folder)
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    return run


def test_warning_is_error_and_is_known_of_though_it_was_caught(in_dev_mode: Callable[[str], str]) -> None:
    code = "import warnings\ntry: warnings.warn('old', DeprecationWarning)\nexcept DeprecationWarning: print('caught')"
    assert in_dev_mode(code) == "caught\n"
    (told,) = take_warnings()
    assert "DeprecationWarning: old" in told
    assert f"{sys.executable} -c" in told
    assert take_warnings() == []


def test_a_file_that_was_left_open_is_known_of_once(in_dev_mode: Callable[[str], str]) -> None:
    in_dev_mode("open('/dev/null')")
    (told,) = take_warnings()
    assert "ResourceWarning: unclosed file" in told


def test_an_exception_that_nobody_can_catch_is_known_of(in_dev_mode: Callable[[str], str]) -> None:
    in_dev_mode("class A:\n  def __del__(self): raise ValueError('in a finalizer')\nA()")
    (told,) = take_warnings()
    assert "ValueError: in a finalizer" in told
    assert "A.__del__" in told


def test_a_warning_that_is_expected_is_no_finding(in_dev_mode: Callable[[str], str]) -> None:
    code = "import warnings\nwith warnings.catch_warnings(record=True) as w: warnings.warn('x')\nprint(len(w))"
    assert in_dev_mode(code) == "1\n"
    assert take_warnings() == []


def test_what_a_worker_warns_of_is_known_of(in_dev_mode: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "careless.py").write_text(
        "import warnings\ndef f(payloads):\n    try: warnings.warn('in a worker')\n    except UserWarning: pass\n"
        "    return payloads\n"
    )
    code = f"""
from slither_actors import PoolSpec, System
with System({{"default": PoolSpec(size=1, path=[{str(tmp_path)!r}])}}) as system:
    print([item.payload for item in system.dispatch.run([1, 2], module="careless", function="f")])
"""
    assert in_dev_mode(code) == "[1, 2]\n"
    (told,) = take_warnings()
    assert "UserWarning: in a worker" in told


def test_where_no_folder_is_named_nothing_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WARNINGS, raising=False)
    assert take_warnings() == []


# -- the whole


def conditions(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run the runner; under no other condition than those it is given, whichever this suite is run under."""
    others = (SWITCH_INTERVAL, WARNINGS, "PYTHONDEVMODE", "PYTHONWARNINGS")
    return subprocess.run(
        [sys.executable, "-m", "tests.conditions", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={name: value for name, value in os.environ.items() if name not in others},
    )


@pins
def test_each_condition_has_its_runs_a_line_and_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_it.py").write_text(
        "import os, sys\ndef test_it(): assert (len(os.sched_getaffinity(0)), sys.getswitchinterval()) == (1, 0.005)\n"
    )
    pytest_arguments = ["--", "-c", str(tmp_path / "pytest.ini"), "-q", str(tmp_path)]
    done = conditions("one-cpu", "--times", "2", *pytest_arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("1 passed") == 2
    assert done.stdout.splitlines()[-1].split()[:2] == ["one-cpu", "passed"]
    done = conditions("switch-interval", "one-cpu", *pytest_arguments)
    assert done.returncode == 1
    summary = [line.split()[:2] for line in done.stdout.splitlines()[-2:]]
    assert summary == [["switch-interval", "failed"], ["one-cpu", "passed"]]


def test_a_version_that_is_not_here_is_said_and_not_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHON312", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = conditions("python3.12", "--", "--version")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "python3.12  skipped       0 s  no CPython 3.12 here"
