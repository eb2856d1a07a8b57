"""What `faulthandler` writes of a worker's threads, cut down to what its user needs to see. Pure."""

from __future__ import annotations

import os
import re

import slither_actors.worker

READ = 1 << 17
"""Bytes of it that are kept at the most, the last ones: the main thread comes last, after up to 99 others."""
KEEP = 4096
"""Maximum characters of a report."""
FRAMES = 25
"""Maximum frames reported of a thread, the innermost."""
OTHERS = 8
"""Maximum threads reported beside the main one."""

_OURS = os.path.dirname(os.path.abspath(slither_actors.worker.__file__)) + os.sep
_HEAD = re.compile(r"^(?:Current thread|Thread) 0x[0-9a-f]+.*\(most recent call first\):$")
_FRAME = re.compile(r'^  File "(.*)", line (\d+|\?\?\?) in (.*)$')


def told(dump: bytes) -> str:
    """Return the stacks of all threads for people, the main thread's first; empty if there is none.

    The frames of the worker's own loop, below those of the user's code, are left out. Anything that is no line of
    `faulthandler`'s is, too: it is the worker that writes these bytes.

    Args:
        dump: what has come of it, perhaps not all.
    """
    threads: list[list[tuple[str, str, str]]] = []
    for line in dump[-READ:].decode("ascii", "backslashreplace").split("\n"):
        if _HEAD.match(line):
            threads.append([])
        elif threads and (frame := _FRAME.match(line)):
            threads[-1].append((frame[1], frame[2], frame[3]))
    main = ""
    others = []
    for frames in threads:
        ours = _loop_of(frames)
        # Where nothing else is, it is the loop itself that does not go on: in a write to the host, say.
        text = _lines(frames[: -ours or None][:FRAMES] or frames[:3])
        if ours:
            main = f"in the worker's main thread (most recent call first):\n{text}"
        elif text:
            others.append(f"in another thread of the worker:\n{text}")
    whole = "\n".join(filter(None, [main, *others[:OTHERS]]))
    if len(whole) <= KEEP:
        return whole
    return whole[: whole.rfind("\n", 0, KEEP - 6)] + "\n  ..."


def _lines(frames: list[tuple[str, str, str]]) -> str:
    return "\n".join(f'  File "{file}", line {line}, in {name}' for file, line, name in frames)


def _loop_of(frames: list[tuple[str, str, str]]) -> int:
    """How many of the outermost frames are those that every worker has: its bootstrap, and its loop."""
    count = 0
    for file, _, name in reversed(frames):
        bootstrap = not count and file in ("<string>", "<stdin>") and name == "<module>"
        if not bootstrap and not (file.startswith(_OURS) or (count and _is_import(file))):
            break
        count += 1
    return count if count > 1 else 0


def _is_import(file: str) -> bool:
    """Whether it is the import machinery's, which stands between our loop and a module that is being imported."""
    return file.startswith("<frozen importlib")
