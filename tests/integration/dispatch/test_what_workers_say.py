"""Prints and log records of workers, as the program sees them that has the System."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.scripts import run, write

BODY = """
import logging
{setup}
with System({{"pool": PoolSpec(size=1)}}) as system:
    try:
        system.dispatch.run([1], module="talkers", function={function!r}, each=True)
    except DispatchError as error:
        print(error.reason)
{after}
"""


def said(folder: Path, function: str, setup: str = "", after: str = "") -> tuple[list[str], list[str]]:
    """What stands on stdout and on stderr."""
    done = run(folder, BODY.format(function=function, setup=setup, after=after))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


PRINTED = ["pool[0]: a print of 1", "pool[0]: on stderr 1"]


@pytest.mark.parametrize(
    "setup",
    [
        "",
        "logging.basicConfig()",
        "logging.getLogger('other').addHandler(logging.StreamHandler())",
        "logging.basicConfig(level='INFO'); logging.root.handlers[0].setLevel('ERROR')",
        "logging.root.addHandler(logging.NullHandler()); logging.root.setLevel('INFO')",
    ],
)
def test_a_print_that_no_handler_takes_is_seen_on_stderr(tmp_path: Path, setup: str) -> None:
    assert said(tmp_path, "prints", setup) == ([], PRINTED)


def test_with_logging_configured_prints_are_records(tmp_path: Path) -> None:
    setup = "logging.basicConfig(level='INFO', format='%(levelname)s %(name)s %(message)s')"
    _, lines = said(tmp_path, "prints", setup)
    assert [line.partition("(pid")[0] for line in lines] == ["INFO slither_actors.worker pool[0] "] * 2
    assert [line.partition("): ")[2] for line in lines] == ["a print of 1", "on stderr 1"]


@pytest.mark.parametrize(
    "setup",
    [
        "logging.getLogger('slither_actors.worker').addHandler(logging.NullHandler())",
        "logging.getLogger('slither_actors.worker').setLevel('WARNING')",
        "logging.getLogger('slither_actors').setLevel('ERROR')",
        "logging.getLogger('slither_actors.worker').propagate = False",
        "logging.disable()",
        "sys.stderr = None",
        "sys.stderr = open(os.devnull, 'w'); sys.stderr.close()",
    ],
)
def test_prints_are_silenced_as_any_logger_is(tmp_path: Path, setup: str) -> None:
    assert said(tmp_path, "prints", setup, "sys.stderr = sys.__stderr__") == ([], [])


def test_a_line_that_a_worker_dies_in_is_seen(tmp_path: Path) -> None:
    out, err = said(tmp_path, "dies_in_a_line")
    assert "no end" in out[-1]
    assert err == ["pool[0]: no end"]


def test_the_default_systems_prints_are_seen_at_exit(tmp_path: Path) -> None:
    script = write(tmp_path, 'print(Dispatch.run([1], module="talkers", function="prints", each=True)[0].payload)')
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "1\n"
    assert sorted(line.partition("]: ")[2] for line in done.stderr.splitlines()) == ["a print of 1", "on stderr 1"]


FORMAT = "'%(levelname)s|%(name)s|%(processName)s|%(funcName)s|%(message)s'"


def test_records_of_workers_keep_level_name_lines_and_traceback(tmp_path: Path) -> None:
    _, lines = said(tmp_path, "logs", f"logging.basicConfig(level='INFO', format={FORMAT})")
    assert lines[:2] == ["INFO|my.app|pool[0]|logs|two", "lines of 1"]
    assert lines[2] == "ERROR|my.app|pool[0]|logs|it failed: 100%% \u00fc"
    assert lines[3] == "Traceback (most recent call last):"
    assert lines[-1] == "KeyError: 'gone'"
    assert not [line for line in lines if "detail" in line]


@pytest.mark.parametrize(
    ("setup", "first"),
    [
        (f"logging.basicConfig(level='DEBUG', format={FORMAT})", "DEBUG|my.app|pool[0]|logs|a detail"),
        (
            f"logging.basicConfig(format={FORMAT}); logging.getLogger('my').setLevel('DEBUG')",
            "DEBUG|my.app|pool[0]|logs|a detail",
        ),
        (f"logging.basicConfig(format={FORMAT})", "ERROR|my.app|pool[0]|logs|it failed: 100%% \u00fc"),
        ("", "it failed: 100%% \u00fc"),
    ],
)
def test_the_levels_of_the_host_are_those_of_its_workers(tmp_path: Path, setup: str, first: str) -> None:
    assert said(tmp_path, "logs", setup)[1][0] == first


def test_filters_and_handlers_serve_records_from_workers(tmp_path: Path) -> None:
    setup = """
class Mine(logging.Handler):
    def emit(self, record):
        print(record.name, record.levelno, record.lineno > 0, record.process != os.getpid(), len(record.getMessage()))
logging.getLogger("my").addHandler(Mine())
logging.getLogger("my").propagate = False
"""
    assert said(tmp_path, "logs", setup) == (["my.app 40 True True 18"], [])


def test_record_is_bounded_and_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    out, err = said(tmp_path, "logs_too_much", "logging.basicConfig(format='%(name)s %(message)s')")
    assert out == []
    assert err[0].startswith("my.app \x01")
    assert err[-1].endswith("\x01the end")
    assert sum(map(len, err)) < 3000


def test_names_from_workers_make_no_loggers_here(tmp_path: Path) -> None:
    setup = "logging.basicConfig(format='%(name)s'); before = len(logging.root.manager.loggerDict)"
    after = "print(len(logging.root.manager.loggerDict) - before < 50)"
    out, err = said(tmp_path, "logs_under_many_names", setup, after)
    assert out == ["True"]
    assert err == [f"name.{number}" for number in range(1000)]


def test_a_worker_that_configures_logging_itself_is_left_alone(tmp_path: Path) -> None:
    assert said(tmp_path, "logs_by_its_own_handlers") == ([], ["pool[0]: mine hello"])


def test_null_handlers_of_libraries_take_no_records(tmp_path: Path) -> None:
    _, lines = said(tmp_path, "logs_as_a_library", f"logging.basicConfig(format={FORMAT})")
    assert lines[:4] == [
        "ERROR|lib|pool[0]|logs_as_a_library|two",
        "lines",
        "WARNING|lib.child|pool[0]|logs_as_a_library|of a child",
        "ERROR|apart|pool[0]|logs_as_a_library|not propagated",
    ]
    assert lines[4].startswith("WARNING|py.warnings|pool[0]|")
    assert "UserWarning: a warning" in lines[4]
    assert [line for line in lines[5:] if "|" in line] == []


def test_functions_of_the_module_configure_nothing(tmp_path: Path) -> None:
    _, lines = said(tmp_path, "logs_by_functions_of_the_module", f"logging.basicConfig(level='INFO', format={FORMAT})")
    assert lines == [
        "ERROR|root|pool[0]|logs_by_functions_of_the_module|by a function",
        "ERROR|my.app|pool[0]|logs_by_functions_of_the_module|two",
        "lines",
    ]


def test_a_worker_may_configure_logging_after_it_has_logged(tmp_path: Path) -> None:
    _, lines = said(tmp_path, "configures_after_it_has_logged", f"logging.basicConfig(format={FORMAT})")
    assert lines == [
        "ERROR|root|pool[0]|configures_after_it_has_logged|before",
        "ERROR|lib|pool[0]|configures_after_it_has_logged|before",
        "pool[0]: mine root after",
        "pool[0]: mine lib after",
    ]


def test_a_worker_that_does_not_log_has_no_logging(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        with System({"pool": PoolSpec(size=1)}) as system:
            print(system.dispatch.run([1], module="talkers", function="has_logging", each=True)[0].payload)
        """,
    )
    assert done.stdout == "False\n", done.stderr


def test_a_record_is_readable_among_the_last_words_of_a_crash(tmp_path: Path) -> None:
    out, _ = said(tmp_path, "dies_after_a_record")
    assert out[-1] == "ERROR my.app: the last words"
