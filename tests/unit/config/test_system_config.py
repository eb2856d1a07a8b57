"""A System from a file: pools, defaults and what else is particular to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from slither_actors import PoolSpec, Retry
from slither_actors.option_parsing import parse_options
from slither_actors.system import config
from supervisors import ConfigError


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "slither.yaml"
        path.write_text(text)
        return path

    return write


def lines_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        config.load(path)
    return [line.removeprefix(f"{path}:") for line in raised.value.lines()]


def test_every_key_of_a_pool_reaches_its_spec(write: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "scorer.py").write_text("class Scorer: pass\n")
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    loaded = config.load(
        write(
            "pools:\n  a: {size: 3, path: [models], env: {PORT: '80'}, preload: [scorer], adapter: 'scorer:Scorer',\n"
            "      init: {x: 1}, start_timeout: 1, timeout: null, shutdown: 0, max_frame: 4096, affinity: strict,\n"
            "      max_restarts: null, max_seconds: 2.5, restart_backoff: {base: 1, maximum: 9}}\n"
            "  b: {python: ./python}\n  c: {max_restarts: auto, size: 9}\n"
        )
    )
    a, b, c = loaded.pools.values()
    assert (a.size, a.path, a.env, a.preload) == (3, (str(tmp_path / "models"),), {"PORT": "80"}, ("scorer",))
    assert (a.adapter, a.init, a.start_timeout, a.timeout, a.shutdown) == ("scorer:Scorer", {"x": 1}, 1, None, 0)
    assert (a.max_frame, a.affinity, a.max_restarts, a.max_seconds) == (4096, "strict", None, 2.5)
    assert (a.restart_backoff.base, a.restart_backoff.maximum) == (1, 9)
    assert b == PoolSpec(python=str(tmp_path / "python"))
    assert c == PoolSpec(size=9)


def test_the_schema_has_exactly_the_fields_of_a_pool_spec() -> None:
    properties = config.SYSTEM.schema["properties"]["pools"]["additionalProperties"]["properties"]
    assert set(properties) == {field.name for field in fields(PoolSpec)}


def test_defaults_of_runs_are_taken_as_options(write: Callable[[str], Path]) -> None:
    loaded = config.load(
        write(
            "pools: {p: {}}\ndispatch:\n  {pool: p, batch_size: 7, max_in_flight: 2, prefetch: 0,\n"
            "   max_in_flight_bytes: 99,   ordering: as_completed, timeout: null, linger: 0.5,\n"
            "   on_error: {retry: {max_attempts: 5, split: true, then: skip}}}\n"
        )
    )
    run = parse_options({**loaded.dispatch, "function": "f", "module": "m"})
    assert (run.pool, run.batch_size, run.max_in_flight, run.prefetch) == ("p", 7, 2, 0)
    assert (run.max_in_flight_bytes, run.ordering, run.timeout, run.linger) == (99, "as_completed", None, 0.5)
    assert run.on_error == Retry(5, split=True, then="skip")


def test_the_defaults_of_the_schema_are_those_of_the_options() -> None:
    defaults = {
        name: one["default"]
        for name, one in config.SYSTEM.schema["properties"]["dispatch"]["properties"].items()
        if "default" in one
    }
    run = parse_options({"function": "f", "module": "m"})
    with_them = parse_options({"function": "f", "module": "m", **defaults})
    assert {name: getattr(run, name) for name in defaults} == {name: getattr(with_them, name) for name in defaults}


@pytest.mark.parametrize(
    ("text", "policy"), [("halt", "halt"), ("skip", "skip"), ("retry", Retry()), ("{retry: {}}", Retry())]
)
def test_policies_are_words_or_a_retry_with_options(write: Callable[[str], Path], text: str, policy: object) -> None:
    assert config.load(write(f"dispatch: {{on_error: {text}}}")).dispatch == {"on_error": policy}


def test_an_almost_empty_file_is_a_default_system(write: Callable[[str], Path]) -> None:
    loaded = config.load(write("system: {}"))
    assert (loaded.pools, loaded.dispatch, loaded.children, loaded.name) == ({}, {}, (), "slither")
    assert config.load(write("system: {name: x}")).name == "x"
    with pytest.raises(FrozenInstanceError):
        loaded.name = "y"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pools: {gpu_pool: {sise: 2}}", "1:20: pools.gpu_pool.sise: unknown key, did you mean size?"),
        ("pools: {'': {}}", '1:9: pools."": a name must not be empty'),
        ("pools: {a: }", "1:12: pools.a: must be a mapping (key: value), not null; give a value"),
        ("pools: {a: {env: {PORT: 80}}}", '1:25: pools.a.env.PORT: must be text, not 80; put it in quotes: "80"'),
        ("pools: {a: {path: [nowhere]}}", "1:20: pools.a.path[0]: no such folder: "),
        ("pools: {a: {python: ./no}}", "1:21: pools.a.python: no such program: ./no"),
        ("pools: {a: {python: no-such-python}}", "1:21: pools.a.python: no such program: no-such-python"),
        ("pools: {a: {preload: [no_such_module]}}", "1:23: pools.a.preload[0]: there is no module no_such_module"),
        ("pools: {a: {adapter: 'json:Scorer'}}", "1:22: pools.a.adapter: module json has no Scorer"),
        ("pools: {a: {adapter: scorer}}", "1:22: pools.a.adapter: must be of the form package.module:Class, not "),
        ("pools: {a: {init: {x: 1}}}", "1:19: pools.a.init: init is for an adapter, and this pool has none"),
        ("pools: {a: {max_restarts: -1}}", "1:27: pools.a.max_restarts: must be a whole number from 0 to 1000000, "),
        ("pools: {gpu: {}}\ndispatch: {pool: gpv}", "2:18: dispatch.pool: there is no pool gpv, did you mean gpu?"),
        ("dispatch: {pool: gpu}", "1:18: dispatch.pool: there is no pool gpu, known: default"),
        ("dispatch: {on_error: retri}", "1:22: dispatch.on_error: must be one of halt, skip, retry, not 'retri'"),
        ("dispatch: {on_error: {retry: {tries: 1}}}", "1:31: dispatch.on_error.retry.tries: unknown key, known"),
        ("dispatch: {on_error: {retry: {backoff: 60}}}", "1:30: dispatch.on_error.retry: backoff (60 s) exceeds"),
        ("tree: [{kind: pool, id: a}]", "1:15: tree[0].kind: must be one of actor, supervisor (pools stand"),
    ],
)
def test_mistakes_have_place_path_and_remedy(write: Callable[[str], Path], text: str, expected: str) -> None:
    (line,) = lines_of(write(text))
    assert line.startswith(expected)


def test_modules_of_another_interpreter_are_not_checked(write: Callable[[str], Path]) -> None:
    text = "pools: {a: {python: /bin/sh, preload: [no_such_module], adapter: 'no.such:Adapter'}}"
    assert config.load(write(text)).pools["a"].preload == ("no_such_module",)


def test_a_path_that_is_no_list_is_one_mistake(tmp_path: Path) -> None:
    file = tmp_path / "slither.yaml"
    file.write_text("pools: {a: {path: models, preload: reader}}\n")
    with pytest.raises(ConfigError) as caught:
        config.load(file)
    assert [line.split(": ")[1] for line in caught.value.lines()] == ["pools.a.path", "pools.a.preload"]
