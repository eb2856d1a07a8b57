"""The protocol between an Executor and the place where its worker lives.

Everything that makes a pool (timeouts, retries, redelivery, affinity, supervision) stays above this line, so a host for
another engine has little to do: start a worker, carry frames, report replies and death, kill.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from slither_actors.wire.frames import Frame


class Spawned(Struct, frozen=True):
    """To the Executor: the worker's process exists (it has not said anything yet)."""

    host: WorkerHost
    pid: int


class SpawnFailed(Struct, frozen=True):
    """To the Executor: no process could be made."""

    host: WorkerHost
    error: Exception


class Progress(Struct, frozen=True):
    """Where a worker says it is. Its own word: to be believed no further than `slither_actors.pools.worker.blame` does.

    Args:
        request_id: of the batch that it has begun or ended last; 0: none yet.
        index: of the item; the number of items: all are done.
        seconds: since that item began, by the clock of the worker's machine.
        others: the same of the other batches, where it executes several at a time.
    """

    request_id: int
    index: int
    seconds: float
    others: tuple[Progress, ...] = ()


class Death(Struct, frozen=True):
    """To the Executor: the worker is dead, read out, its group killed, and reaped.

    Args:
        host: whose worker it was.
        exit_code: what it exited with, None if a signal ended it.
        signal: the number of the signal that ended it, None otherwise.
        stderr_tail: the last lines it wrote to stderr.
        progress: where it was; None: the host does not know.
    """

    host: WorkerHost
    exit_code: int | None
    signal: int | None
    stderr_tail: str
    progress: Progress | None = None


class FrameSink(Protocol):
    """What an Executor offers its host, called on the scheduler's thread."""

    def on_frames(self, frames: list[Frame]) -> None:
        """Handle whole frames, in the order the worker sent them."""

    def on_broken(self, error: Exception) -> None:
        """Report that the worker's bytes are no frames, or that its pipe closed while it lives. No more is read."""


@runtime_checkable
class TellsStack(Protocol):
    """What a host may offer beside `WorkerHost`: where its worker is, asked for before it is killed at a deadline."""

    def ask_stack(self, done: Callable[[], None]) -> bool:
        """Have the worker write down the stacks of its threads, also if it hangs in C or holds the interpreter lock.

        Never blocks. The Executor waits for `done` for a short time only, as the worker may be stopped.

        Args:
            done: called, on the scheduler's thread, once all has probably come.

        Returns:
            False if the worker cannot be asked.
        """

    def stack(self) -> str:
        """Return what has come so far, for people: files, lines and functions, innermost first, never values."""


@runtime_checkable
class WorkerHost(Protocol):
    """One worker, from start to death. All calls on the scheduler's thread; none blocks."""

    @property
    def pid(self) -> int | None:
        """The worker's process id while there is one on this machine."""

    def start(self) -> None:
        """Begin to make the worker. The Executor gets `Spawned` or `SpawnFailed`."""

    def send(self, parts: Sequence[bytes | memoryview]) -> None:
        """Queue the parts of one frame or several; nothing is copied, and nothing need be written before `flush`."""

    def flush(self) -> None:
        """Write what is queued as far as the worker takes it; the rest follows by itself."""

    def trim(self) -> bool:
        """Give back, here and in the worker, what memory was kept for the next large payloads; it has nothing to do.

        Returns:
            Whether some is still in use, so that it is to be asked again.
        """

    def read(self) -> None:
        """Read what has come, now: the last look before a deadline is called missed."""

    def progress(self) -> Progress | None:
        """Where the worker is now, as far as is known here: asked at deadlines only, so what comes late does no harm.

        Returns:
            Its last report; None: this host does not know, so that a batch is blamed as a whole.
        """

    def terminate(self) -> None:
        """Ask the worker's process to end (SIGTERM, and SIGCONT for one that is stopped)."""

    def kill(self) -> None:
        """End the worker and its descendants at once. The Executor gets `Death` all the same."""

    def abandon(self) -> None:
        """Kill, reap and close without a message: the Executor has ended."""
