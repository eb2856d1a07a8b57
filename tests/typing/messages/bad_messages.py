"""Messages to the wrong receiver: each comment has the code of the error that mypy gives for its line."""

from __future__ import annotations

from slither_actors.pools.assignment.job import Job, Replies, RunQueue, Send, WorkerSlot
from slither_actors.pools.handle import PoolHandle
from slither_actors.pools.messages import CloseQueue, Submit
from slither_actors.pools.processes.spawner import Reaped, SpawnerMessage
from slither_actors.runs.messages import CloseRun, RoleEnded, SourceEnded, Wake
from slither_actors.runs.run import Run
from supervisors import Ref


def wire(
    run: Run, queue: RunQueue, handle: PoolHandle, slot: WorkerSlot, spawner: Ref[SpawnerMessage], jobs: list[Job]
) -> None:
    assert handle.ref is not None
    assert slot.ref is not None
    assert run.producer is not None
    assert run.batcher is not None
    run.collector.tell(Send(jobs))  # arg-type: Argument 1 to "tell" of "Ref" has incompatible type "Send"
    run.collector.tell(CloseQueue(queue, True))  # arg-type: Argument 1 to "tell" of "Ref" has
    queue.collector.tell(Submit(queue, jobs))  # arg-type: Argument 1 to "tell" of "Ref" has
    handle.ref.tell(CloseRun())  # arg-type: Argument 1 to "tell" of "Ref" has
    handle.ref.tell(Send(jobs))  # arg-type: Argument 1 to "tell" of "Ref" has
    handle.ref.tel(CloseQueue(queue, True))  # attr-defined: "Ref[
    slot.ref.tell(Replies(jobs))  # arg-type: Argument 1 to "tell" of "Ref" has
    spawner.tell(1234)  # arg-type: Argument 1 to "tell" of "Ref" has incompatible type "int"
    spawner.tell(Reaped("1234"))  # arg-type: Argument 1 to "Reaped" has incompatible type "str"
    run.producer.inbox_ref.tell(SourceEnded(None))  # arg-type: Argument 1 to "tell" of "Ref" has
    run.batcher.inbox_ref.tell(RoleEnded())  # arg-type: Argument 1 to "tell" of "Ref" has
    run.inbox.put(Wake())  # arg-type: Argument 1 to "put" of "ConsumerInbox" has incompatible type "Wake"
