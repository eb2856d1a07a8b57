"""What Producer and Batcher have in common, of a role that does nothing else."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from support.a_run import a_run

from slither_actors.runs.input.run_thread_actor import RunThreadActor
from slither_actors.runs.messages import RoleEnded
from slither_actors.runs.run import Run
from supervisors import Crashed, Down, Normal
from supervisors.testing import ManualScheduler


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    """Call something in a thread of its own, and return that thread when it has ended."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return thread


def test_it_has_no_thread_before_its_start(manual: ManualScheduler) -> None:
    actor = RunThreadActor(a_run(manual))
    assert (actor.stuck_in(), actor.ended) == (None, False)


def test_its_thread_is_named_while_it_is_there(manual: ManualScheduler) -> None:
    actor, seen = RunThreadActor(a_run(manual)), []

    def work() -> None:
        assert actor.on_start() is None
        seen.append(actor.stuck_in())

    thread = in_a_thread(work)
    assert seen == [thread.ident]
    assert seen != [threading.get_ident()]
    assert actor.stuck_in() is None


def test_its_thread_works_for_the_scheduler_of_the_run(manual: ManualScheduler) -> None:
    actor, owns = RunThreadActor(a_run(manual)), []

    def work() -> None:
        owns.append(manual.owns_thread())
        actor.on_start()
        owns.append(manual.owns_thread())

    in_a_thread(work)
    assert owns == [False, True]


def test_its_end_is_marked_before_the_consumer_is_notified(manual: ManualScheduler) -> None:
    run = a_run(manual)
    actor, seen = RunThreadActor(run), []

    class Inbox:
        def put(self, message: object) -> None:
            seen.append((message, actor.ended))

    inbox: Any = Inbox()
    run.inbox = inbox
    actor.on_exit(Normal())
    assert seen == [(RoleEnded(), True)]


def test_at_its_end_it_lets_go_of_the_run(manual: ManualScheduler) -> None:
    run = a_run(manual)
    actor, known = RunThreadActor(run), weakref.ref(run)
    assert actor._run is run
    actor.on_exit(Normal())
    del run
    assert known() is None
    with pytest.raises(AssertionError):
        actor._run  # noqa: B018


class Failing(RunThreadActor):
    """Runs until the first message, which it fails with."""

    def __init__(self, run: Run, made: list[Failing]) -> None:
        super().__init__(run)
        made.append(self)

    def on_receive(self, message: Exception) -> None:
        raise message


@pytest.mark.parametrize("error", [None, LookupError("no")])
def test_a_watcher_learns_of_its_end_and_how(manual: ManualScheduler, error: Exception | None) -> None:
    run = a_run(manual)
    made: list[Failing] = []
    ref = Failing.start(run, made)
    (actor,) = made
    downs: list[Down] = []
    down = threading.Event()

    def watcher(message: Down) -> None:
        downs.append(message)
        down.set()

    assert actor.monitored_by(watcher) is not None
    if error is None:
        ref.stop(block=False)
    else:
        ref.tell(error)
    assert down.wait(20)
    (message,) = downs
    assert message.ref is ref
    assert message.reason == (Normal() if error is None else Crashed(error))
    inbox: Any = run.inbox
    assert inbox.get(timeout=20) == RoleEnded()
    assert actor.ended
