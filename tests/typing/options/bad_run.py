"""Mistakes in the options of runs; each comment has the beginning of the message that mypy gives for its line."""

from __future__ import annotations

from slither_actors import Dispatch, Item, System

Dispatch.run([1], tiemout=3)  # call-arg: Unexpected keyword argument "tiemout" for "run" of "Dispatch"; did
Dispatch.run([1], batch_size="many")  # arg-type: Argument "batch_size" to "run" of "Dispatch" has
Dispatch.run([1], ordering="sorted")  # arg-type: Argument "ordering" to "run" of "Dispatch" has
Dispatch.run([1], on_error="retry")  # arg-type: Argument "on_error" to "run" of "Dispatch" has
Dispatch.run([1], timeout="30")  # arg-type: Argument "timeout" to "run" of "Dispatch" has
Dispatch.run([1], affinity="stict")  # arg-type: Argument "affinity" to "run" of "Dispatch" has
Dispatch.run([1], each=1)  # arg-type: Argument "each" to "run" of "Dispatch" has
Dispatch.run([1], strategy=dict)  # arg-type: Argument "strategy" to "run" of "Dispatch" has
Dispatch.run([1], executor=object())  # arg-type: Argument "executor" to "run" of "Dispatch" has
Dispatch.run(3, function=len)  # arg-type: Argument 1 to "run" of "Dispatch" has
Dispatch.stream([1], comand="c")  # call-arg: Unexpected keyword argument "comand" for "stream" of "Dispatch"
Dispatch.call_batch([1], batch_size=3)  # call-arg: Unexpected keyword argument "batch_size" for "call_batch"
Dispatch.call_batch([1], linger=3)  # call-arg: Unexpected keyword argument "linger" for "call_batch"


async def main() -> list[Item]:
    await Dispatch.arun([1], context="session")  # arg-type: Argument "context" to "arun" of "Dispatch" has incompatible
    Dispatch.astream([1], key_fn=3)  # arg-type: Argument "key_fn" to "astream" of "Dispatch" has
    return await Dispatch.acall_batch([1], prefetch=3)  # call-arg: Unexpected keyword argument "prefetch" for


def on(system: System) -> list[Item]:
    score = system.dispatch.bind(function=len)
    score.stream_one(1, reader_timout=3)  # call-arg: Unexpected keyword argument "reader_timout" for "stream_one"
    score.stream_one(1, max_ahead="3")  # arg-type: Argument "max_ahead" to "stream_one" of "PreparedCall" has
    system.dispatch.run([1], max_inflight=3)  # call-arg: Unexpected keyword argument "max_inflight" for "run"
    system.dispatch.stream([1], pool=3)  # arg-type: Argument "pool" to "stream" of "Dispatcher" has
    return system.dispatch.call_batch([1], strategy=None)  # call-arg: Unexpected keyword argument "strategy" for
