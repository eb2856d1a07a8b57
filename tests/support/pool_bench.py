"""A pool's whole tree on a scheduler without a thread, with workers that the test plays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from slither_actors.pools import supervision
from slither_actors.pools.assignment.job import Job, Outcomes, Replies, RunQueue
from slither_actors.pools.assignment.target import Target
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.hosts.base import Death, Progress, Spawned, SpawnFailed
from slither_actors.pools.messages import CancelJobs, CloseQueue, Submit, WhenReady
from slither_actors.pools.spec import PoolSpec
from slither_actors.wire import frames as wire
from slither_actors.wire.frames import Frame, FrameParser, ProtocolError, pack_frame
from slither_actors.wire.messages import Failure, Ready
from supervisors import Shutdown, Supervisor
from supervisors.actors.lifecycle import lifecycle_of
from supervisors.testing import ManualScheduler

COMMAND_TARGET = Target(None, "score")


class FakeHost:
    """A worker host as `slither_actors.pools.hosts.base` has it. What the host side asks is written down in `log`."""

    def __init__(self, bench: Bench, executor: Any, sink: Any, made: Any) -> None:
        self.bench, self.executor, self.sink, self.made = bench, executor, sink, made
        self.pid: int | None = None
        self.log: list[str] = []
        self.requests: list[Frame] = []
        self.late: list[Frame] = []
        self.at: Progress | None = None  # where the worker says it is
        self.still_used = 0  # so often
        self._unflushed = b""
        self._parser = FrameParser(accepts=wire.FROM_HOST)
        self._dead = False

    # -- the protocol

    def start(self) -> None:
        self.log.append("start")
        if self.bench.spawn_error is not None:
            self.executor.actor_ref.tell(SpawnFailed(self, self.bench.spawn_error))
            return
        self.pid = self.bench.next_pid()
        self.made()
        self.executor.actor_ref.tell(Spawned(self, self.pid))

    def send(self, parts: Sequence[bytes | memoryview]) -> None:
        self._unflushed += b"".join(parts)

    def flush(self) -> None:
        data, self._unflushed = self._unflushed, b""
        came = self._parser.feed(data)
        self.requests += came
        if self.bench.greets and any(frame.kind == wire.HELLO for frame in came):
            self.bench.scheduler.post(self.say, self.ready_frame())
        if self.bench.loads:
            for frame in came:
                if frame.kind == wire.LOAD:
                    self.bench.scheduler.post(self.say, frame_of(wire.LOADED, frame.request_id))

    def trim(self) -> bool:
        self.log.append(f"trim at {self.bench.scheduler.clock.now:g}")
        self.still_used -= 1
        return self.still_used >= 0

    def read(self) -> None:
        self.log.append("read")
        late, self.late = self.late, []
        if late:
            self.say(*late)

    def progress(self) -> Progress | None:
        return self.at

    def terminate(self) -> None:
        self.log.append(f"terminate at {self.bench.scheduler.clock.now:g}")

    def kill(self) -> None:
        self.log.append(f"kill at {self.bench.scheduler.clock.now:g}")
        if self.bench.killable:
            self.die(signal=9)

    def abandon(self) -> None:
        self.log.append("abandon")
        self._dead = True

    # -- what the worker does

    def say(self, *frames: Frame) -> None:
        """These frames come from the worker, in one read."""
        if self._dead:
            return
        try:
            self.sink.on_frames(list(frames))
        except ProtocolError as error:
            self.sink.on_broken(error)

    def ready_frame(self, commands: Sequence[str] = ()) -> Frame:
        return frame_of(wire.READY, 0, Ready(self.pid or 0, "3.11", "1.2", list(commands)).to_body())

    def ready(self, commands: Sequence[str] = ()) -> None:
        self.say(self.ready_frame(commands))

    def calls(self) -> list[Frame]:
        """The calls and commands it was sent, in order."""
        return [frame for frame in self.requests if frame.kind in (wire.CALL, wire.COMMAND)]

    def cancels(self) -> list[int]:
        return [frame.request_id for frame in self.requests if frame.kind == wire.CANCEL]

    def die(self, exit_code: int | None = None, signal: int | None = None, stderr: str = "") -> None:
        if not self._dead:
            self._dead = True
            self.pid = None
            self.executor.actor_ref.tell(Death(self, exit_code, signal, stderr, self.at))


def frame_of(kind: int, request_id: int, body: bytes = b"", **fields: Any) -> Frame:
    (frame,) = FrameParser(accepts=wire.FROM_WORKER).feed(pack_frame(kind, request_id, body, **fields))
    return frame


def reply_to(request: Frame) -> Frame:
    return frame_of(wire.REPLY, request.request_id, b"\x90", count=request.count)


def failure_of(request_id: int, kind: str = "user") -> Frame:
    return frame_of(wire.FAILURE, request_id, Failure(kind, "ValueError", "no", "").to_body())


class Collector:
    """What a run hears of its jobs."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, Any]] = []

    def tell(self, message: Any) -> None:
        if isinstance(message, Replies):
            self.ended += [(job.ref, job.reply) for job in message.jobs]
        else:
            assert isinstance(message, Outcomes)
            self.ended += [(job.ref, outcome) for job, outcome in message.ended]

    @property
    def refs(self) -> list[int]:
        return [ref for ref, _ in self.ended]

    def of(self, ref: int) -> Any:
        (outcome,) = [outcome for number, outcome in self.ended if number == ref]
        return outcome


class Bench:
    """The pool, its workers by the order in which they were made, and the time."""

    def __init__(self, scheduler: ManualScheduler, monkeypatch: pytest.MonkeyPatch, **spec: Any) -> None:
        self.scheduler = scheduler
        self.greets = self.loads = self.killable = True
        self.spawn_error: Exception | None = None
        self.hosts: list[FakeHost] = []
        self._pids = 1000
        self.spec = PoolSpec(**{"size": 1, "start_timeout": 10.0, "shutdown": 4.0, **spec})
        self.link = PoolHandle("p")

        def make(executor: Any, sink: Any, spawner: Any, spec: PoolSpec, log: Any, made: Any, *_: Any) -> FakeHost:
            self.hosts.append(FakeHost(self, executor, sink, made))
            return self.hosts[-1]

        monkeypatch.setattr(supervision, "LocalHost", make)

    def next_pid(self) -> int:
        self._pids += 1
        return self._pids

    def start(self) -> Bench:
        """The tree as a System has it: the pool comes back when it gives up."""
        child = supervision.pool_child(self.link, self.spec, lambda: None)
        self.root = Supervisor.start([child], max_restarts=None, name="pools", scheduler=self.scheduler)
        self.scheduler.run_until_idle()
        return self

    def stop(self) -> None:
        lifecycle = lifecycle_of(self.root)
        assert lifecycle is not None
        lifecycle.ask_shutdown(Shutdown())
        self.scheduler.run_until_idle()

    @property
    def host(self) -> FakeHost:
        """The worker made last."""
        return self.hosts[-1]

    @property
    def pool(self) -> Any:
        statistics = self.link.snapshot().pool
        assert statistics is not None
        return statistics

    @property
    def counts(self) -> Any:
        return self.link.snapshot().counts

    def run_queue(
        self, *, max_in_flight: int = 8, ahead: bool = True, timeout: float | None = 30.0, **more: Any
    ) -> RunQueue:
        run_queue = RunQueue(max_in_flight=max_in_flight, ahead=ahead, timeout=timeout, **more)
        run_queue.collector = Collector()  # type: ignore[assignment]
        return run_queue

    def submit(self, run_queue: RunQueue, *refs: int, target: Target | None = None, front: bool = False) -> list[Job]:
        jobs = []
        for ref in refs:
            job = Job(run_queue, ref, 1)
            job.target = target if target is not None else COMMAND_TARGET
            job.body = b"body %d" % ref
            jobs.append(job)
        self.link.ref.tell(Submit(run_queue, jobs, front))
        self.scheduler.run_until_idle()
        return jobs

    def resubmit(self, job: Job) -> None:
        self.link.ref.tell(Submit(job.run_queue, [job], True))
        self.scheduler.run_until_idle()

    def cancel(self, run_queue: RunQueue, *jobs: Job) -> None:
        self.link.ref.tell(CancelJobs(run_queue, jobs))
        self.scheduler.run_until_idle()

    def close(self, run_queue: RunQueue, *, forget_session: bool = False) -> None:
        self.link.ref.tell(CloseQueue(run_queue, forget_session))
        self.scheduler.run_until_idle()

    def when_ready(self) -> list[Exception | None]:
        answers: list[Exception | None] = []
        self.link.ref.tell(WhenReady(answers.append))
        self.scheduler.run_until_idle()
        return answers

    def warm(self, run_queue: RunQueue, seconds: float = 0.001) -> None:
        """Let the lane know how long its jobs take, so that more than one is put into a pipe."""
        run_queue.average = seconds

    def do(self, what: Any, *arguments: Any) -> None:
        what(*arguments)
        self.scheduler.run_until_idle()


def busy(bench: Bench, *refs: int, **run_queue: Any) -> tuple[Any, list[Frame]]:
    """A started pool with these jobs in one worker's pipe; its lane and the calls."""
    bench.start()
    made = bench.run_queue(**run_queue)
    bench.warm(made)
    bench.submit(made, *refs)
    calls = bench.host.calls()
    assert len(calls) == len(refs)
    return made, calls
