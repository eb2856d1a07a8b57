"""Errors of a run that say what to do: about items, payloads and functions, and a pool that gave up."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.gates import Gates

from slither_actors import (
    DispatchError,
    OptionTypeError,
    PayloadError,
    PoolSpec,
    PoolUnavailable,
    System,
    WorkerCrashed,
)

HERE = str(Path(__file__).parents[2] / "support" / "for_workers")


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with System({"default": PoolSpec(size=1, path=[HERE])}) as system:
        yield system


@pytest.fixture
def rows() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("create table t (a)")
        connection.executemany("insert into t values (?)", [(n,) for n in range(5)])
        yield connection


ECHO = {"module": "functions", "function": "echo"}


def test_a_cursor_as_a_source_names_the_ways_out(system: System, rows: sqlite3.Connection) -> None:
    with pytest.raises(DispatchError, match=re.escape("cursor.fetchall()")) as caught:
        system.dispatch.run(rows.execute("select a from t"), **ECHO)
    assert isinstance(caught.value.reason, sqlite3.ProgrammingError)
    assert "check_same_thread=False" in str(caught.value)
    assert "the source failed before its first item" in str(caught.value)
    done = system.dispatch.run(rows.execute("select a from t").fetchall(), **ECHO)
    assert [item.payload for item in done] == [(n,) for n in range(5)]


def test_a_ready_batch_that_is_late_is_to_have_fewer_items(gates: Gates) -> None:
    batch = [(n, gates["never"]) for n in range(2)]
    with (
        System({"default": PoolSpec(size=1, path=[HERE])}) as system,
        pytest.raises(DispatchError, match="give fewer items or a longer timeout"),
    ):
        system.dispatch.call_batch(batch, module="tasks", function="through_gates", timeout=0.1)


async def numbers() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("source", "said"),
    [(numbers(), "use arun or astream"), (numbers, "call it"), (iter, "not"), (None, "NoneType is not")],
)
def test_what_is_no_source_is_refused_at_the_call(system: System, source: Any, said: str) -> None:
    with pytest.raises(OptionTypeError, match=said):
        system.dispatch.run(source, **ECHO)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda rows: rows.execute("select 1"), "send list() of its rows"),
        (lambda rows: iter([1]), "send list() of it"),
        (lambda rows: {}.values(), "send list() of it"),
        (lambda rows: numbers(), "await it first"),
        (lambda rows: range(3), "send list() of it"),
    ],
)
def test_a_payload_that_has_no_form_names_what_has(
    system: System, rows: sqlite3.Connection, make: Callable[[Any], Any], said: str
) -> None:
    (skipped, other) = system.dispatch.run([[make(rows)], 1], **ECHO, on_error="skip")
    assert isinstance(skipped.meta["error"], PayloadError)
    assert said in str(skipped.meta["error"])
    assert (other.payload, other.meta) == (1, {})


def test_rows_with_names_travel_as_dicts(system: System, rows: sqlite3.Connection) -> None:
    rows.row_factory = sqlite3.Row
    given = rows.execute("select a from t").fetchall()
    assert "send dict() of it" in str(system.dispatch.run(given[:1], **ECHO, on_error="skip")[0].meta["error"])
    assert system.dispatch.run(map(dict, given[:1]), **ECHO)[0].payload == {"a": 0}


def test_a_hidden_coroutine_is_an_error_of_each_item(system: System) -> None:
    done = system.dispatch.run([1, 2], module="mistaken", function="wrapped", each=True, on_error="skip")
    assert ["`async def`" in str(item.meta["error"]) for item in done] == [True, True]
    with pytest.raises(DispatchError, match=re.escape("`async def`")):
        system.dispatch.run([1, 2], module="mistaken", function="wrapped")


def test_a_list_that_was_doubled_names_each(system: System) -> None:
    with pytest.raises(DispatchError, match="2 items went out, 4 results came back") as caught:
        system.dispatch.run([1, 2], module="mistaken", function="twice")
    assert "called with a list of 2: each=True (on the command line: --each) calls it with one" in str(caught.value)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1, 2], module="mistaken", function="drops")
    assert "each" not in str(caught.value)


def test_a_pool_that_gave_up_is_one_sentence() -> None:
    with System({"p": PoolSpec(size=1, path=[HERE], max_restarts=2)}) as system:
        with pytest.raises(DispatchError) as caught:
            system.dispatch.run(range(100), module="os", function="_exit", each=True, batch_size=1, on_error="skip")
        reason = caught.value.reason
        assert isinstance(reason, PoolUnavailable)
        text = str(caught.value)
        assert text.count("the worker exited with code") == 1
        for word in ("'p'", "max_restarts", "PoolSpec(max_restarts=None) lifts that"):
            assert word in text
        for word in ("RestartBudgetExceeded", "Shutdown", "term=", " Crashed", "Crashed(", "executors"):
            assert word not in text
        cause = reason.__cause__
        assert isinstance(cause, WorkerCrashed)
        assert reason.mentions[text[text.index("PoolSpec(") : text.index(" lifts")]] == "max_restarts=None"
