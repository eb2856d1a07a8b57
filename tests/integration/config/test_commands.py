"""``check``, ``show`` and ``schema``, as a person runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from architecture.imports import ROOT
from support.config_docs import SCHEMA
from support.without_slither import run_alone

EXAMPLE = ROOT / "docs" / "examples" / "service" / "slither.yaml"

MISTAKES = """\
pools:
  gpu_pool:
    sise: 2
    affinity: stric
    env: {PORT: 8080}
  cpu:
    size: 0
    restart_backoff: no
dispatch:
  pool: gpu
  timeout: "30"
tree:
  - kind: actor
    id: watch
    class: json.decoder:JSONDecodr
  - kind: supervisor
    id: watch
    children:
      - {kind: actor, id: inner, class: 'json:loads', significant: true}
"""
TOLD = """\
slither.yaml:3:5: pools.gpu_pool.sise: unknown key, did you mean size?
slither.yaml:4:15: pools.gpu_pool.affinity: must be one of none, hint, strict, fail_fast, not 'stric', did you mean strict?
slither.yaml:5:17: pools.gpu_pool.env.PORT: must be text, not 8080; put it in quotes: "8080"
slither.yaml:7:11: pools.cpu.size: must be at least 1, not 0
slither.yaml:8:22: pools.cpu.restart_backoff: no is true or false to some readers and text to others; write false, or 'no'
slither.yaml:10:9: dispatch.pool: there is no pool gpu, did you mean cpu?
slither.yaml:11:12: dispatch.timeout: must be a number or null, not the text '30'; take it out of its quotes
slither.yaml:15:12: tree[0].class: module json.decoder has no JSONDecodr, did you mean JSONDecoder?
slither.yaml:17:9: tree[1].id: the child on line 14 has this id already; give it another
slither.yaml:19:68: tree[1].children[0].significant: a permanent child cannot be significant; say restart: transient or temporary
"""  # noqa: E501


def run(module: str, *argv: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, argv)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("module", ["supervisors", "slither_actors.cli"])
def test_ten_mistakes_are_ten_lines_with_place_and_remedy(tmp_path: Path, module: str) -> None:
    (tmp_path / "slither.yaml").write_text(MISTAKES)
    done = run(module, "check", "slither.yaml", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (TOLD, "", 2)
    shown = run(module, "show", "slither.yaml", cwd=tmp_path)
    assert (shown.stdout, shown.stderr, shown.returncode) == ("", TOLD, 2)


@pytest.mark.parametrize("module", ["supervisors", "slither_actors.cli"])
@pytest.mark.parametrize("flags", [[], ["--import"]])
def test_the_example_is_in_order(module: str, flags: list[str]) -> None:
    done = run(module, "check", *flags, EXAMPLE)
    assert (done.stdout, done.stderr, done.returncode) == (f"{EXAMPLE}: ok, a System with 10 parts\n", "", 0)


@pytest.mark.parametrize("module", ["supervisors", "slither_actors.cli"])
def test_the_example_is_drawn(module: str) -> None:
    done = run(module, "show", EXAMPLE, PYTHONIOENCODING="utf-8")
    assert (
        done.stdout
        == """\
reviews (System)
├─ pools (Supervisor)
│  ├─ scoring (Pool) size=2 path=[models] adapter=scorer:Scorer affinity=strict
│  └─ reading (Pool) size=2 path=[models] preload=[reader] max_restarts=5 max_seconds=10
└─ tree (Supervisor)
   ├─ tally (Tally)
   └─ intake (Supervisor) strategy=rest_for_one max_restarts=10 max_seconds=60
      ├─ archive (Archive) shutdown=10
      └─ feeds (Supervisor) strategy=one_for_one auto_shutdown=all_significant restart=transient
         ├─ news (Feed) restart=transient significant=true
         └─ forum (Feed) restart=transient significant=true
"""
    )
    plain = run(module, "show", EXAMPLE, PYTHONIOENCODING="ascii")
    assert "|- pools (Supervisor)" in plain.stdout
    assert plain.stdout.isascii()


def test_the_schema_is_valid_and_each_program_prints_its_own() -> None:
    tree, system = (json.loads(run(module, "schema").stdout) for module in ("supervisors", "slither_actors.cli"))
    for schema in (tree, system):
        jsonschema.Draft202012Validator.check_schema(schema)
    assert "children" in tree["properties"]
    assert "pools" in system["properties"]
    assert run("slither_actors.cli", "schema").stdout == SCHEMA.read_text()


def test_a_bare_tree_is_distinguished_from_a_system(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("name: app\nchildren:\n  - {kind: supervisor, id: a, children: []}\n")
    for module in ("supervisors", "slither_actors.cli"):
        assert run(module, "show", "t.yaml", cwd=tmp_path).stdout.startswith("app (Supervisor)\n")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    done = run("supervisors", "check", "nothing.yaml", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("nothing.yaml: cannot be read: no such file or directory\n", 2)


def test_check_imports_classes_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("print('imported')\nclass Loud: pass\n")
    (tmp_path / "t.yaml").write_text("children:\n  - {kind: actor, id: a, class: 'loud:Loud'}\n")
    done = run("supervisors", "check", "t.yaml", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("t.yaml: ok, a supervision tree with 1 parts\n", 0)
    imported = run("supervisors", "check", "--import", "t.yaml", cwd=tmp_path)
    assert imported.stdout.startswith("imported\nt.yaml:2:33: children[0].class: loud:Loud is no actor")
    assert imported.returncode == 2


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m supervisors schema | head -c 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("{", "")


def test_supervisors_works_without_slither_actors(tmp_path: Path) -> None:
    (tmp_path / "tree.yaml").write_text("children:\n  - {kind: actor, id: a, class: 'mine:Mine'}\n")
    (tmp_path / "mine.py").write_text("import supervisors\nclass Mine(supervisors.LightActor): pass\n")
    (tmp_path / "run.py").write_text(
        "import sys, supervisors\n"
        "scheduler = supervisors.Scheduler(); scheduler.start()\n"
        "root = supervisors.load('tree.yaml').start(scheduler)\n"
        "supervisors.wait_started(root)\n"
        "print([node.kind for node in supervisors.tree(root).children])\n"
        "supervisors.stop(root); scheduler.stop()\n"
        "assert sys.modules.get('slither_actors') is None\n"
    )
    assert run_alone(tmp_path, "-m", "supervisors", "check", "tree.yaml").stdout.endswith("with 1 parts\n")
    assert "a (Mine)" in run_alone(tmp_path, "-m", "supervisors", "show", "tree.yaml").stdout
    done = run_alone(tmp_path, "run.py")
    assert (done.stdout, done.stderr, done.returncode) == ("['Mine']\n", "", 0)
