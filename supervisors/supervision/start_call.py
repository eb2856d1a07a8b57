"""The start of the root of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pykka

from supervisors.actors.lifecycle import Lifecycle, Started, StartOutcome, lifecycle_of
from supervisors.actors.light_actor import LightActor
from supervisors.actors.registry import Claim, Registry
from supervisors.exits import IGNORE, StartAnswer
from supervisors.supervision.child_spec import ChildSpec
from supervisors.supervision.launch import holder_of

__all__ = ["StartCall", "StartFunction", "Starter"]

StartFunction = Callable[[], pykka.ActorRef[Any] | StartAnswer]


class StartCall:
    """A call of the root's start function, on the scheduler's thread.

    Args:
        start: the function.
        spec: of the root, if it has one.
    """

    def __init__(self, start: StartFunction, spec: ChildSpec | None) -> None:
        self.answer: pykka.ActorRef[Any] | StartAnswer | None = None
        """What it has returned."""
        self._start = start
        self._spec = spec
        self._abandoned = False

    def make(self, registry: Registry) -> None:
        """Make the call; hold the name of the spec until the root has ended."""
        claim: Claim | None = None
        if self._spec is not None and self._spec.register is not None:
            claim = registry.claim(self._spec.register, holder_of(self._spec.id, "run()"))
        try:
            answer = self._start()
            root = lifecycle_of(answer) if isinstance(answer, pykka.ActorRef) else None
        except BaseException:
            if claim is not None:
                claim.release()
            raise
        if claim is not None:
            _hold(claim, answer, root)
        self.answer = answer
        if self._abandoned:
            self.abandon()

    def abandon(self) -> None:
        """Nothing waits for it any more: kill what it returns, or has returned just now. From any thread."""
        self._abandoned = True
        ref = self.answer
        if isinstance(ref, pykka.ActorRef):
            root = lifecycle_of(ref)
            if root is not None:
                root.kill()
            else:
                ref.stop(block=False)


def _hold(claim: Claim, answer: pykka.ActorRef[Any] | StartAnswer, root: Lifecycle | None) -> None:
    """Let a name lead to the root from its start to its end."""
    if root is None or not isinstance(answer, pykka.ActorRef):
        claim.release()
        return
    ref = answer

    def started(outcome: StartOutcome) -> None:
        if isinstance(outcome, Started):
            claim.ref = ref

    root.start.listen(started)
    root.exit.listen(lambda _: claim.release())


class Starter(LightActor):
    """Calls a start function on the scheduler's thread, and ends."""

    def __init__(self, call: StartCall) -> None:
        super().__init__()
        self._call = call

    def on_start(self) -> Any:
        self._call.make(self.scheduler.registry)
        return IGNORE
