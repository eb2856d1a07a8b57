"""How the host starts a worker: the command line that makes any Python with msgpack run the loop of this package."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

STARTED_AS: Final = "SLITHER_ACTORS_STARTED_AS"
"""Variable that marks a process started by a System. A worker's first line takes it away, so that a program that finds
it was started in the place of an interpreter: without it a packed program would start itself without end."""

# Taken when this is imported: `python app.pyz` has a relative path, which counts from where the program was started.
_ROOT: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# The finder serves `slither_actors` from our directory, whatever else the interpreter has installed or has on its path;
# a -c script puts the working directory first on the path, where a stray struct.py would be picked up: away with it.
_CODE = """\
import os, sys
os.environ.pop("SLITHER_ACTORS_STARTED_AS", None)
sys.path[:] = [entry for entry in sys.path if entry]
class Finder:
    root = sys.argv[1]
    def find_spec(self, name, path=None, target=None):
        if name == "slither_actors":
            from importlib.machinery import PathFinder
            return PathFinder.find_spec(name, [self.root])
sys.meta_path.insert(0, Finder())
from slither_actors.worker.guard import require_msgpack
require_msgpack(sys.argv[2])
from slither_actors.worker.loop import main
main(*map(int, sys.argv[3:]))
"""


def command(
    python: str, request_fd: int, reply_fd: int, lifeline_fd: int, *memory: int, flags: Sequence[str] = ()
) -> list[str]:
    """Return the argument list of a worker process; call it in the process that will be its parent.

    The process is to have ``pass_fds`` of the descriptors (none of them below 3), and any stdin, stdout and
    stderr: the first it closes, the second it makes the third.

    Args:
        python: the interpreter; Python 3.9 or later, with msgpack.
        request_fd: the end of a pipe that the worker reads frames from.
        reply_fd: the end of a pipe that it writes frames to.
        lifeline_fd: the end of a pair of sockets that it reads nothing from: its end of file means that the host is
            gone. Where its threads are is written there when the host asks, see :mod:`.stacks`.
        memory: files that it shares with the host: that of requests and that of its replies; or one for its cursor
            alone, which else is at the end of that of the replies; or none.
        flags: options of the interpreter.
    """
    # The same interpreter may have found msgpack on a path that its child does not get (a zip, a test runner's path).
    msgpack = ""
    if python == sys.executable and "msgpack" in sys.modules and (file := sys.modules["msgpack"].__file__):
        msgpack = os.path.dirname(os.path.dirname(os.path.abspath(file)))
    descriptors = (request_fd, reply_fd, lifeline_fd, os.getpid(), *memory)
    return [python, *flags, "-c", _CODE, _ROOT, msgpack, *map(str, descriptors)]
