"""What a run relies on in its Producer and its Batcher, held by each class that plays one of these roles."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.a_run import Recorder, a_run, started

from slither_actors.pools.assignment.target import Target
from slither_actors.runs.input.async_producer import AsyncProducer
from slither_actors.runs.input.batcher import Batcher
from slither_actors.runs.input.batcher_actor import BatcherActor
from slither_actors.runs.input.producer import ProducerActor
from slither_actors.runs.input.request_encoder import RequestEncoder
from slither_actors.runs.messages import CloseRun, RoleEnded, Wake
from slither_actors.runs.roles import BatcherRole, ProducerRole, Role
from slither_actors.runs.run import Run
from slither_actors.runs.statistics import BatcherStatistics, ProducerStatistics
from supervisors.testing import ManualScheduler

SECONDS = 20.0

PLAYERS = [(ProducerRole, ProducerActor), (ProducerRole, AsyncProducer), (BatcherRole, BatcherActor)]
players = pytest.mark.parametrize(("role", "player"), PLAYERS, ids=lambda value: value.__name__)


def methods_of(role: type) -> set[str]:
    """Return what a role does."""
    return {name for name in vars(role) | vars(Role) if inspect.isfunction(getattr(role, name)) and name[0] != "_"}


def fields_of(role: type) -> set[str]:
    """Return what a role has."""
    return set(role.__annotations__) | set(Role.__annotations__)


@pytest.fixture
def run() -> Iterator[Run]:
    manual = ManualScheduler()
    made = a_run(manual, batch_size=1, max_in_flight=2, prefetch=0)
    started(made)
    yield made
    manual.stop()


async def endless() -> AsyncIterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def make_batcher(run: Run) -> Batcher:
    return Batcher(run, RequestEncoder(run.options, Target))


def a_player(player: type, run: Run) -> Any:
    """Return a role that has not begun. One that belongs to a loop: call this in it."""
    buffer: deque[Any] = deque()
    if player is BatcherActor:
        return BatcherActor(run, make_batcher, buffer)
    return player(run, endless() if player is AsyncProducer else iter(range(100)), buffer)


def in_its_place(player: type, run: Run, check: Callable[[Any], None]) -> None:
    """Have a check look at a new role, in an event loop."""

    async def main() -> None:
        check(a_player(player, run))

    asyncio.run(main())


@players
def test_a_player_has_all_that_its_role_has(role: type, player: type, run: Run) -> None:
    assert methods_of(Role) == {"monitored_by", "stuck_in"}

    def check(made: Any) -> None:
        for name in fields_of(role):
            assert getattr(made, name) in (True, False)
        for name in methods_of(role):
            asked = inspect.signature(getattr(role, name)).parameters
            assert list(inspect.signature(getattr(player, name)).parameters) == list(asked)

    in_its_place(player, run, check)


@players
def test_a_player_makes_itself_known_to_its_run(role: type, player: type, run: Run) -> None:
    def check(made: Any) -> None:
        known = run.batcher if role is BatcherRole else run.producer
        assert known is made

    in_its_place(player, run, check)


@players
def test_before_it_begins_it_has_not_ended_and_no_thread(role: type, player: type, run: Run) -> None:
    def check(made: Any) -> None:
        assert not made.ended
        assert made.stuck_in() is None

    in_its_place(player, run, check)


@players
def test_its_statistics_are_of_its_role(role: type, player: type, run: Run) -> None:
    kind, empty = (
        (BatcherStatistics, BatcherStatistics(0, 0, 0))
        if role is BatcherRole
        else (ProducerStatistics, ProducerStatistics(0, 2, False))
    )

    def check(made: Any) -> None:
        assert type(made.statistics()) is kind
        assert made.statistics() == empty

    in_its_place(player, run, check)


@pytest.mark.parametrize("player", [ProducerActor, AsyncProducer])
def test_a_producer_is_woken_only_if_it_waits(player: type, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr(player, "inbox_ref", recorder)
    monkeypatch.setattr(player, "tell", recorder.tell, raising=False)
    monkeypatch.setattr(player, "actor_ref", recorder, raising=False)

    def check(made: Any) -> None:
        assert not made.waiting
        made.wake()
        assert recorder.take() == []
        made.waiting = True
        made.wake()
        made.wake()
        assert (recorder.take(), made.waiting) == ([Wake()], False)

    in_its_place(player, run, check)


def test_a_batcher_is_idle_until_items_are_put_down(run: Run) -> None:
    assert a_player(BatcherActor, run).idle


# --- in its thread, or its task


@pytest.mark.parametrize("player", [ProducerActor, BatcherActor])
def test_an_actor_is_watched_and_its_thread_ends_with_it(player: Any, run: Run) -> None:
    batcher: Any = Recorder()
    batcher.idle, batcher.inbox_ref = True, Recorder()
    run.batcher = batcher
    ended = threading.Event()
    if player is ProducerActor:
        ref = player.start(run, iter(range(100)), deque())
        role: Any = run.producer
    else:
        ref = player.start(run, make_batcher, deque())
        role = run.batcher
    assert role.inbox_ref is ref
    assert role.monitored_by(lambda down: ended.set()) is not None
    role.inbox_ref.tell(CloseRun())
    assert ended.wait(SECONDS)
    inbox: Any = run.inbox
    assert inbox.get(timeout=SECONDS) == RoleEnded()
    assert role.ended
    role._thread.join(SECONDS)
    assert role.stuck_in() is None


async def some_turns() -> None:
    """Let the loop go round as often as a message and what it starts need."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_task_reports_its_end_itself_and_has_no_thread(run: Run) -> None:
    batcher: Any = Recorder()
    batcher.idle, batcher.inbox_ref = False, Recorder()
    run.batcher = batcher

    async def main() -> None:
        role: ProducerRole = AsyncProducer(run, endless(), deque())
        role.inbox_ref.tell(Wake())
        await some_turns()
        assert role.waiting
        assert role.monitored_by(lambda down: None) is None
        assert role.stuck_in() is None
        assert role.statistics() == ProducerStatistics(2, 0, True)
        assert not role.ended
        run.ending.closed = True
        role.inbox_ref.tell(CloseRun())
        await some_turns()
        assert role.ended

    asyncio.run(main())
    inbox: Any = run.inbox
    assert inbox.get(timeout=SECONDS) == RoleEnded()
