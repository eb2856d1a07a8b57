"""A stand-in that, told to stop, sends frames without end, and hears no signal."""

from __future__ import annotations

import signal

from impostor import frames, pack_frame, ready, requests, say

for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
for frame in requests():
    if frame.kind == frames.HELLO:
        ready()
    elif frame.kind == frames.STOP:
        while True:
            say(pack_frame(frames.LOADED, 1) * 1000)
