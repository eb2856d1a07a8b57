"""What ``python -m tests.fuzz`` starts, and what it tells of what came of it. Atheris itself is not needed here."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import __main__ as command

RUNS = bytes([7]) * 100
PIECES = st.lists(st.one_of(st.binary(max_size=5), st.just(RUNS), st.just(b"\n" * 40)), max_size=6).map(b"".join)


class Fuzzer:
    """In the place of the driver's process: it leaves the inputs that it is given as found."""

    def __init__(self, found: list[bytes], output: str, code: int) -> None:
        self.found = found
        self.output = output
        self.code = code
        self.commands: list[list[str]] = []
        self.seeds: list[bytes] = []

    def run(self, argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(argv)
        (prefix,) = (option.partition("=")[2] for option in argv if option.startswith("-artifact_prefix="))
        for number, data in enumerate(self.found):
            Path(f"{prefix}crash-{number}").write_bytes(data)
        self.seeds = [file.read_bytes() for file in Path(argv[5]).iterdir()]
        return subprocess.CompletedProcess(argv, self.code, self.output)


def fuzzer(monkeypatch: pytest.MonkeyPatch, *found: bytes, output: str = "", code: int = 0) -> Fuzzer:
    made = Fuzzer([*found], output, code)
    monkeypatch.setattr(subprocess, "run", made.run)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    return made


OUTPUT = "#4 NEW cov: 12 ft: 3\n#9 DONE cov: 34 ft: 5\nstat::number_of_executed_units: 1234567\n"


def test_it_tells_how_much_was_tried(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made = fuzzer(monkeypatch, output=OUTPUT)
    assert command.main(["codec", "frames", "--seconds", "7"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "codec: 1,234,567 executions, 34 branches reached, nothing found",
        "frames: 1,234,567 executions, 34 branches reached, nothing found",
    ]
    assert [argv[3] for argv in made.commands] == ["codec", "frames"]
    assert all("-max_total_time=7" in argv for argv in made.commands)
    assert sorted(made.seeds) == sorted(command.CORPUS["frames"]())


def test_what_was_found_is_told_as_a_test_to_be_pasted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fuzzer(monkeypatch, b"a'\"\\\n" + RUNS, b"", output="AssertionError\n" + OUTPUT, code=77)
    assert command.main(["codec"]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "AssertionError" in out
    given_to: list[bytes] = []
    for function in out[out.index("def ") :].split("\n\n"):
        scope: dict[str, Any] = {"codec": given_to.append}
        exec(function, scope)
        scope["test_what_was_found"]()
    assert given_to == [b"a'\"\\\n" + RUNS, b""]


def test_an_end_without_an_input_is_a_failure_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fuzzer(monkeypatch, output="ImportError: no such thing\n", code=1)
    assert command.main(["codec"]) == 1
    assert "ImportError: no such thing" in capsys.readouterr().out


def test_a_corpus_is_kept_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = fuzzer(monkeypatch)
    assert command.main(["--corpus", str(tmp_path / "new")]) == 0
    assert [argv[4] for argv in made.commands] == [str(tmp_path / "new" / name) for name in command.CORPUS]
    assert all((tmp_path / "new" / name).is_dir() for name in command.CORPUS)


def test_an_unknown_target_is_told_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["codecs"])
    assert "frames, codec, messages, yaml" in capsys.readouterr().err


def test_without_atheris_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        command.main([])
    assert ".[fuzz]" in capsys.readouterr().err


@given(PIECES)
def test_an_input_is_told_as_an_expression_of_itself(data: bytes) -> None:
    text = command.literal(data)
    assert eval(compile(ast.parse(text, mode="eval"), "", "eval")) == data
    assert "\n" not in text
    assert len(text) < 1000
