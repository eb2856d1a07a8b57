"""What runs workers and guardian: packed programs, programs that are no interpreter, flags, archives."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.scripts import ROOT, run, write
from support.worker import FUNCTIONS

pytestmark = pytest.mark.fault(9)

COUNTED = """
with open({log!r}, "a") as file:
    file.write("started\\n")
with System(pools={{"default": PoolSpec(size=2, max_restarts=2, python={python!r})}}) as system:
    print([item.payload for item in system.dispatch.run([1], module="functions", function="double")])
"""


def starts(log: Path) -> int:
    return log.read_text().count("started")


def test_a_packed_program_does_not_start_itself(tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"sys.frozen = True\n{COUNTED.format(log=str(log), python=None)}"
    done = run(tmp_path, body)
    assert "OptionError: pool 'default' has no interpreter" in done.stderr
    assert "PoolSpec(python=...)" in done.stderr
    assert starts(log) == 1


def test_a_packed_program_with_an_interpreter_for_its_workers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    body = f"python, sys.frozen, sys.executable = sys.executable, True, '/no/such/program'\nPATH = {FUNCTIONS!r}\n"
    body += COUNTED.format(log=str(log), python="@").replace("python='@'", "python=python, path=[PATH]")
    done = run(tmp_path, body)
    assert done.stdout == "[2]\n", done.stderr
    assert starts(log) == 1


def test_program_in_place_of_interpreter_starts_no_further_one(tmp_path: Path) -> None:
    log, python = tmp_path / "log", tmp_path / "python"
    script = write(tmp_path, COUNTED.format(log=str(log), python=str(python)))
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    python.chmod(0o755)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "is no plain Python interpreter" in done.stderr
    assert starts(log) <= 1 + 2 * 8  # its own, and what the pool tries until it gives up; none of them starts others


def test_guardian_of_a_packed_program_does_not_start_it_either(tmp_path: Path) -> None:
    """Its own `sys.executable` looks like an interpreter and is none, the workers have one."""
    log, program = tmp_path / "log", tmp_path / "program"
    body = f"python, sys.executable = sys.executable, {str(program)!r}\nPATH = {FUNCTIONS!r}\n"
    body += COUNTED.format(log=str(log), python="@").replace("python='@'", "python=python, path=[PATH]")
    script = write(tmp_path, body)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    program.chmod(0o755)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[2]\n", done.stderr
    assert starts(log) <= 3  # its own, and the guardian's, once for each worker


@pytest.mark.parametrize("value", ["", None])
def test_without_an_interpreter_of_its_own_the_pools_is_taken(tmp_path: Path, value: str | None) -> None:
    body = f"""
    python, sys.executable = sys.executable, {value!r}
    with System(pools={{"default": PoolSpec(size=1, python=python, path=[{FUNCTIONS!r}])}}) as system:
        print([item.payload for item in system.dispatch.run([1], module="functions", function="double")])
        pids = set(system.statistics().pids)
        print(len(pids), [os.kill(pid, 0) for pid in pids])
    try:
        System(pools={{"p": PoolSpec(size=1)}}).start()
    except OptionError as error:
        print(error)
    """
    done = run(tmp_path, body)
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("[2]", "2 [None, None]"), done.stderr
    assert f"sys.executable is {value!r}" in third


FLAGS = """
SPEC = {spec}
with System(pools={{"default": PoolSpec(size=1, path=[{path!r}], **SPEC)}}) as system:
    print(system.dispatch.run([1], module="functions", function="flags")[0].payload)
sys.path.insert(0, {path!r})
import functions
print(functions.flags([1])[0])
"""


@pytest.mark.parametrize(
    "given",
    [
        ["-O"],
        ["-OO"],
        ["-X", "utf8"],
        ["-X", "dev"],
        ["-W", "error::UserWarning"],
        ["-b"],
        ["-I"],
        ["-E"],
        ["-s"],
        ["-B"],
        [],
    ],
)
def test_workers_run_with_the_flags_of_their_host(tmp_path: Path, given: list[str]) -> None:
    script = write(tmp_path, FLAGS.format(path=FUNCTIONS, spec="{}"))
    argv = [sys.executable, *given, str(script)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    inside, outside = done.stdout.splitlines()
    assert inside == outside, done.stderr


def test_another_interpreter_gets_no_flags(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.symlink_to(sys.executable)
    script = write(
        tmp_path,
        FLAGS.format(path=FUNCTIONS, spec=f"dict(python={str(other)!r}, env=ENV)").replace(
            "SPEC =", f"ENV = {{'PYTHONPATH': {os.pathsep.join(path for path in sys.path if path)!r}}}\nSPEC ="
        ),
    )
    done = subprocess.run([sys.executable, "-O", str(script)], capture_output=True, text=True, timeout=60, check=False)
    inside, outside = done.stdout.splitlines()
    assert (eval(inside)["optimize"], eval(outside)["optimize"]) == (0, 1)


ZIPPED = """
import os, sys
from slither_actors import PoolSpec, System
import slither_actors
if __name__ == "__main__":
    assert ".pyz" in slither_actors.__file__
    os.chdir("/")
    with System(pools={"default": PoolSpec(size=1)}) as system:
        print(system.dispatch.run([3], module="inside", function="double")[0].payload)
        guardian, = set(system.statistics().pids) - {e.pid for e in system.statistics().pools["default"].executors}
        with open(f"/proc/{guardian}/stat") as file:
            print(file.read().split()[2], flush=True)
        sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_from_a_zip_workers_and_guardian_work(tmp_path: Path) -> None:
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as file:
        for package in ("slither_actors", "supervisors"):
            for path in sorted((ROOT / package).rglob("*.py")):
                file.write(path, path.relative_to(ROOT))
        file.writestr("__main__.py", ZIPPED)
        file.writestr("inside.py", "def double(payloads):\n    return [2 * payload for payload in payloads]\n")
    with subprocess.Popen(
        [sys.executable, archive.name], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == "6\n"
        assert program.stdout.readline().strip() in ("S", "R")  # and no zombie
        program.stdin.close()
        assert program.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take more")
def test_an_oversized_environment_is_no_interpreters_fault(tmp_path: Path) -> None:
    body = """
    try:
        System({"p": PoolSpec(size=1, env={"LONG": "x" * 200_000})}).start()
    except OSError as error:
        print(error)
    """
    (line,) = run(tmp_path, body).stdout.splitlines()
    assert "environment is too large" in line
    assert "sys.executable" not in line
