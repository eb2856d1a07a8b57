"""With which variables and flags workers are started, and on which interpreter."""

from __future__ import annotations

import os
import sys
import types
from typing import Any

import pytest

from slither_actors import OptionError, PoolSpec
from slither_actors.pools.processes import interpreter
from slither_actors.pools.processes.environment import THREADS, of_host, of_worker
from slither_actors.pools.spec import MAX_SIZE
from slither_actors.worker.boot import STARTED_AS

# --- variables


@pytest.mark.parametrize(("size", "processors", "expected"), [(4, 16, "4"), (3, 16, "5"), (16, 4, "1"), (1, 1, "1")])
def test_numerical_libraries_share_the_processors(size: int, processors: int, expected: str) -> None:
    found = of_worker({}, {}, size, processors)
    assert {found[name] for name in THREADS} == {expected}


@pytest.mark.parametrize("where", ["host", "pool"])
def test_what_the_user_says_of_threads_stays(where: str) -> None:
    host, pool = ({"MKL_NUM_THREADS": "9"}, {}) if where == "host" else ({}, {"MKL_NUM_THREADS": "9"})
    found = of_worker(host, pool, 4, 16)
    assert found["MKL_NUM_THREADS"] == "9"
    assert found["OMP_NUM_THREADS"] == "4"


@pytest.mark.parametrize("where", ["host", "pool"])
def test_omp_num_threads_is_the_word_for_all(where: str) -> None:
    host, pool = ({"OMP_NUM_THREADS": "9"}, {}) if where == "host" else ({}, {"OMP_NUM_THREADS": "9"})
    found = of_worker(host, pool, 4, 16)
    assert [name for name in THREADS if name in found] == ["OMP_NUM_THREADS"]


def test_an_empty_value_leaves_the_threads_to_the_libraries() -> None:
    found = of_worker({}, {"OMP_NUM_THREADS": ""}, 4, 16)
    assert [name for name in THREADS if name in found] == []
    found = of_worker({}, {"MKL_NUM_THREADS": ""}, 4, 16)
    assert [name for name in THREADS if name not in found] == ["MKL_NUM_THREADS"]


def test_no_worker_waits_for_a_terminal_at_its_end() -> None:
    assert "PYTHONINSPECT" not in of_worker({"PYTHONINSPECT": "1"}, {}, 1, 1)


def test_a_pool_by_default_is_never_larger_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_CPU_COUNT", "999999")
    assert PoolSpec().size == MAX_SIZE


def test_a_variable_that_another_thread_deletes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing(dict[str, str]):
        tries = 0

        def keys(self) -> Any:
            self.tries += 1
            return ["A", "GONE"] if self.tries == 1 else ["A"]

    monkeypatch.setattr(os, "environ", Changing(A="1"))
    assert of_host() == {"A": "1"}


# --- flags


def flags(**given: Any) -> Any:
    names = [
        "isolated",
        "ignore_environment",
        "no_user_site",
        "safe_path",
        "no_site",
        "debug",
        "dont_write_bytecode",
        "optimize",
        "bytes_warning",
        "verbose",
        "dev_mode",
    ]
    return types.SimpleNamespace(**{**dict.fromkeys(names, 0), **given})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, []),
        ({"optimize": 1}, ["-O"]),
        ({"optimize": 2}, ["-OO"]),
        ({"bytes_warning": 2}, ["-bb"]),
        ({"isolated": 1, "ignore_environment": 1, "no_user_site": 1, "safe_path": True}, ["-I"]),
        ({"ignore_environment": 1, "no_user_site": 1}, ["-E", "-s"]),
        ({"safe_path": True, "dont_write_bytecode": 1}, ["-P", "-B"]),
    ],
)
def test_flags_of_the_host_are_those_of_its_workers(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], expected: list[str]
) -> None:
    monkeypatch.setattr(sys, "flags", flags(**given))
    monkeypatch.setattr(sys, "warnoptions", [])
    monkeypatch.setattr(sys, "_xoptions", {})
    assert interpreter.flags(sys.executable) == expected
    assert interpreter.flags("/another/python") == []


def test_options_and_warnings_of_the_host_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "flags", flags(dev_mode=True, bytes_warning=1))
    monkeypatch.setattr(sys, "_xoptions", {"dev": True, "utf8": "0"})
    monkeypatch.setattr(sys, "warnoptions", ["default", "error::UserWarning", "default::BytesWarning"])
    wanted = ["-b", "-X", "dev", "-X", "utf8=0", "-W", "error::UserWarning"]
    assert interpreter.flags(sys.executable) == wanted
    assert sys.warnoptions == ["default", "error::UserWarning", "default::BytesWarning"]


# --- interpreters


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("frozen", True, "sys.frozen"),
        ("oxidized", True, "PyOxidizer"),
        ("executable", "", "''"),
        ("executable", None, "None"),
        ("executable", "/no/such/python", "no such file"),
        ("executable", __file__, "cannot be executed"),
    ],
)
def test_what_can_run_no_worker_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, attribute: str, value: object, said: str
) -> None:
    usual = sys.executable
    assert interpreter.own() == usual
    monkeypatch.setattr(sys, attribute, value, raising=False)
    with pytest.raises(OptionError, match=r"pool 'p' has no interpreter.*PoolSpec\(python=\.\.\.\)") as caught:
        interpreter.check({"p": PoolSpec(size=1)})
    assert said in str(caught.value)
    assert interpreter.own() is None
    interpreter.check({"p": PoolSpec(size=1, python=usual)})


def test_a_program_in_the_place_of_an_interpreter_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED_AS, "a worker")
    with pytest.raises(OptionError, match="started as a worker of another System"):
        interpreter.check({"p": PoolSpec(size=1, python=sys.executable)})
