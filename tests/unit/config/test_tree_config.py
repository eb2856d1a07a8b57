"""A supervision tree from a file: what is refused, and what runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import supervisors
from supervisors import ConfigError, LightActor, Scheduler, StartFailed, SupervisorSpec, stop, tree, wait_started
from supervisors.config.child_kinds import Kind, Kinds
from supervisors.config.tree_config import KINDS
from supervisors.errors import SpecError

pytestmark = pytest.mark.usefixtures("modules")

Modules = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "tree.yaml"
        path.write_text(text)
        return path

    return write


def actor(ident: str, cls: str, more: str = "") -> str:
    return f"  - {{kind: actor, id: {ident}, class: 'trial_actors:{cls}'{more}}}\n"


# On one line with others of its kind.
IN_FLOW = "{{kind: actor, id: {}, class: 'trial_actors:Light', register: x}}"


def lines_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        supervisors.load(path)
    return [line.removeprefix(f"{path}:") for line in raised.value.lines()]


def child(root: Any, ident: str) -> Any:
    return next(info.child for info in supervisors.which_children(root) if info.id == ident)


def test_a_tree_of_every_kind_of_actor_runs_and_restarts(
    write: Callable[[str], Path], scheduler: Scheduler, eventually: Callable[..., None]
) -> None:
    spec = supervisors.load(
        write(
            "name: app\nstrategy: rest_for_one\nmax_restarts: 9\nrestart_backoff: {base: 0.01}\nchildren:\n"
            + actor("light", "Light", ", args: [[1]], kwargs: {a: 2}")
            + actor("daemon", "Daemon", ", args: [dd], shutdown: 2")
            + "  - kind: supervisor\n    id: inner\n    shutdown: infinity\n    children:\n"
            + "    "
            + actor("plain", "Plain", ", kwargs: {name: pp}, restart: transient").lstrip(" -").join(["- ", ""])
        )
    )
    assert isinstance(spec, SupervisorSpec)
    assert (spec.name, spec.strategy, spec.max_restarts, spec.max_seconds) == ("app", "rest_for_one", 9, 5.0)
    root = spec.start(scheduler)
    assert wait_started(root, 10)
    light, daemon, inner = (child(root, name) for name in ("light", "daemon", "inner"))
    assert light.ask(None) == (([1],), {"a": 2})
    assert daemon.ask(None) == "dd"
    assert child(inner, "plain").ask(None) == "pp"
    assert [node.kind for node in tree(root).children] == ["Light", "Daemon", "Supervisor"]

    light.ask("spoil")
    light.tell("die")
    eventually(lambda: child(root, "inner") not in (None, inner) and child(root, "daemon") is not daemon)
    eventually(lambda: child(root, "light") is not light and child(root, "light").is_alive())
    assert child(root, "light").ask(None) == (([1],), {"a": 2})  # a copy of its own
    assert stop(root, timeout=10)


def test_a_registered_name_survives_the_childs_restart(
    write: Callable[[str], Path], scheduler: Scheduler, eventually: Callable[..., None]
) -> None:
    spec = supervisors.load(
        write(
            "children:\n" + actor("a", "Light", ", register: first") + actor("b", "Plain", ", args: [x], register: b")
        )
    )
    root = spec.start(scheduler)
    assert wait_started(root, 10)
    first = scheduler.registry.lookup("first")
    assert first is child(root, "a")
    assert scheduler.registry.lookup("b") is child(root, "b")
    first.tell("die")
    eventually(lambda: scheduler.registry.whereis("first") not in (None, first))
    assert scheduler.registry.lookup("first") is child(root, "a")
    assert stop(root, timeout=10)
    assert scheduler.registry.names() == []


def test_a_start_timeout_limits_the_start(write: Callable[[str], Path], scheduler: Scheduler) -> None:
    spec = supervisors.load(write("children:\n" + actor("a", "Light", ", start_timeout: 2.5") + actor("b", "Light")))
    assert [child.start_timeout for child in spec.children] == [2.5, None]


def test_threads_of_user_code_are_its_own(write: Callable[[str], Path], scheduler: Scheduler) -> None:
    lines = actor("a", "Light") + actor("b", "Daemon") + actor("c", "Plain", ", args: [x]")
    root = supervisors.load(write("children:\n" + lines)).start(scheduler)
    wait_started(root, 10)
    import trial_actors  # type: ignore[import-not-found]

    light, daemon, plain = trial_actors.THREADS
    assert light == "test"
    assert daemon.startswith("Daemon-")
    assert plain.startswith("Plain-")
    assert threading.current_thread().name not in trial_actors.THREADS
    stop(root, timeout=10)


def test_an_init_that_raises_in_its_thread_is_a_failed_start(
    write: Callable[[str], Path], scheduler: Scheduler
) -> None:
    lines = actor("first", "Daemon", ", args: [one]") + actor("second", "Daemon", ", kwargs: {fail: true}")
    root = supervisors.load(write("children:\n" + lines)).start(scheduler)
    with pytest.raises(StartFailed) as raised:
        wait_started(root, 10)
    assert "second" in str(raised.value)
    assert isinstance(raised.value.__cause__, OSError)
    import trial_actors

    assert trial_actors.Daemon.exits == ["one"]  # not of the one that never was


def test_a_wrong_number_of_arguments_is_a_failed_start_too(write: Callable[[str], Path], scheduler: Scheduler) -> None:
    root = supervisors.load(write("children:\n" + actor("p", "Plain"))).start(scheduler)
    with pytest.raises(StartFailed) as raised:
        wait_started(root, 10)
    assert isinstance(raised.value.__cause__, TypeError)


def test_a_spec_is_a_child_of_another_tree(write: Callable[[str], Path]) -> None:
    spec = supervisors.load(write("children: []")).child_spec(id="below", restart="transient")
    assert (spec.id, spec.type, spec.restart) == ("below", "supervisor", "transient")
    assert spec.shutdown_seconds == float("inf")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", ["1:1: must be a mapping (key: value), not a list"]),
        ("children: 5", ["1:11: children: must be a list, not 5"]),
        ("strategy: one_for_one", ["1:1: the key children is missing"]),
        ("children: []\nmax_restarts: -1", ["2:15: max_restarts: must be at least 0, not -1"]),
        ("children: []\nmax_restarts: 2.0", ["2:15: max_restarts: must be a whole number or null, not 2.0; write 2"]),
        ("children: []\nmax_restarts: true", ["2:15: max_restarts: must be a whole number or null, not true"]),
        ("children: []\nmax_seconds: 0", ["2:14: max_seconds: must be above 0, not 0"]),
        ("children: []\nmax_seconds: 1e9", ["2:14: max_seconds: must be at most 100,000,000, not 1000000000.0"]),
        ("children: []\nmax_seconds: inf", ["2:14: max_seconds: must be a number, not the text 'inf'"]),
        ("children: []\nmax_seconds:", ["2:13: max_seconds: must be a number, not null; give a value"]),
        (
            "children: []\nstrategy: one_for_non",
            ["2:11: strategy: must be one of one_for_one, one_for_all, rest_for_one, not 'one_for_non', did you mean"],
        ),
        ("children: []\nStrategy: one_for_all", ["2:1: Strategy: unknown key, did you mean strategy?"]),
        ("children: []\nrestart_backoff: {jitter: 2}", ["2:27: restart_backoff.jitter: must be at most 1, not 2"]),
        ("children:\n  - id: a", ["2:5: children[0]: the key kind is missing; it is one of actor, supervisor"]),
        (
            "children:\n  - {kind: actr, id: a}",
            ["2:12: children[0].kind: must be one of actor, supervisor, not 'actr', did you mean actor?"],
        ),
        (
            "children:\n  - {kind: actor, id: 5, class: 'os:x'}",
            ['2:23: children[0].id: must be text, not 5; put it in quotes: "5"', "2:33: children[0].class: module os"],
        ),
        ("children:\n" + actor("a", "Light") * 2, ["3:23: children[1].id: the child on line 2 has this id already"]),
        ("children:\n" + actor("a", "Lihgt"), ["2:33: children[0].class: module trial_actors has no Lihgt, did"]),
        ("children:\n" + actor("a", "NoActor"), ["2:33: children[0].class: trial_actors:NoActor is no actor"]),
        ("children:\n" + actor("a", "function"), ["2:33: children[0].class: trial_actors:function is no actor"]),
        (
            "children:\n" + actor("a", "Light", ", register: x") + actor("b", "Light", ", register: x"),
            ["3:65: children[1].register: the child 'a' registers this name already, on line 2; give the child 'b' an"],
        ),
        (
            "children: [{kind: supervisor, id: s, children: ["
            + IN_FLOW.format("a")
            + "]}, "
            + IN_FLOW.format("b")
            + "]",
            [
                (
                    "1:175: children[1].register: the child 'a' registers this name already, on line 1; "
                    "give the child 'b' an"
                )
            ],
        ),
        (
            "children:\n" + actor("a", "Light", ", start_timeout: 0"),
            ["2:70: children[0].start_timeout: must be above 0"],
        ),
        ("children:\n" + actor("a", "Light", ", register: ''"), ["2:65: children[0].register: must not be empty"]),
        ("children:\n" + actor("a", "Light", ", register: 5"), ["2:65: children[0].register: must be text, not 5"]),
        ("children:\n" + actor("a", "Light", ", significant: true"), ["2:68: children[0].significant: a permanent"]),
        (
            "children:\n" + actor("a", "Light", ", restart: temporary, significant: true"),
            ["2:88: children[0].significant: a significant child has no effect under this supervisor"],
        ),
        (
            "children:\n" + actor("a", "Light", ", shutdown: brutal"),
            [
                (
                    "2:65: children[0].shutdown: must be seconds from 0 to 100,000,000, "
                    "or one of brutal_kill, infinity, not "
                )
            ],
        ),
        ("children:\n" + actor("a", "Light", ", kwargs: [1]"), ["2:63: children[0].kwargs: must be a mapping (key: v"]),
    ],
)
def test_mistakes_have_place_path_and_remedy(write: Callable[[str], Path], text: str, expected: list[str]) -> None:
    lines = lines_of(write(text))
    assert len(lines) == len(expected), lines
    for line, beginning in zip(lines, expected, strict=True):
        assert line.startswith(beginning)


def test_a_problem_of_the_loader_is_not_reported_twice(write: Callable[[str], Path]) -> None:
    lines = lines_of(write("children:\n  - <<: *base\n    id: no\n    significant: yes\n    max: 1\n  - *other\n"))
    assert [line.split(": ")[0] for line in lines] == ["2:5", "3:9", "4:18", "6:5"]


def test_a_module_that_raises_is_reported_and_nothing_starts(write: Callable[[str], Path], modules: Modules) -> None:
    modules("bad", "class A: pass\nraise SystemExit(3)")
    (line,) = lines_of(write("children:\n  - {kind: actor, id: a, class: 'bad:A'}"))
    assert line == "2:33: children[0].class: bad:A cannot be imported: SystemExit: 3"


def test_ten_levels_of_supervisors_are_checked_and_built(write: Callable[[str], Path]) -> None:
    text = "children: ["
    for level in range(10):
        text += f"{{kind: supervisor, id: s{level}, children: ["
    assert supervisors.load(write(text + "]}" * 10 + "]")).children[0].id == "s0"


def test_kinds_are_pluggable(write: Callable[[str], Path], scheduler: Scheduler) -> None:
    started: list[int] = []

    class Timer(LightActor):
        def __init__(self, every: int) -> None:
            super().__init__()
            started.append(every)

    def build(mapping: Any, kinds: Kinds) -> supervisors.ChildSpec:
        return supervisors.ChildSpec(id=mapping["id"], start=lambda: Timer.start(mapping["every"]))

    timer = Kind("timer", "Ticks.", {"every": {"type": "integer", "minimum": 1}}, build, required=("every",))
    kinds = Kinds([*KINDS, timer])
    path = write("children:\n  - {kind: timer, id: t, every: 0}")
    with pytest.raises(ConfigError, match=r"children\[0\]\.every: must be at least 1"):
        supervisors.load(path, kinds)
    with pytest.raises(ConfigError, match="must be one of actor, supervisor, not 'timer'"):
        supervisors.load(path)
    root = supervisors.load(write("children:\n  - {kind: timer, id: t, every: 3}"), kinds).start(scheduler)
    wait_started(root, 10)
    assert started == [3]
    stop(root, timeout=10)
    with pytest.raises(SpecError, match="timer"):
        Kinds([timer, timer])
