"""A worker as a subprocess of this machine: two pipes for frames, one for stderr, a lifeline, a pidfd."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from slither_actors.pools.hosts import gil_io
from slither_actors.pools.hosts.base import Death, FrameSink, Progress, Spawned, SpawnFailed
from slither_actors.pools.hosts.stack import READ, told
from slither_actors.pools.hosts.stderr import StderrLog, StderrTail
from slither_actors.pools.processes import cursor_page, interpreter
from slither_actors.pools.processes.spawner import Reaped, Spawn, SpawnerMessage
from slither_actors.pools.processes.table import WorkerProcess, adopts, reap_orphans, reap_strays
from slither_actors.pools.shared_memory import ReplyArena, RequestArena
from slither_actors.pools.spec import PoolSpec
from slither_actors.wire.ends import is_end
from slither_actors.wire.frames import FREED, FROM_WORKER, FrameParser, ProtocolError, pack_frame, pack_header
from slither_actors.wire.shared_memory import freed_body
from slither_actors.worker import boot
from slither_actors.worker.stacks import STACK_SIGNAL
from supervisors import LightActor, Ref
from supervisors.runtime.descriptors import close

MAX_PARTS = 512
"""Buffers for one writev: below IOV_MAX (1,024 on Linux and macOS), and a turn of the scheduler stays short."""
READS_A_TURN = 4
"""Reads before other workers get their turn: the poll is level-triggered, what is left comes with the next one."""
STDERR_READ = 1 << 16
READS_AT_DEATH = 256
"""More than a dead worker can have left in a pipe; a bound, should something outside its group still write there."""
EOF_GRACE = 0.5
"""Seconds between the end of a worker's replies and its death; a worker that lives on without its pipe is killed."""
STACK_QUIET = 0.01
"""Seconds without another byte after which a worker has written down all its stacks: it writes without a pause."""
REAP_POLL = 0.02
"""Seconds between looks for a dead worker where there is no pidfd (macOS)."""
KILL_PATIENCE = 10.0
"""Seconds between SIGKILL and giving up a worker that does not die of it. One needs milliseconds, as a rule."""
STRAYS = 5.0
"""Seconds between looks for dead children of living workers, where they are for this process to reap."""

logger = logging.getLogger("slither_actors.worker")

_FOREIGN = (
    "other code of this process has closed the host's end of a pipe to the worker (os.closerange after the System was "
    "started? Daemons close what they inherit: start the System after that)"
)
_NOT_PERMITTED = (
    "worker %d cannot be killed by this process, which has given up rights since it started the worker (it is user %d "
    "now): its guardian is asked to. Start the System after setuid"
)
_OUTLIVED = "worker %d was killed and is not dead after %g s: it hangs in the kernel, or nothing may kill it; given up"


class LocalHost:
    """One worker subprocess. Readers of its pipes belong to the Executor; its death is watched even without one.

    Args:
        executor: whose timers and readers these are, and who receives frames and the death.
        spawner: the System's Spawner.
        spec: the pool's.
        log: where its stderr goes.
        made: called for every process.
        exited: called with the exit code of every process, as `subprocess` gives it, also when no Death is sent.
        arena: of the pool's shared memory; None where there is none.
    """

    def __init__(
        self,
        executor: LightActor,
        sink: FrameSink,
        spawner: Ref[SpawnerMessage],
        spec: PoolSpec,
        log: StderrLog,
        made: Callable[[], None],
        exited: Callable[[int], None],
        arena: RequestArena | None = None,
    ) -> None:
        self._executor = executor
        self._scheduler = executor.scheduler
        self._sink = sink
        self._spawner = spawner
        self._spec = spec
        self._log = log
        self._made = made
        self._exited = exited
        self._arena = arena
        self._replies = ReplyArena(-1)
        self._worker: WorkerProcess | None = None
        self._out: deque[bytes | memoryview] = deque()
        self._writing = False
        self._reading = False
        self._sent_large = False  # since the worker was last sent a trim request
        self._parser = parser = FrameParser(spec.max_frame, FROM_WORKER)
        self._pinned = gil_io.pinned(parser.shared_buffer)
        self._buffer_end = gil_io.address_of(parser.shared_buffer) + len(parser.shared_buffer)
        self._stderr = StderrTail()
        self._abandoned = False
        self._spawning = False  # the Spawner was asked, and has not answered
        self._killing = False  # since the worker was first killed
        self._given_up = False
        self._dump = b""  # the stacks of its threads
        self._dumped = 0  # bytes of it that have come

    @property
    def pid(self) -> int | None:
        """The worker's process id, until it is reaped."""
        return self._worker.pid if self._worker is not None else None

    def start(self) -> None:
        """Have the Spawner make the process."""
        python = str(self._spec.python or sys.executable)
        flags = interpreter.flags(python)
        self._spawning = True
        self._spawner.tell(
            Spawn(
                lambda *fds: boot.command(python, *fds, flags=flags),
                self._spec.env,
                self._spawned,
                self._arena,
                python=python,
                size=self._spec.size,
            )
        )

    def _spawned(self, worker: WorkerProcess | Exception) -> None:
        self._spawning = False
        if isinstance(worker, Exception):
            if not self._abandoned:
                self._executor.actor_ref.tell(SpawnFailed(self, worker))
            return
        self._worker = worker
        worker.exited = self._exited
        self._made()
        try:
            self._watch(worker)
        except BaseException as raised:  # no memory, say, or nothing more can be polled: it would never be heard of
            error = raised if isinstance(raised, Exception) else RuntimeError(f"a start raised {raised!r}")
            told = not self._abandoned
            self.abandon()
            self._scheduler.call_later(REAP_POLL, self._look_for_death)
            if told:
                self._executor.actor_ref.tell(SpawnFailed(self, error))

    def _watch(self, worker: WorkerProcess) -> None:
        self._replies = ReplyArena(worker.replies)
        if adopts():
            self._scheduler.call_later(STRAYS, self._reap_strays, worker)
        if worker.pidfd >= 0:
            self._scheduler.add_reader(worker.pidfd, self._dead)
        else:
            self._scheduler.call_later(REAP_POLL, self._look_for_death)
        if self._abandoned:
            worker.kill_group()
            return
        self._reading = True
        self._executor.add_reader(worker.reply, self.read)
        self._executor.add_reader(worker.stderr, self._read_stderr)
        self._executor.actor_ref.tell(Spawned(self, worker.pid))

    # -- writing

    def send(self, parts: Sequence[bytes | memoryview]) -> None:
        """Queue the parts of some frames, and word of what the worker may use again."""
        if freed := self._replies.take_back():
            self._out.append(pack_frame(FREED, 0, freed_body(freed)))
        self._out.extend(filter(len, parts))
        if not self._sent_large and max(map(len, parts)) >= gil_io.LARGE:
            self._sent_large = True

    def flush(self) -> None:
        """Write until all is gone or the pipe is full; then go on when it has room."""
        worker, out = self._worker, self._out
        if worker is None or worker.request < 0:
            out.clear()
            return
        try:
            while out:
                if sum(map(len, out)) < gil_io.LARGE:
                    # Joining small frames costs less than handing the kernel a vector of them.
                    data = b"".join(out)
                    out.clear()
                    out.append(data)
                    written = gil_io.write(worker.request, data)
                elif len(out) == 1:
                    written = os.write(worker.request, out[0])
                else:
                    written = os.writev(worker.request, list(itertools.islice(out, MAX_PARTS)))
                while written:
                    part = out.popleft()
                    if written < len(part):
                        out.appendleft(memoryview(part)[written:])
                        break
                    written -= len(part)
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._executor.add_writer(worker.request, self.flush)
            return
        except OSError as error:
            out.clear()
            if not is_end(error):
                self._broken(error)
            # The worker has stopped reading. Its death follows, or else `read` sees the end of its replies.
        if self._writing:
            self._writing = False
            self._executor.remove_writer(worker.request)

    def trim(self) -> bool:
        """Give back what is kept for large frames, and have the worker do so, if there were any.

        Returns:
            Whether some is still looked at, by a slow consumer say: then it is to be asked again.
        """
        if self._replies.touched or self._parser.spares or self._sent_large:
            self._parser.trim()
            self.send([pack_header(FREED, 0)])
            self.flush()
            self._sent_large = False
            self._replies.touched = self._replies.leased > 0
        return self._replies.touched

    # -- reading

    def read(self) -> None:
        """Read the reply pipe as far as there is something, a few times at most."""
        worker, parser = self._worker, self._parser
        if worker is None or not self._reading:
            return
        try:
            for _ in range(READS_A_TURN):
                space = parser.buffer()
                room = len(space)  # asked now: `received` may let go of the view
                if parser.in_place:
                    count = os.readv(worker.reply, [space])
                else:
                    count = gil_io.read_to(worker.reply, self._buffer_end - room, room)
                if count == 0:
                    self._at_end()
                    return
                frames = parser.received(count)
                wrong = None
                if parser.shared:
                    parser.shared = False
                    wrong = self._replies.resolve(frames)
                if frames:
                    self._sink.on_frames(frames)
                if wrong is not None:
                    raise wrong
                if count < room or not self._reading:
                    return
        except BlockingIOError:
            return
        except OSError as error:
            if is_end(error):
                self._at_end()
            else:
                self._broken(error)
        except ProtocolError as error:
            self._stop_reading()
            if whole := parser.salvage():
                self._replies.resolve(whole)  # what it complains of comes before the first complaint, and ends with it
                with contextlib.suppress(ProtocolError):  # the first complaint is the one to report
                    self._sink.on_frames(whole)
            self._sink.on_broken(error)

    def _at_end(self) -> None:
        self._stop_reading()
        self._executor.call_later(EOF_GRACE, self._end_of_replies)

    def _broken(self, error: OSError) -> None:
        """Other code of this process has closed our end of a pipe: the worker cannot be served any more."""
        if error.errno != errno.EBADF:
            raise error
        self._stop_reading()
        self._sink.on_broken(ProtocolError("closed", _FOREIGN))

    def _end_of_replies(self) -> None:
        if self._worker is None:
            return
        if self._worker.is_ending():  # the system is busy: its death will be reported
            self._executor.call_later(EOF_GRACE, self._end_of_replies)
            return
        self._sink.on_broken(ProtocolError("closed", "the worker closed its reply pipe and lives on"))

    def _stop_reading(self) -> None:
        if self._reading and self._worker is not None:
            self._reading = False
            self._executor.remove_reader(self._worker.reply)

    def _read_stderr(self) -> bool:
        worker = self._worker
        if worker is None or worker.stderr < 0:
            return False
        try:
            data = os.read(worker.stderr, STDERR_READ)
        except BlockingIOError:
            return False
        except OSError as error:
            if not (is_end(error) or error.errno == errno.EBADF):
                raise
            data = b""
        if not data:
            self._executor.remove_reader(worker.stderr)
            return False
        lines = self._stderr.feed(data)
        if lines:
            self._log.lines(self._scheduler.background, worker.pid, lines)
        return True

    # -- where it is

    def progress(self) -> Progress | None:
        """Read the worker's cursor."""
        worker = self._worker
        return cursor_page.read(worker.cursor, self._spec.concurrency) if worker is not None else None

    def ask_stack(self, done: Callable[[], None]) -> bool:
        """Have the worker write down where its threads are; `done` is called when nothing more of it has come."""
        worker = self._worker
        if worker is None or not STACK_SIGNAL or not worker.send_signal(STACK_SIGNAL):
            return False
        self._executor.add_reader(worker.lifeline, partial(self._read_stack, done))
        return True

    def stack(self) -> str:
        """Return what has come of that."""
        return told(self._dump)

    def _read_stack(self, done: Callable[[], None]) -> None:
        worker = self._worker
        if worker is None:
            return
        with contextlib.suppress(BlockingIOError, ConnectionResetError):
            if data := os.read(worker.lifeline, STDERR_READ):
                first = not self._dumped
                self._dumped += len(data)
                self._dump = (self._dump + data)[-READ:]
                if first:
                    self._executor.call_later(STACK_QUIET, self._stack_quiet, done, self._dumped)
                return
        self._executor.remove_reader(worker.lifeline)
        done()

    def _stack_quiet(self, done: Callable[[], None], size: int) -> None:
        if self._worker is None:
            return
        if self._dumped > size:
            self._executor.call_later(STACK_QUIET, self._stack_quiet, done, self._dumped)
            return
        self._executor.remove_reader(self._worker.lifeline)
        done()

    # -- the end

    def terminate(self) -> None:
        """Send SIGTERM to the group; SIGCONT too, as a stopped process would never see it."""
        if self._worker is not None:
            self._worker.kill_group(signal.SIGTERM)
            self._worker.kill_group(signal.SIGCONT)

    def kill(self) -> None:
        """Send SIGKILL to the group; `Death` follows once the process is reaped."""
        worker = self._worker
        if worker is None:
            self._give_up_start()
            return
        if not worker.kill_group() and not self._killing:
            self._scheduler.background.submit(logger.warning, _NOT_PERMITTED, worker.pid, os.geteuid())
            # A worker that waits for requests ends by that.
            if self._writing:
                self._writing = False
                self._executor.remove_writer(worker.request)
            close(worker.lifeline)
            close(worker.request)
            worker.lifeline = worker.request = -1
        if not self._killing:
            self._killing = True
            self._scheduler.call_later(KILL_PATIENCE, self._outlived)

    def _give_up_start(self) -> None:
        """Report a start that a dead Spawner does not answer. Should its process come after all, it is killed."""
        if self._spawning and not self._abandoned and not self._spawner.is_alive():
            self._abandoned = True
            self._executor.actor_ref.tell(SpawnFailed(self, RuntimeError("the Spawner has ended")))

    def _outlived(self) -> None:
        """Give up a worker that was killed and is not dead: it hangs in the kernel, or nothing may kill it."""
        worker = self._worker
        if worker is None or self._given_up:
            return
        if worker.is_ending():  # what it had in memory takes long to be freed
            self._scheduler.call_later(KILL_PATIENCE, self._outlived)
            return
        self._given_up = True
        self._scheduler.background.submit(logger.error, _OUTLIVED, worker.pid, KILL_PATIENCE)
        if not self._abandoned:
            self._stop_watching(worker)
            self._abandoned = True
            tail = self._stderr.text()
            self._executor.actor_ref.tell(Death(self, None, signal.SIGKILL, tail))
        self._reading = False
        self._out.clear()
        worker.cut()

    def abandon(self) -> None:
        """Kill now, reap when it is dead, and send no message: the Executor has ended."""
        self._abandoned = True
        self._reading = False
        self._out.clear()
        self.kill()

    def _look_for_death(self) -> None:
        if self._worker is not None and not self._dead():
            self._scheduler.call_later(REAP_POLL, self._look_for_death)

    def _dead(self) -> bool:
        """Bury a dead worker: read what it sent, kill its group while the zombie still holds the id, reap.

        Called when the pidfd says so, and to look where there is none. False: it lives, or is not to be reaped yet.
        """
        worker = self._worker
        if worker is None:
            return True
        if worker.pidfd < 0:
            if not worker.is_dead():
                return False
        else:
            self._scheduler.remove_reader(worker.pidfd)
        # First the group, while the zombie still holds its id: a child of the worker must not go on writing into the
        # pipes.
        worker.kill_group()
        if not self._abandoned:
            for _ in range(READS_AT_DEATH):
                if not self._reading or not _readable(worker.reply):
                    break
                self.read()
            for _ in range(READS_AT_DEATH):
                if not self._read_stderr():
                    break
            if lines := self._stderr.end():
                self._log.lines(self._scheduler.background, worker.pid, lines)
        code = worker.reap()
        if code is None:  # the pidfd spoke, so this is a matter of microseconds
            self._scheduler.call_later(REAP_POLL, self._look_for_death)
            return False
        progress = cursor_page.read(worker.cursor, self._spec.concurrency) if not self._abandoned else None
        if not self._abandoned:
            self._stop_watching(worker)
        worker.orphans.add(worker.pid)
        self._reap_orphans(worker.orphans, worker.pid)
        worker.exited(code)
        worker.close()
        self._worker = None
        self._spawner.tell(Reaped(worker.pid))
        if not self._abandoned:
            self._executor.actor_ref.tell(
                Death(self, code if code >= 0 else None, -code if code < 0 else None, self._stderr.text(), progress)
            )
        return True

    def _stop_watching(self, worker: WorkerProcess) -> None:
        for fd in (worker.reply, worker.stderr, worker.lifeline):
            self._executor.remove_reader(fd)
        if self._writing:
            self._writing = False
            self._executor.remove_writer(worker.request)

    def _reap_orphans(self, groups: set[int], group: int, pause: float = REAP_POLL) -> None:
        """Reap the children of a dead worker that are ours now; they were killed with it, and may take a moment."""
        if reap_orphans(group):
            groups.discard(group)
        else:
            self._scheduler.call_later(pause, self._reap_orphans, groups, group, min(2 * pause, STRAYS))

    def _reap_strays(self, worker: WorkerProcess) -> None:
        if self._worker is worker:
            reap_strays(worker.pid)
            self._scheduler.call_later(STRAYS, self._reap_strays, worker)


def _readable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return any(event & select.POLLIN for _, event in poll.poll(0))
