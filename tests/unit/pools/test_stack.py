"""What is reported of the stacks that a worker wrote down, and how an Executor waits for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pool_bench import Bench, FakeHost, busy, reply_to

from slither_actors import BatchTimeout, LoadError, ProtocolError, StartTimeout
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.hosts import stack
from slither_actors.pools.hosts.base import TellsStack

Make = Callable[..., Bench]

OURS = f'''\
  File "{stack._OURS}execution.py", line 120 in _call
  File "{stack._OURS}execution.py", line 60 in execute
  File "{stack._OURS}loop.py", line 78 in _serve
  File "{stack._OURS}loop.py", line 58 in run
  File "{stack._OURS}loop.py", line 180 in main
  File "<string>", line 14 in <module>
'''
HEAD = "Thread 0x00007f0c7c7720c0 (most recent call first):\n"


def dump(*threads: str) -> bytes:
    return "\n".join(threads).encode()


def test_the_workers_own_frames_are_left_out() -> None:
    text = stack.told(dump(f'{HEAD}  File "/a/b.py", line 3 in f\n{OURS}'))
    assert text == 'in the worker\'s main thread (most recent call first):\n  File "/a/b.py", line 3, in f'


def test_where_only_the_loop_hangs_it_is_told() -> None:
    text = stack.told(dump(HEAD + OURS))
    assert "execution.py" in text
    assert text.count("\n") == 3


def test_frames_of_ours_that_the_users_code_called_are_told() -> None:
    mine = f'  File "{stack._OURS}adapter.py", line 50 in session\n  File "/a/b.py", line 3 in f\n'
    assert "adapter.py" in stack.told(dump(HEAD + mine + OURS))


def test_threads_and_frames_are_bounded() -> None:
    thread = HEAD + "".join(f'  File "/a/{"x" * 100}.py", line {n} in f{n}\n' for n in range(100))
    main = f'Current thread 0x1 (most recent call first):\n  File "m", line 1 in m\n{OURS}'
    text = stack.told(dump(*[thread] * 100, main))
    assert len(text) <= stack.KEEP
    assert text.startswith("in the worker's main thread")
    assert text.endswith("\n  ...")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_what_is_no_stack_is_not_told(data: bytes) -> None:
    assert stack.told(data) == ""
    assert "secret" not in stack.told(dump(f'{HEAD}secret\n  File "a", line 1 in f\n  secret {OURS}'))
    stack.told(HEAD.encode() + data)


# --- the Executor


class Telling(FakeHost):
    """A host that can be asked; `text` is what has come."""

    done: Callable[[], None]
    text = ""
    asks = True

    def ask_stack(self, done: Callable[[], None]) -> bool:
        self.log.append(f"asked at {self.bench.scheduler.clock.now:g}")
        self.done = done
        return self.asks

    def stack(self) -> str:
        return self.text


@pytest.fixture
def telling(bench: Make, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr("support.pool_bench.FakeHost", Telling)
    return bench


def overdue(it: Bench) -> tuple[Any, Any, Any]:
    """A batch is over its time, and the worker has been asked: the lane, the call, the host."""
    run_queue, (call,) = busy(it, 1, timeout=5.0)
    it.scheduler.advance(5.0)
    host = it.hosts[0]
    assert isinstance(host, TellsStack)
    assert host.log == ["start", "read", "asked at 1005"]
    return run_queue, call, host


def test_it_is_killed_as_soon_as_it_has_told(telling: Make) -> None:
    it = telling()
    run_queue, _, host = overdue(it)
    host.text = "in f"
    it.do(host.done)
    assert host.log[-1] == "kill at 1005"
    error = run_queue.collector.of(1)
    assert isinstance(error, BatchTimeout)
    assert (error.stack, error.__notes__) == ("in f", ["It was killed in f"])
    assert it.counts.kills == {"timeout": 1}
    it.do(host.done)
    it.scheduler.advance(10)
    assert it.counts.kills == {"timeout": 1}
    assert len(it.hosts) == 2


def test_one_that_tells_nothing_is_killed_a_moment_later(telling: Make) -> None:
    it = telling()
    run_queue, _, host = overdue(it)
    it.scheduler.advance(0.24)
    assert "kill" not in host.log[-1]
    it.scheduler.advance(0.02)
    assert host.log[-1] == "kill at 1005.25"
    assert run_queue.collector.of(1).stack == ""
    assert not hasattr(run_queue.collector.of(1), "__notes__")


def test_one_that_cannot_be_asked_is_killed_at_once(telling: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Telling, "asks", False)
    it = telling()
    busy(it, 1, timeout=5.0)
    it.scheduler.advance(5.0)
    assert it.hosts[0].log == ["start", "read", "asked at 1005", "kill at 1005"]
    assert it.counts.kills == {"timeout": 1}


def test_an_answer_that_comes_meanwhile_is_too_late(telling: Make) -> None:
    it = telling()
    run_queue, call, host = overdue(it)
    it.do(host.say, reply_to(call))
    assert run_queue.collector.ended == []
    it.do(host.done)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)


def test_nonsense_that_comes_meanwhile_is_no_protocol_error(telling: Make) -> None:
    it = telling()
    run_queue, _, host = overdue(it)
    it.do(host.sink.on_broken, ProtocolError("magic", "no frame"))
    it.do(host.done)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)
    assert (it.counts.kills, it.counts.protocol_errors) == ({"timeout": 1}, {})


def test_one_that_dies_of_being_asked_was_over_its_time(telling: Make) -> None:
    it = telling(max_restarts=0)
    run_queue, _, host = overdue(it)
    host.text = "in f"
    it.do(host.die, None, 62)
    assert isinstance(run_queue.collector.of(1), BatchTimeout)
    assert run_queue.collector.of(1).stack == "in f"
    assert it.counts.deaths == 0


def test_a_stop_that_comes_meanwhile_kills_at_once(telling: Make) -> None:
    it = telling()
    overdue(it)
    it.stop()
    assert it.hosts[0].log[-1] == "kill at 1005"
    assert not it.root.is_alive()


def test_loads_and_starts_are_asked_too(telling: Make) -> None:
    it = telling(start_timeout=10.0)
    it.loads = False
    it.start()
    run_queue = it.run_queue()
    it.submit(run_queue, 1, target=Target("module", "slow"))
    for number in range(2):  # workers in a row: one says nothing of the function
        it.scheduler.advance(10.0)
        host = it.hosts[number]
        host.text = "in slow"  # type: ignore[attr-defined]
        it.do(host.done)  # type: ignore[attr-defined]
    error = run_queue.collector.of(1)
    assert isinstance(error, LoadError)
    assert isinstance(error.reason, StartTimeout)
    assert error.stack == error.reason.stack == "in slow"
