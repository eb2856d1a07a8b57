"""Who is served when: runs that wait get workers first come, first served, in turn among those that have more.

Counted in batches and in lanes looked at, never in seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from support.pool_bench import Bench, frame_of, reply_to

from slither_actors import SessionBusy
from slither_actors.pools.assignment.fair_queue import FairQueue
from slither_actors.pools.assignment.job import RunQueue, WorkerSlot
from slither_actors.pools.assignment.slots import WorkerSlots
from slither_actors.wire import frames as wire

Make = Callable[..., Bench]


def run_all(it: Bench, served: list[bytes], until: Callable[[], bool] | None = None) -> None:
    """Have workers answer their first batch in turn until nothing is in the pipes; note what each executes."""
    while it.pool.in_pipes and not (until is not None and until()):
        for index in range(len(it.hosts)):
            answer_one(it, index, served)


def answer_one(it: Bench, index: int, served: list[bytes]) -> None:
    """Have a worker execute the first batch of its pipe, if there is one."""
    host = it.hosts[index]
    done = getattr(host, "answered", 0)
    if calls := host.calls()[done:]:
        host.answered = done + 1  # type: ignore[attr-defined]
        served.append(bytes(calls[0].body))
        it.do(host.say, reply_to(calls[0]))


def numbers(served: list[bytes]) -> list[int]:
    return [int(body.split()[1]) for body in served]


def lanes_of(it: Bench, count: int, average: float | None = None, **more: Any) -> list[RunQueue]:
    made = [it.run_queue(**more) for _ in range(count)]
    for run_queue in made:
        run_queue.average = average
    return made


AVERAGES = pytest.mark.parametrize("average", [None, 0.00001, 0.001, 0.05])
"""Seconds a batch of the runs takes, which decides how many of them are sent ahead."""


# --- one-item runs


@AVERAGES
def test_a_burst_of_one_item_runs_ends_in_its_order(bench: Make, average: float | None) -> None:
    it = bench()
    it.start()
    for ref, run_queue in enumerate(lanes_of(it, 512, average)):
        it.submit(run_queue, ref)
    served: list[bytes] = []
    run_all(it, served)
    assert numbers(served) == list(range(512))


def test_no_run_is_overtaken_on_many_workers(bench: Make) -> None:
    it = bench(size=5)
    it.start()
    for ref, run_queue in enumerate(lanes_of(it, 300)):
        it.submit(run_queue, ref)
    served: list[bytes] = []
    # The workers are of different speed: each call is begun in order all the same.
    sent = [numbers([bytes(call.body) for call in host.calls()]) for host in it.hosts]
    assert sent == [[0], [1], [2], [3], [4]]
    begun = list(range(5))
    pick = 0
    while it.pool.in_pipes:
        pick = (pick * 7 + 3) % 11
        before = [len(host.calls()) for host in it.hosts]
        answer_one(it, pick % 5, served)
        for host, count in zip(it.hosts, before, strict=True):
            begun += numbers([bytes(call.body) for call in host.calls()[count:]])
    assert begun == list(range(300))


def test_clients_that_come_back_at_once_are_served_in_turn(bench: Make) -> None:
    it = bench()
    it.start()
    clients = 16
    following = iter(range(clients, 400))
    for ref in range(clients):
        it.submit(it.run_queue(), ref)
    served: list[bytes] = []
    while it.pool.in_pipes:
        answer_one(it, 0, served)
        if (ref := next(following, None)) is not None:
            it.submit(it.run_queue(), ref)
    assert numbers(served) == list(range(400))


def test_bursts_of_runs_that_are_closed_leave_others_in_order(bench: Make) -> None:
    it = bench()
    it.start()
    run_queues = lanes_of(it, 100)
    for ref, run_queue in enumerate(run_queues):
        it.submit(run_queue, ref)
    for run_queue in run_queues[1:90:2]:
        it.close(run_queue)
    served: list[bytes] = []
    run_all(it, served)
    assert numbers(served) == [ref for ref in range(100) if ref % 2 == 0 or ref > 90]
    assert len(it.link.pool._line) == 0


# --- beside long runs


@AVERAGES
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_one_item_run_waits_for_pipes_and_one_batch_a_run(bench: Make, size: int, average: float | None) -> None:
    it = bench(size=size)
    it.start()
    long = lanes_of(it, 12, average)
    for number, run_queue in enumerate(long):
        it.submit(run_queue, *range(1000 * number, 1000 * number + 400))
    served: list[bytes] = []
    run_all(it, served, lambda: len(served) >= 700)
    short = it.run_queue()
    held = it.pool.in_pipes
    it.submit(short, 99_999)
    before = len(served)
    run_all(it, served, lambda: 99_999 in numbers(served))
    between = numbers(served)[before:].index(99_999)
    assert between <= held + 12 + size  # those that the other workers were at


@AVERAGES
def test_a_stream_of_one_item_runs_and_long_one_get_their_turns(bench: Make, average: float | None) -> None:
    """Neither starves: of the long run at least one batch a round, and no more while another run waits."""
    it = bench()
    it.start()
    (long,) = lanes_of(it, 1, average)
    it.submit(long, *range(10_000, 10_500))
    served: list[bytes] = []
    for ref in range(8):
        it.submit(it.run_queue(), ref)
    run_all(it, served, lambda: numbers(served).count(7) == 1)
    served.clear()
    for ref in range(8, 16):
        it.submit(it.run_queue(), ref)
    for ref in range(16, 300):
        while ref - 8 not in numbers(served):
            answer_one(it, 0, served)
        it.submit(it.run_queue(), ref)
    order = numbers(served)
    short = [ref for ref in order if ref < 10_000]
    assert short == list(range(8, 8 + len(short)))
    of_long = [at for at, ref in enumerate(order) if ref >= 10_000]
    steady = [at for at in of_long if at > 200]
    gaps = [b - a for a, b in itertools.pairwise(steady)]
    assert gaps
    assert max(gaps) <= 9  # it is served once a round of eight
    assert min(gaps) >= 2  # and not twice in a row


def test_runs_take_no_more_from_each_other_than_a_pipe_a_turn(bench: Make) -> None:
    """Long runs only: each fills the pipe once in its turn, as one batch at a time would cost a round trip each."""
    it = bench()
    it.start()
    long = lanes_of(it, 3, 0.01)
    for number, run_queue in enumerate(long):
        it.submit(run_queue, *range(1000 * number, 1000 * number + 60))
    served: list[bytes] = []
    while it.pool.in_pipes:
        it.scheduler.advance(0.01)  # so three or four of them are a pipe
        answer_one(it, 0, served)
    runs = "".join(str(ref // 1000) for ref in numbers(served))
    assert runs.startswith("0")
    assert len(runs) == 180
    steady = runs[12:120]
    assert "000111222000111222" in steady.replace("0000", "000").replace("1111", "111").replace("2222", "222")
    assert not any(run * 5 in steady for run in "012")


# --- sessions, and runs that may occupy few workers


def test_runs_at_their_max_in_flight_are_in_nobodys_way(bench: Make) -> None:
    it = bench(size=2)
    it.start()
    narrow = lanes_of(it, 40, max_in_flight=1)
    for number, run_queue in enumerate(narrow):
        it.submit(run_queue, *range(1000 * number, 1000 * number + 5))
    served: list[bytes] = []
    short = it.run_queue()
    it.submit(short, 99_999)
    run_all(it, served, lambda: 99_999 in numbers(served))
    assert len(served) <= 40 + 2 + 1 + 1  # a batch each, the pipes, the other worker's, and its own
    run_all(it, served)
    assert sorted(numbers(served)) == sorted([1000 * n + k for n in range(40) for k in range(5)] + [99_999])
    # In rounds: no run has its third batch before all have had their first.
    order = [ref for ref in numbers(served) if ref != 99_999]
    assert order.index(2) > max(order.index(1000 * number) for number in range(40))


@pytest.mark.parametrize("affinity", ["strict", "hint"])
def test_sessions_on_one_worker_do_not_starve_a_run_without_one(bench: Make, affinity: str) -> None:
    it = bench()
    it.start()
    bound = [it.run_queue(session=f"s{number}", affinity=affinity) for number in range(10)]
    for number, run_queue in enumerate(bound):
        it.submit(run_queue, *range(1000 * number, 1000 * number + 50))
    served: list[bytes] = []
    run_all(it, served, lambda: len(served) >= 60)
    held = it.pool.in_pipes
    it.submit(it.run_queue(), 99_999)
    before = len(served)
    run_all(it, served, lambda: 99_999 in numbers(served))
    assert len(served) - before <= held + 10 + 1
    run_all(it, served)
    assert len(served) == 501


def test_runs_of_one_strict_session_take_turns(bench: Make) -> None:
    it = bench(size=3)
    it.start()
    same = [it.run_queue(session="s", affinity="strict") for _ in range(50)]
    for number, run_queue in enumerate(same):
        it.submit(run_queue, *range(100 * number, 100 * number + 3))
    served: list[bytes] = []
    run_all(it, served)
    # The first run had its turn before the others came, and was next in line when they did.
    first, *others = [100 * number for number in range(50)]
    rounds = [first, *others, first + 1, *(ref + 1 for ref in others), first + 2, *(ref + 2 for ref in others)]
    rounds.remove(first + 1)
    rounds.insert(1, first + 1)
    rounds.remove(first + 2)
    rounds.insert(51, first + 2)
    assert numbers(served) == rounds


def test_a_session_whose_turn_is_given_up_goes_to_the_next(bench: Make) -> None:
    it = bench()
    it.start()
    same = [it.run_queue(session="s", affinity="strict") for _ in range(4)]
    for number, run_queue in enumerate(same):
        it.submit(run_queue, number)
    served: list[bytes] = []
    long = it.run_queue()
    it.submit(long, 10, 11, 12)
    it.close(same[1])
    answer_one(it, 0, served)
    it.close(same[2])  # it is the next one by now, or even in the pipe
    run_all(it, served)
    assert set(numbers(served)) >= {0, 3, 10, 11, 12}
    assert it.pool.in_pipes == it.pool.waiting == 0


def test_a_strict_session_behind_a_full_pipe_is_served(bench: Make) -> None:
    it = bench()
    it.start()
    first = it.run_queue(session="s", affinity="strict")
    it.submit(first, 1)
    served: list[bytes] = []
    answer_one(it, 0, served)
    (long,) = lanes_of(it, 1, 0.00001)
    it.submit(long, *range(1000, 1800))
    held = it.pool.in_pipes
    assert held == 129
    it.submit(first, 2)
    before = len(served)
    run_all(it, served, lambda: 2 in numbers(served))
    assert len(served) - before <= held + 2
    run_all(it, served)
    assert len(served) == 802


def test_a_dead_workers_unbegun_batch_does_not_lose_its_turn(bench: Make) -> None:
    it = bench(max_restarts=None)
    it.start()
    run_queues = lanes_of(it, 30)
    it.hosts[0].die(signal=9)  # not noticed yet
    for ref, run_queue in enumerate(run_queues):
        it.submit(run_queue, ref)
    served: list[bytes] = []
    it.scheduler.advance(10)
    run_all(it, served)
    assert numbers(served) == list(range(30))


# --- what it costs


@pytest.mark.parametrize(
    "kind",
    ["one item", "narrow", "strict", "one session", "long"],
)
def test_hundreds_that_wait_cost_no_more_a_reply(bench: Make, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    it = bench(size=2)
    it.start()
    looks = 0
    choose = WorkerSlots.choose

    def counted(self: WorkerSlots, *arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return choose(self, *arguments)

    monkeypatch.setattr(WorkerSlots, "choose", counted)
    for number in range(500):
        options: dict[str, dict[str, Any]] = {
            "one item": {},
            "narrow": {"max_in_flight": 1},
            "strict": {"session": f"s{number}", "affinity": "strict"},
            "one session": {"session": "s", "affinity": "strict"},
            "long": {},
        }
        run_queue = it.run_queue(**options[kind])
        it.submit(run_queue, *range(10 * number, 10 * number + (1 if kind == "one item" else 3)))
    looks = 0
    served: list[bytes] = []
    run_all(it, served)
    assert len(served) >= 500
    assert looks <= 4 * len(served)


def test_cancelled_frames_free_what_waits(bench: Make) -> None:
    """A cancelled batch of a strict session that was behind another frees the session for the next run."""
    it = bench()
    it.start()
    other, first, second = it.run_queue(), *(it.run_queue(session="s", affinity="strict") for _ in range(2))
    it.submit(first, 0)
    served: list[bytes] = []
    answer_one(it, 0, served)
    it.submit(other, 1)
    (job,) = it.submit(first, 2)
    it.submit(second, 3)
    it.cancel(first, job)
    (request,) = it.host.cancels()
    it.do(it.host.say, frame_of(wire.CANCELLED, request))
    it.do(it.host.say, reply_to(it.host.calls()[1]))
    assert bytes(it.host.calls()[-1].body) == b"body 3"


def test_a_strict_session_at_head_of_line_waits_for_a_full_pipe(bench: Make) -> None:
    it = bench()
    it.start()
    first = it.run_queue(session="s", affinity="strict")
    it.submit(first, 1)
    served: list[bytes] = []
    answer_one(it, 0, served)
    (long,) = lanes_of(it, 1, 0.00001)
    it.submit(long, *range(1000, 1129))
    assert it.pool.in_pipes == 129
    it.submit(first, 2)
    assert it.pool.in_pipes == 129
    answer_one(it, 0, served)
    assert it.pool.in_pipes == 129  # as soon as there is room
    run_all(it, served)
    assert numbers(served)[-1] == 2


def test_fail_fast_does_not_wait_for_its_turn_to_fail(bench: Make) -> None:
    it = bench()
    it.start()
    first, second = (it.run_queue(session="s", affinity="fail_fast") for _ in range(2))
    it.submit(first, 1)
    for ref, run_queue in enumerate(lanes_of(it, 20)):
        it.submit(run_queue, 100 + ref)
    it.submit(second, 2, 3)
    assert [type(second.collector.of(ref)) for ref in (2, 3)] == [SessionBusy, SessionBusy]  # type: ignore[attr-defined]
    assert len(it.host.calls()) == 1


# --- the order itself


def waiting(*jobs: object, **more: Any) -> RunQueue:
    run_queue = RunQueue(max_in_flight=1, ahead=True, timeout=None, **more)
    run_queue.waiting.extend(jobs)  # type: ignore[arg-type]
    return run_queue


def test_what_one_run_was_woken_for_goes_to_next_if_it_leaves() -> None:
    turns = FairQueue()
    first, second, third = run_queues = [waiting(1, session="s", affinity="strict") for _ in range(3)]
    for run_queue in run_queues:
        turns.join(run_queue)
        turns.park(run_queue, "s")
    turns.wake("s")
    assert (turns.first(), len(turns)) == (first, 1)
    slot = WorkerSlot(0)
    turns.park(first, slot)  # it has the session's turn, and not the place
    turns.leave(first)
    assert turns.first() is second
    turns.serve(second)
    assert turns.first() is second  # it has more
    turns.leave(second)
    assert turns.first() is None  # it was served, so the session's reply wakes the next
    turns.wake("s", 5)
    assert turns.first() is third


def test_who_is_due_goes_before_the_line_and_keeps_its_turn() -> None:
    turns = FairQueue()
    limited, early, late = (waiting(1, 2) for _ in range(3))
    for run_queue in (limited, early, late):
        turns.join(run_queue)
    assert (turns.hungry, turns.new) == (3, 3)
    turns.park(limited, limited)
    assert (turns.first(), turns.hungry, turns.new) == (early, 2, 2)
    turns.wake(limited)
    assert (turns.first(), turns.hungry, turns.new) == (limited, 3, 3)
    turns.serve(limited)
    assert (turns.first(), turns.hungry, turns.new) == (early, 2, 2)
    turns.rejoin(late)  # a death has brought back what it was served
    assert turns.first() is late
    assert turns.parked == {}
