"""What the stand-ins for interpreters have in common: a worker's descriptors, and frames by hand.

The command line is that of a worker: ``[arguments of the stand-in] -c CODE ROOT MSGPACK REQUEST REPLY LIFELINE HOST``.
"""

from __future__ import annotations

import os
import sys

_AT = sys.argv.index("-c")
ARGUMENTS = sys.argv[1:_AT]
REQUEST, REPLY, LIFELINE, HOST = map(int, sys.argv[_AT + 4 : _AT + 8])
sys.path.append(sys.argv[_AT + 2])

from slither_actors.wire import frames  # noqa: E402
from slither_actors.wire.codec import decode, encode  # noqa: E402
from slither_actors.wire.frames import FROM_HOST, FrameParser, pack_frame  # noqa: E402
from slither_actors.wire.messages import Ready  # noqa: E402


def say(data):
    while data:
        data = data[os.write(REPLY, data) :]


def ready():
    say(pack_frame(frames.READY, 0, Ready(os.getpid(), "3.11.0", "1.2.4").to_body()))


def reply(request, results, **fields):
    """The bytes of a reply; `fields` to have some of its header otherwise."""
    header = {"request_id": request.request_id, "count": len(results), "body": encode(results)}
    return pack_frame(frames.REPLY, **{**header, **fields})


def requests():
    """What comes, one frame after the other, until the host closes the pipe."""
    parser = FrameParser(accepts=FROM_HOST)
    while True:
        n = os.readv(REQUEST, [parser.buffer()])
        if not n:
            return
        yield from parser.received(n)


def forever():
    """Read nothing, say nothing."""
    while True:
        os.read(LIFELINE, 1) or os._exit(0)


def serve(answer, cancel=None):
    """Greet, load whatever is asked for, and have `answer` say something to each batch, given its payloads."""
    for frame in requests():
        if frame.kind == frames.HELLO:
            ready()
        elif frame.kind == frames.LOAD:
            say(pack_frame(frames.LOADED, frame.request_id))
        elif frame.kind == frames.CALL:
            answer(frame, decode(frame.body, frame.buffers))
        elif frame.kind == frames.CANCEL and cancel is not None:
            cancel(frame)
        elif frame.kind == frames.STOP:
            return
