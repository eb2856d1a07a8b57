"""CPython's own tests of executors, unmodified, over ours: which pass, and why each other one does not.

They are those of CPython 3.13, which has them as a package. Where the running interpreter has none, the environments
that `make conditions` makes, and what PYTHON313 names, are looked at.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from support.cpython_mixins import MIXINS, PACKAGE

ROOT = Path(__file__).resolve().parents[2]
TESTS = str(ROOT / "tests")

pytestmark = [pytest.mark.cpython, pytest.mark.timeout(300)]

_BY_NAME = (
    "its script imports the class by its name from concurrent.futures; tests/faults/test_executors.py has the like"
)
_CLASS = "an argument is a class, which does not travel by the codec"
_OBJECT = "an argument is an object of a class, which does not travel by the codec"
_EXIT = "SystemExit in a worker is a WorkerError: no worker can end the host"
_RESULT = "a result travels by the codec: what has no form there is a TypeError, and nothing is unpickled in the host"
_PRIVATE = "it looks at a private attribute of ProcessPoolExecutor"

# Of these tests it is known that they fail, and why: a test that passes has to be taken out.
FAIL_WITH_BOTH = {
    "ExecutorTest.test_free_reference": _RESULT,
    "ExecutorShutdownTest.test_interpreter_shutdown": _BY_NAME,
    "ExecutorShutdownTest.test_submit_after_interpreter_shutdown": _BY_NAME,
    "ExecutorShutdownTest.test_hang_gh83386": _BY_NAME,
    "ExecutorDeadlockTest.test_error_at_task_unpickle": "what cannot be unpickled fails its own call, not the pool",
    "ExecutorDeadlockTest.test_exit_during_func_exec_on_worker": _EXIT,
    "ExecutorDeadlockTest.test_crash_during_result_pickle_on_worker": _RESULT,
    "ExecutorDeadlockTest.test_exit_during_result_pickle_on_worker": _RESULT,
    "ExecutorDeadlockTest.test_error_during_result_unpickle_in_result_handler": _RESULT,
    "ExecutorDeadlockTest.test_exit_during_result_unpickle_in_result_handler": _RESULT,
    "ExecutorDeadlockTest.test_shutdown_deadlock_pickle": _PRIVATE,
    "FailingInitializerMixin.test_initializer": _PRIVATE,
}
FAIL = {
    "pickle": FAIL_WITH_BOTH,
    "msgpack": {
        **FAIL_WITH_BOTH,
        "ExecutorTest.test_no_stale_references": "the function is a method of an object, which does not travel",
        "ExecutorDeadlockTest.test_exit_at_task_unpickle": _OBJECT,
        "ExecutorDeadlockTest.test_crash_at_task_unpickle": _OBJECT,
        "ExecutorDeadlockTest.test_error_during_func_exec_on_worker": _CLASS,
    },
}
# It passes if a worker is ready before the test cancels. What has not begun is cancelled without exception here, while
# ProcessPoolExecutor counts as begun what waits in its queue, and the test wants one that was not cancelled.
EITHER = {"ExecutorShutdownTest.test_cancel_futures"}
# Of 45 tests of the first five; the two of initializers are beyond these.
LEAST = {"msgpack": 29, "pickle": 33}
FIRST = list(MIXINS)[:5]


@cache
def interpreter() -> str | None:
    """A Python that has the tests of CPython and what ours needs; None if there is none."""
    for program in (sys.executable, str(ROOT / ".venv-3.13" / "bin" / "python"), os.environ.get("PYTHON313", "")):
        needed = f"import {PACKAGE}.util, msgpack, msgspec, pykka, yaml, jsonschema"
        if (
            Path(program).is_file()
            and not subprocess.run([program, "-c", needed], capture_output=True, check=False).returncode
        ):
            return program
    return None


@cache
def outcomes(mixin: str, codec: str) -> dict[str, str]:
    """What came of each test of a mixin."""
    program = interpreter()
    if program is None:
        pytest.skip(f"no interpreter has {PACKAGE}: CPython 3.13 with its tests, which some builds leave out")
    done = subprocess.run(
        [program, "-m", "support.cpython_mixins", mixin, codec],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), TESTS])},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return {f"{mixin}.{test}": what for test, what in found.items()}


@pytest.mark.parametrize("codec", FAIL)
@pytest.mark.parametrize("mixin", MIXINS)
def test_all_pass_but_those_with_a_reason(mixin: str, codec: str) -> None:
    found = outcomes(mixin, codec)
    failed = {test: what for test, what in found.items() if what != "passed" and test not in EITHER}
    expected = {test for test in FAIL[codec] if test.startswith(f"{mixin}.")}
    assert expected <= set(found)
    assert {test: failed[test] for test in failed if test not in expected} == {}, "failed without a reason in the table"
    assert expected - set(failed) == set(), "passed: take them out of the table"


@pytest.mark.parametrize("codec", FAIL)
def test_so_many_pass(codec: str) -> None:
    found = {test: what for mixin in FIRST for test, what in outcomes(mixin, codec).items()}
    assert len(found) == 45
    assert sum(what == "passed" for what in found.values()) >= LEAST[codec]
