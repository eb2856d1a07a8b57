"""No request ends a supervisor, whatever it holds: the error is the caller's."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Self

import pykka
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import supervisors
from supervisors import (
    DEFERRED,
    IGNORE,
    ChildNotFound,
    ChildSpec,
    CountChildren,
    DeleteChild,
    DynamicSupervisor,
    LightActor,
    RestartChild,
    Scheduler,
    SpecError,
    StartChild,
    StartFailed,
    Supervisor,
    TerminateChild,
    WhichChildren,
)
from supervisors.testing import ManualScheduler

KINDS = pytest.mark.parametrize("kind", [DynamicSupervisor, Supervisor])


@pytest.fixture(autouse=True)
def no_logs() -> Iterator[None]:
    logger = logging.getLogger("supervisors")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


class Worker(LightActor):
    pass


class Plain(pykka.ThreadingActor):
    pass


class Evil:
    """Raises wherever it is looked at."""

    def __init__(self, error: BaseException, hashable: int = 100) -> None:
        self.error = error
        self.hashable = hashable

    def __hash__(self) -> int:
        self.hashable -= 1
        if self.hashable < 0:
            raise self.error
        return hash("child")

    def __eq__(self, other: object) -> bool:
        if other is self:  # else a spec refuses it as an id
            return True
        raise self.error

    def __repr__(self) -> str:
        raise self.error

    def __str__(self) -> str:
        raise self.error

    def __bool__(self) -> bool:
        raise self.error

    def __call__(self, *args: Any) -> Any:
        raise self.error


class EvilRepr:
    def __repr__(self) -> str:
        raise SystemExit("repr")


class EvilError(Exception):
    def __str__(self) -> str:
        raise SystemExit("str")


ERRORS = [ValueError("bad"), SystemExit(3), KeyboardInterrupt(), EvilError()]


def raising(error: BaseException) -> Any:
    def start() -> Any:
        raise error

    return start


# By name, because hypothesis shows what it drew, and some of these cannot be shown.
VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "a typo": lambda: "typo",
    "an id": lambda: "child",
    "a number": lambda: 5,
    "NaN": lambda: float("nan"),
    "bytes": lambda: b"x",
    "a tuple": lambda: (),
    "an object": object,
    "a class": lambda: Worker,
    "a function": lambda: raising(ValueError("called")),
    "a list": lambda: ["typo"],
    "a mapping": lambda: {"id": "child"},
    "a set": lambda: {"child"},
    "a nested list": lambda: ([],),
    "no repr": EvilRepr,
    **{
        f"evil {type(error).__name__} {hashable}": lambda error=error, hashable=hashable: Evil(error, hashable)  # type: ignore[misc]
        for error in ERRORS
        for hashable in (0, 1, 2, 3, 5, 100)
    },
}
NAMES = st.sampled_from(sorted(VALUES))
PLAIN = ["an id", "a typo", "a number", "a tuple", "no repr"]
IDS = st.sampled_from(PLAIN + [n for n in sorted(VALUES) if "evil" in n])


class Scene:
    """A supervisor with a healthy child beside another one with a child of its own."""

    def __init__(self, kind: Any) -> None:
        self.scheduler = ManualScheduler()
        self.other = DynamicSupervisor.start(scheduler=self.scheduler)
        self.ref = kind.start(max_restarts=None, scheduler=self.scheduler)
        got: list[Any] = []
        self.ref.tell(StartChild(ChildSpec("healthy", Worker.start), got.append))
        self.other.tell(StartChild(ChildSpec("child", Worker.start), got.append))
        self.scheduler.run_until_idle()
        self.healthy, self.foreign = got
        # By all its names but the one that terminates it.
        own: list[Any] = ["healthy"] if kind is DynamicSupervisor else [self.healthy]
        self.known: list[Any] = [*own, self.foreign, self.ref, self.other]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.scheduler.stop()

    def value(self, data: st.DataObject) -> Any:
        """Something that one might take for a child or a spec."""
        name = data.draw(NAMES | st.integers(0, 30))
        return VALUES[name]() if isinstance(name, str) else self.known[name % len(self.known)]

    def start(self, data: st.DataObject) -> Callable[[], Any]:
        """A start function that does anything but what it should, or what it should."""
        starts: list[Callable[[], Any]] = [
            Worker.start,
            lambda: IGNORE,
            lambda: DEFERRED,
            lambda: self.foreign,
            lambda: self.healthy,
            lambda: self.ref,
            *map(raising, ERRORS),
        ]
        chosen = data.draw(st.integers(0, len(starts)))
        value = self.value(data)
        return starts[chosen] if chosen < len(starts) else lambda: value

    def spec(self, data: st.DataObject) -> Any:
        """A spec, or something else."""
        if data.draw(st.booleans()):
            return self.value(data)
        try:
            return ChildSpec(
                VALUES[data.draw(IDS)](),
                self.start(data),
                restart=data.draw(st.sampled_from(["permanent", "transient", "temporary"])),
                type=data.draw(st.sampled_from(["worker", "supervisor"])),
                register=data.draw(st.sampled_from([None, None, "name", ("a", "name"), 5])),
            )
        except BaseException:  # its id cannot be hashed once: then there is no spec
            return None


@KINDS
@settings(max_examples=400)
@given(data=st.data())
def test_no_request_ends_a_supervisor(kind: Any, data: st.DataObject) -> None:
    with Scene(kind) as scene:
        requests_of_any_kind(scene, data)


def requests_of_any_kind(scene: Scene, data: st.DataObject) -> None:
    ref = scene.ref
    for _ in range(data.draw(st.integers(1, 6))):
        answers: list[Any] = []
        reply = data.draw(st.sampled_from(["append", "append", "append", "none", "garbage"]))
        replies: dict[str, Any] = {"append": answers.append, "none": None}
        with_reply = replies[reply] if reply in replies else scene.value(data)
        kind_of_message = data.draw(
            st.sampled_from(["start", "start", "terminate", "restart", "delete", "which", "count"])
        )
        message: Any
        if kind_of_message == "start":
            message = StartChild(scene.spec(data), with_reply)
        elif kind_of_message in ("which", "count"):
            message = {"which": WhichChildren, "count": CountChildren}[kind_of_message](with_reply)
        else:
            requests: dict[str, Any] = {"terminate": TerminateChild, "restart": RestartChild, "delete": DeleteChild}
            message = requests[kind_of_message](scene.value(data), with_reply)
        ref.tell(message)
        if data.draw(st.booleans()):
            ref.tell(scene.value(data))
        scene.scheduler.run_until_idle()
        assert ref.is_alive()
        assert scene.healthy.is_alive()
        assert scene.foreign.is_alive()
        assert len(answers) == (1 if reply == "append" else 0)
        if kind_of_message == "start" and answers and isinstance(answers[0], pykka.ActorRef):
            scene.known.append(answers[0])
        scene.scheduler.advance(1.0)
    assert ref.is_alive()
    assert scene.healthy.is_alive()


@KINDS
def test_a_class_for_a_spec_is_named_with_the_remedy(scheduler: Scheduler, kind: Any) -> None:
    ref = kind.start(scheduler=scheduler)
    with pytest.raises(SpecError, match=r"ChildSpec\(id=..., start=Worker.start\)"):
        supervisors.start_child(ref, Worker)  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="mapping"):
        supervisors.start_child(ref, {"id": "x", "start": Worker.start})  # type: ignore[arg-type]
    with pytest.raises(ChildNotFound, match="named by their"):
        supervisors.terminate_child(ref, ["typo"])  # type: ignore[arg-type]
    assert supervisors.count_children(ref).specs == 0


@KINDS
def test_a_plain_actor_is_refused_and_stopped(scheduler: Scheduler, kind: Any) -> None:
    ref = kind.start(scheduler=scheduler)
    started: list[Any] = []

    def start() -> Any:
        started.append(Plain.start())
        return started[0]

    with pytest.raises(StartFailed, match="supervise_threading"):
        supervisors.start_child(ref, ChildSpec("x", start))
    started[0].actor_stopped.wait(10)


@KINDS
def test_one_actor_is_not_two_children(manual: ManualScheduler, kind: Any) -> None:
    ref = kind.start(scheduler=manual)
    got: list[Any] = []
    ref.tell(StartChild(ChildSpec("first", Worker.start), got.append))
    manual.run_until_idle()
    ref.tell(StartChild(ChildSpec("second", lambda: got[0]), got.append))
    ref.tell(StartChild(ChildSpec("third", lambda: ref), got.append))
    manual.run_until_idle()
    assert isinstance(got[1], StartFailed)
    assert "first" in str(got[1])
    assert "its own supervisor" in str(got[2])
    assert got[0].is_alive()
    ref.tell(CountChildren(got.append))
    manual.run_until_idle()
    assert got[-1].specs == got[-1].active == 1


@KINDS
def test_one_actor_is_not_the_child_of_two_supervisors(manual: ManualScheduler, kind: Any) -> None:
    first, second = DynamicSupervisor.start(name="first", scheduler=manual), kind.start(scheduler=manual)
    got: list[Any] = []
    first.tell(StartChild(ChildSpec("x", Worker.start), got.append))
    manual.run_until_idle()
    second.tell(StartChild(ChildSpec("x", lambda: got[0]), got.append))
    manual.run_until_idle()
    assert isinstance(got[1], StartFailed)
    assert "a child of first already" in str(got[1])
    assert got[0].is_alive()


@KINDS
def test_an_actor_that_has_ended_is_no_lasting_child(manual: ManualScheduler, kind: Any) -> None:
    dead = Worker.start(scheduler=manual)
    manual.run_until_idle()
    assert dead._actor is not None
    dead._actor.exit(supervisors.Normal())
    manual.run_until_idle()
    ref = kind.start(scheduler=manual)
    got: list[Any] = []
    ref.tell(StartChild(ChildSpec("x", lambda: dead, restart="transient"), got.append))
    manual.run_until_idle()
    ref.tell(CountChildren(got.append))
    manual.run_until_idle()
    assert got[0] is dead
    assert got[-1].active == 0
    assert ref.is_alive()


@KINDS
@pytest.mark.parametrize("option", ["name", "max_restarts", "max_seconds"])
@pytest.mark.parametrize("value", [[], {}, "3", b"x", object(), -1, float("nan")])
def test_options_are_checked_where_they_are_given(manual: ManualScheduler, kind: Any, option: str, value: Any) -> None:
    if option == "name" and isinstance(value, str):
        return
    with pytest.raises((TypeError, ValueError), match=option):
        kind.start(scheduler=manual, **{option: value})
