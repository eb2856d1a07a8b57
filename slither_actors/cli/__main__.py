"""``python -m slither_actors.cli``: the command where its entry point is not on PATH."""

from __future__ import annotations

import sys

from slither_actors.cli import main

sys.exit(main())
