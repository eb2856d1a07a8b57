"""Numbers and texts that nothing could be made of are refused when they are given, by name, rule and remedy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slither_actors import OptionError, PoolSpec, Retry
from slither_actors.system.config import load
from supervisors import Backoff, ConfigError


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def file(text: str) -> Path:
        path = tmp_path / "slither.yaml"
        path.write_text(text)
        return path

    return file


HUGE = [
    ("size", 10**9, "at most 10000"),
    ("size", 10_001, "at most 10000"),
    ("memory_limit", 10**30, f"at most {sys.maxsize}"),
    ("max_rss", 10**30, "at most"),
    ("max_batches", 10**30, "at most"),
    ("max_frame", 10**30, "at most"),
    ("max_restarts", 10**12, "at most 1000000"),
    ("start_timeout", 1e300, r"at most 1e\+08 seconds"),
    ("timeout", 1e9, "at most"),
    ("shutdown", 1e9, "at most"),
    ("max_seconds", 1e9, "at most"),
]


@pytest.mark.parametrize(("key", "value", "said"), HUGE, ids=[f"{key}-{value:g}" for key, value, _ in HUGE])
def test_a_number_too_large_is_refused_with_its_bound(
    write: Callable[[str], Path], key: str, value: float, said: str
) -> None:
    with pytest.raises(OptionError, match=f"^{key} must be {said}"):
        PoolSpec(**{key: value})
    with pytest.raises(ConfigError, match=rf"pools\.p\.{key}: "):
        load(write(f"pools: {{p: {{{key}: {value}}}}}"))


@pytest.mark.parametrize("key", ["size", "memory_limit", "max_frame"])
def test_numbers_of_numpy_are_numbers(key: str) -> None:
    numpy = pytest.importorskip("numpy")
    assert PoolSpec(**{key: numpy.int64(4096)}) == PoolSpec(**{key: 4096})
    assert type(getattr(PoolSpec(**{key: numpy.int64(4096)}), key)) is int


ENV = [
    ({"A=B": "x"}, "'='"),
    ({"=": "x"}, "'='"),
    ({"": "x"}, "empty"),
    ({"A\0": "x"}, "name of a variable must have no NUL"),
    ({"A": "x\0y"}, "value of a variable must have no NUL"),
    ({"A": "\ud83d"}, "utf-8 can carry"),
]


@pytest.mark.parametrize(("env", "said"), ENV)
def test_a_variable_that_no_environment_can_have(env: dict[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=said) as caught:
        PoolSpec(env=env)
    assert str(caught.value).startswith(f"env[{next(iter(env))!r}]")


@pytest.mark.parametrize(("text", "said"), [('{"A=B": x}', "'='"), ('{A: "x\\0y"}', "NUL"), ('{"": x}', "empty")])
def test_such_a_variable_in_a_file(write: Callable[[str], Path], text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"pools\.p\.env") as caught:
        load(write(f"pools: {{p: {{env: {text}}}}}"))
    assert said in str(caught.value)


def test_bytes_that_are_no_text_may_be_a_value() -> None:
    assert PoolSpec(env={"A": "\udcff"}).env == {"A": "\udcff"}


@pytest.mark.parametrize("key", ["path", "preload", "python"])
def test_no_path_and_no_module_has_a_nul(key: str) -> None:
    value: Any = "a\0b"
    with pytest.raises(OptionError, match="NUL"):
        PoolSpec(**{key: value if key == "python" else [value]})


def test_a_back_off_does_not_begin_above_its_maximum(write: Callable[[str], Path]) -> None:
    with pytest.raises(ValueError, match=r"base \(10 s\) exceeds maximum \(5 s\).*raise maximum"):
        Backoff(base=10.0)
    for text in (
        "pools: {p: {restart_backoff: {base: 10}}}",
        "pools: {p: {restart_backoff: {maximum: 0.01}}}",
        "tree: [{kind: supervisor, id: a, children: [], restart_backoff: {base: 10}}]",
    ):
        with pytest.raises(ConfigError, match=r"restart_backoff: base .* exceeds maximum") as caught:
            load(write(text))
        assert str(caught.value).count("exceeds") == 1


def test_a_retry_has_no_more_attempts_than_a_frame_can_say(write: Callable[[str], Path]) -> None:
    assert Retry(65_535).max_attempts == 65_535
    with pytest.raises(OptionError, match="Retry's max_attempts must be at most 65535"):
        Retry(65_536)
    with pytest.raises(ConfigError, match="max_attempts"):
        load(write("dispatch: {on_error: {retry: {max_attempts: 65536}}}"))
