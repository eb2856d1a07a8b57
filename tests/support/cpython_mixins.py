"""``python -m support.cpython_mixins MIXIN CODEC``: runs tests of CPython's own executors, unmodified, over ours.

A program of its own: these tests look after threads and child processes of their whole process. Prints a JSON object:
for each test "passed", or the last line of what went wrong.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
import unittest
from typing import Any

from slither_actors.futures import PoolExecutor

# The classes that CPython runs over each of its executors, and where they are. The first five have 45 tests.
MIXINS = {
    "ExecutorTest": "executor",
    "ExecutorShutdownTest": "test_shutdown",
    "WaitTests": "test_wait",
    "AsCompletedTests": "test_as_completed",
    "ExecutorDeadlockTest": "test_deadlock",
    "InitializerMixin": "test_init",
    "FailingInitializerMixin": "test_init",
}
PACKAGE = "test.test_concurrent_futures"


class PicklingExecutor(PoolExecutor):
    """One that pickles functions and arguments, with the arguments that the tests give."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, codec="pickle")


EXECUTORS = {"msgpack": PoolExecutor, "pickle": PicklingExecutor}


def case(mixin: str, codec: str) -> type[unittest.TestCase]:
    """The tests of a mixin over our executor, put together as CPython does it for its own."""
    util = importlib.import_module(f"{PACKAGE}.util")
    tests = getattr(importlib.import_module(f"{PACKAGE}.{MIXINS[mixin]}"), mixin)
    # The context is that of multiprocessing; ours has none.
    over = type("Over", (util.ExecutorMixin,), {"executor_type": EXECUTORS[codec], "get_context": lambda self: None})
    return type(f"{mixin}Over", (tests, over, util.BaseTestCase), {})


def outcomes(mixin: str, codec: str) -> dict[str, str]:
    """What came of each test."""
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case(mixin, codec))
    tests = [test.id().rpartition(".")[2] for test in suite if isinstance(test, unittest.TestCase)]
    result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    wrong = [*result.failures, *result.errors, *result.skipped]
    said = {test.id().split()[0].rpartition(".")[2]: text.strip().splitlines()[-1] for test, text in wrong}
    return {test: said.get(test, "passed") for test in tests}


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):  # some tests print
        found = outcomes(sys.argv[1], sys.argv[2])
    print(json.dumps(found))
