"""A stand-in that does not become a worker; the argument says how.

With a file as second argument only while that exists; without it, it is the interpreter that the tests run in.
"""

from __future__ import annotations

import os
import sys

from impostor import ARGUMENTS, REPLY, encode, forever, frames, pack_frame, ready, say

from slither_actors.wire.frames import pack_header


def silence():
    forever()


def garbage():
    say(b"Python 2.7.18 (default)\n")
    forever()


def announces_4_gib():
    say(pack_header(frames.READY, 0, body_len=1 << 32))
    forever()


def half_a_ready():
    say(pack_frame(frames.READY, 0, encode({"pid": 1}))[:-3])
    forever()


def nonsense_ready():
    say(pack_frame(frames.READY, 0, encode({"pid": "one"})))
    forever()


def reply_before_ready():
    say(pack_frame(frames.REPLY, 1, encode([1]), count=1))
    forever()


def ready_and_a_reply():
    ready()
    say(pack_frame(frames.REPLY, 1, encode([1]), count=1))
    forever()


def nonsense_failure():
    say(pack_frame(frames.FAILURE, 0, b"\xc1"))
    os._exit(1)


def closes_its_pipe():
    os.close(REPLY)
    forever()


def exits():
    os.write(2, b"cannot be a worker today\n")
    os._exit(70)


if len(ARGUMENTS) > 1 and not os.path.exists(ARGUMENTS[1]):
    at = sys.argv.index("-c")
    os.execv(sys.executable, [sys.executable, *sys.argv[at:]])
globals()[ARGUMENTS[0]]()
