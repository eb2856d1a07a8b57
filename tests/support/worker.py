"""A worker process as a host would drive it, with blocking reads under a deadline; and the functions it is given."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from slither_actors.wire import frames
from slither_actors.wire.codec import Encoder
from slither_actors.wire.frames import Frame, FrameParser, pack_frame, pack_header
from slither_actors.wire.messages import Failure, Hello, Load, call_side, reply_failures
from slither_actors.worker import boot
from support.replies import reply_results

FUNCTIONS = str(Path(__file__).parent / "for_workers")
"""The directory of the modules that workers of these tests import."""


class WorkerProcess:
    """One worker over three pipes. ``hello=None``: send none."""

    def __init__(
        self,
        hello: Hello | None = None,
        *,
        python: str = sys.executable,
        env: dict[str, str] | None = None,
        argv: list[str] | None = None,
        seconds: float = 20.0,
        greet: bool = True,
    ) -> None:
        self.seconds = seconds
        self.parser = FrameParser(accepts=frames.FROM_WORKER)
        self.came: list[Frame] = []
        self._encoder = Encoder()
        self._number = 0
        self._stderr = b""
        theirs_in, self.requests = os.pipe()
        self.replies, theirs_out = os.pipe()
        theirs_line, self.lifeline = os.pipe()
        given = (theirs_in, theirs_out, theirs_line)
        try:
            self.process = subprocess.Popen(
                argv or boot.command(python, *given),
                pass_fds=given,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env=env,
            )
        finally:
            for fd in given:
                os.close(fd)
        self._open = [self.requests, self.replies, self.lifeline]
        if greet:
            self.send(pack_frame(frames.HELLO, 0, (hello or hello_of()).to_body()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in self._open:
            os.close(fd)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def send(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.requests, data) :]

    def close_requests(self) -> None:
        os.close(self.requests)
        self._open.remove(self.requests)

    def receive(self) -> Frame:
        """The next frame. EOFError: the worker has closed its end."""
        while not self.came:
            readable, _, _ = select.select([self.replies], [], [], self.seconds)
            assert readable, f"no frame came within {self.seconds} s"
            n = os.readv(self.replies, [self.parser.buffer()])
            if not n:
                raise EOFError
            self.came += self.parser.received(n)
        return self.came.pop(0)

    def ready(self) -> Frame:
        frame = self.receive()
        assert frame.kind == frames.READY, Failure.from_body(frame.body)
        return frame

    def load(self, target: int, function: str, *, module: str = "functions", each: bool = False) -> Frame:
        self._number += 1
        self.send(pack_frame(frames.LOAD, self._number, Load(target, module, function, each).to_body()))
        return self.receive()

    def request(
        self, target: int | str, value: Any, *, session: str | None = None, request_id: int | None = None
    ) -> int:
        """Send a call (of a target) or a command (by name); its request id."""
        kind = frames.CALL if isinstance(target, int) else frames.COMMAND
        body, buffers = self._encoder.encode(value)
        side = call_side(target, session)
        if request_id is None:
            self._number += 1
            request_id = self._number
        beside = b"".join(buffers)
        header = pack_header(
            kind,
            request_id,
            attempt=3,
            count=len(value),
            side_len=len(side),
            body_len=len(body),
            buffers_len=len(beside),
        )
        self.send(header + side + body + beside)
        return request_id

    def call(
        self,
        function: str,
        payloads: list[Any],
        *,
        each: bool = False,
        session: str | None = None,
        module: str = "functions",
    ) -> Frame:
        """Load the function, call it, and return the answer."""
        assert self.load(1, function, module=module, each=each).kind == frames.LOADED
        request_id = self.request(1, payloads, session=session)
        frame = self.receive()
        assert (frame.request_id, frame.attempt) == (request_id, 3)
        return frame

    def ended(self) -> int:
        """Wait for the end; the exit code. What it had written is in :attr:`stderr` and stdout must be empty."""
        out, self._stderr = self.process.communicate(timeout=self.seconds)
        assert out == b""
        return self.process.returncode

    @property
    def stderr(self) -> str:
        return self._stderr.decode()


def hello_of(**fields: Any) -> Hello:
    """A hello for workers that find the functions of these tests."""
    return Hello(**{"path": [FUNCTIONS], "host_pid": os.getpid(), **fields})


def results(frame: Frame) -> list[Any]:
    """The results of a reply in which no item failed."""
    assert frame.kind == frames.REPLY, Failure.from_body(frame.body)
    assert reply_failures(frame) == []
    return reply_results(frame)[0]


def failure(frame: Frame, kind: str) -> Failure:
    """The failure, which is of this kind."""
    assert frame.kind == frames.FAILURE, frame
    found = Failure.from_body(frame.body)
    assert found.kind == kind, found
    return found
