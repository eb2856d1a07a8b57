"""``python -m slither_actors``: the command, where its entry point is not on PATH."""

from __future__ import annotations

import sys

from slither_actors.cli import main

if __name__ == "__main__":
    sys.exit(main())
