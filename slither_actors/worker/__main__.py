"""``python -m slither_actors.worker``: says what this is. Workers are started by their host, see :mod:`.boot`."""

from __future__ import annotations

import sys

from .loop import main

if __name__ == "__main__":
    if len(sys.argv) not in (5, 6, 7) or not all(argument.isdigit() for argument in sys.argv[1:]):
        sys.stderr.write("A worker is started by its host, with the numbers of some descriptors and its pid.\n")
        sys.exit(2)
    main(*map(int, sys.argv[1:]))
