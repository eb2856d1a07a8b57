"""The files of ``map``: opened once, never the same one twice, emptied only when that is known."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from slither_actors.cli.files import STDIN, STDOUT, Files


@pytest.fixture
def context() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def test_without_names_they_are_the_standard_ones(context: contextlib.ExitStack) -> None:
    files = Files(None, None, None, context)
    assert (files.input, files.output, files.errors) == (STDIN, STDOUT, None)


def test_outputs_are_emptied_and_closed_with_the_context(tmp_path: Path) -> None:
    source, output, errors = (tmp_path / name for name in ("in", "out", "err"))
    for path in (source, output, errors):
        path.write_text("before")
    with contextlib.ExitStack() as context:
        files = Files(str(source), str(output), str(errors), context)
        opened = (files.input, files.output, files.errors)
        assert os.read(files.input, 10) == b"before"
        os.write(files.output, b"x")
    for fd in opened:
        assert fd is not None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    assert (source.read_text(), output.read_text(), errors.read_text()) == ("before", "x", "")


@pytest.mark.parametrize("link", [False, True])
def test_a_file_given_twice_is_refused_and_keeps_its_content(
    tmp_path: Path, context: contextlib.ExitStack, link: bool
) -> None:
    source = tmp_path / "in"
    source.write_text("rows")
    other = tmp_path / "other"
    if link:
        other.hardlink_to(source)
    with pytest.raises(OSError, match="given twice"):
        Files(str(source), str(other if link else source), None, context)
    assert source.read_text() == "rows"


def test_one_output_for_results_and_errors_is_refused(tmp_path: Path, context: contextlib.ExitStack) -> None:
    with pytest.raises(OSError, match="given twice"):
        Files(os.devnull, str(tmp_path / "out"), str(tmp_path / "out"), context)


def test_a_device_may_be_named_twice(context: contextlib.ExitStack) -> None:
    files = Files(os.devnull, os.devnull, os.devnull, context)
    assert len({files.input, files.output, files.errors}) == 3


def test_a_folder_is_refused(tmp_path: Path, context: contextlib.ExitStack) -> None:
    with pytest.raises(IsADirectoryError):
        Files(str(tmp_path), None, None, context)
