"""A host without standard streams, as a daemon may be: workers start and serve, and nothing is written to files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import scripts

from slither_actors import PoolSpec, System, WorkerCrashed

pytestmark = pytest.mark.fault(9)

CLOSED = ["0", "1", "2", "01", "02", "12", "012"]


@pytest.mark.parametrize("closed", CLOSED)
def test_a_system_starts_where_streams_are_closed(tmp_path: Path, closed: str) -> None:
    said = tmp_path / "said"
    body = f"""
        from pathlib import Path
        with System({{"default": PoolSpec(size=2)}}) as system:
            run = system.dispatch.run([1, 2, 3], module="operator", function="neg", each=True)
            Path({str(said)!r}).write_text(repr([item.payload for item in run]))
    """
    script = scripts.write(tmp_path, body)
    command = "import os, runpy; [os.close(int(fd)) for fd in %r]; runpy.run_path(%r, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", command % (closed, str(script))], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, said.read_text()) == (0, "[-1, -2, -3]")


@pytest.mark.parametrize(("closed", "code"), [("2>&-", 0), ("<&-", 2), (">&-", 1)])
def test_the_command_says_which_stream_is_closed(closed: str, code: int) -> None:
    command = f'"{sys.executable}" -m slither_actors map operator:neg --each {closed}'
    done = subprocess.run(["sh", "-c", command], input=b"1\n", capture_output=True, timeout=60, check=False)
    assert done.returncode == code
    assert done.stdout == (b"-1\n" if code == 0 else b"")
    named = {0: b"", 1: b"standard output: Bad file descriptor", 2: b"standard input: is closed"}[code]
    assert named in done.stderr


def test_a_program_that_is_no_interpreter_gets_a_remedy() -> None:
    with pytest.raises(WorkerCrashed, match="exited with code 0") as caught:
        System({"default": PoolSpec(size=1, python="/bin/true")}).start()
    assert any("must be an interpreter, or a wrapper that hands over" in note for note in caught.value.__notes__)
