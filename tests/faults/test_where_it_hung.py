"""Work that hangs is killed at its deadline, and the error says in which file, line and function it hung."""

from __future__ import annotations

import linecache
import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.evil import EVIL
from support.gates import pids_in, wait_gone
from support.victims import counts, counts_after, works

from slither_actors import BatchTimeout, DispatchError, LoadError, StartTimeout, System

pytestmark = pytest.mark.fault(6)

Start = Callable[..., System]
FRAME = re.compile(r'File "(.*)", line (\d+), in (\w+)')


def hung(system: System, tmp_path: Path, function: str, **options: Any) -> Any:
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([str(tmp_path / "pid")], module="hung_places", function=function, timeout=0.5, **options)
    reason = caught.value.reason
    assert isinstance(reason, BatchTimeout)
    wait_gone(*pids_in(tmp_path / "pid"))
    assert counts(system).kills == {"timeout": 1}
    assert counts(system).deaths == 0
    assert works(system)
    # A print of the error's traceback shows it, too.
    assert reason.stack in "".join(traceback.format_exception(caught.value))
    assert pickle.loads(pickle.dumps(reason)).stack == reason.stack
    return reason


def places(stack: str) -> list[str]:
    """The functions, innermost first; each line is really one of the file."""
    found = FRAME.findall(stack)
    for file, line, _ in found:
        assert linecache.getline(file, int(line)).strip(), (file, line)
    return [name for _, _, name in found]


@pytest.mark.parametrize(
    ("function", "frames"),
    [
        ("in_python", ["waits_in_python", "in_python"]),
        ("in_c", ["waits_in_c", "in_c"]),
    ],
)
def test_the_error_names_file_line_and_function(start: Start, tmp_path: Path, function: str, frames: list[str]) -> None:
    error = hung(start(), tmp_path, function)
    assert places(error.stack) == frames  # and none of the worker's own
    (file, line, _) = FRAME.findall(error.stack)[0]
    assert file == str(Path(EVIL, "hung_places.py"))
    assert "sleep" in linecache.getline(file, int(line))
    assert "secret" not in error.stack
    assert str(tmp_path) not in error.stack


def test_with_each_item_the_loop_over_them_is_not_told(start: Start, tmp_path: Path) -> None:
    error = hung(start(), tmp_path, "one_in_python", each=True)
    assert places(error.stack) == ["waits_in_python", "in_python", "one_in_python"]


def test_all_threads_are_told_the_main_one_first(start: Start, tmp_path: Path) -> None:
    error = hung(start(), tmp_path, "in_a_thread_too")
    main, other = error.stack.split("in another thread of the worker:")
    assert places(main) == ["waits_in_c", "in_c", "in_a_thread_too"]
    assert places(other)[:2] == ["waits_in_python", "waits_beside"]


def test_a_deep_stack_is_cut_to_its_innermost_frames(start: Start, tmp_path: Path) -> None:
    error = hung(start(), tmp_path, "deep")
    assert places(error.stack)[:3] == ["waits_in_python", "in_python", "deep"]
    assert len(error.stack) <= 4096


@pytest.mark.parametrize("function", ["with_the_signal_blocked", "with_a_handler_of_its_own", "answers_at_the_signal"])
def test_a_function_that_keeps_the_signal_to_itself_is_killed(start: Start, tmp_path: Path, function: str) -> None:
    assert hung(start(), tmp_path, function).stack == ""


def test_a_signal_that_the_worker_would_die_of_is_not_sent(start: Start, tmp_path: Path) -> None:
    system = start(max_restarts=0)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            [str(tmp_path / "pid")], module="hung_places", function="with_the_signal_at_its_default", timeout=0.5
        )
    assert isinstance(caught.value.reason, BatchTimeout)
    assert works(system)
    assert (counts(system).deaths, counts(system).exits) == (0, {"SIGKILL": 1})


def test_nothing_is_written_into_files_of_the_user(start: Start, tmp_path: Path) -> None:
    system = start()
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run(
            [str(tmp_path / "pid")], module="hung_places", function="over_closed_descriptors", timeout=0.5
        )
    assert isinstance(caught.value.reason, BatchTimeout)
    assert places(caught.value.reason.stack)[0] == "waits_in_python"
    assert [file.read_text() for file in tmp_path.glob("pid.*")] == [""] * 20


def test_an_import_that_hangs_is_named(start: Start) -> None:
    system = start(start_timeout=1.0)
    with pytest.raises(DispatchError) as caught:
        system.dispatch.run([1], module="hung_import", function="f")
    error = caught.value.reason
    assert isinstance(error, LoadError)
    assert isinstance(error.reason, StartTimeout)
    assert places(error.stack) == ["never_imported"]  # and the module, which is no name; none of the import machinery
    assert "importlib" not in error.stack
    assert error.reason.stack == error.stack
    assert "hung_import.py" in "".join(traceback.format_exception(caught.value))
    assert counts(system).kills == {"load_timeout": 2}  # one alone says nothing of the function


@pytest.mark.parametrize("how", ["preload", "adapter"])
def test_a_start_that_hangs_is_named(make: Callable[..., System], tmp_path: Path, how: str) -> None:
    spec: dict[str, Any] = {
        "preload": {"preload": ["hung_import"]},
        "adapter": {"adapter": "hung_places:Hangs", "init": {"path": str(tmp_path / "pid")}},
    }[how]
    system = make(start_timeout=1.0, max_restarts=0, **spec)
    with pytest.raises(StartTimeout) as caught:
        system.start()
    assert ("never_imported" if how == "preload" else "waits_in_python") in caught.value.stack
    assert caught.value.stack in "".join(traceback.format_exception(caught.value))
    assert "start_timeout" in counts_after(system).kills
