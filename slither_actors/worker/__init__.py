"""What runs in a worker process, and what its code may use. Standard library and msgpack only; Python 3.9 or later."""

from __future__ import annotations

from .adapter import Adapter, command
from .cursor import progress
from .state import in_worker, index, pool, session

__all__ = ["Adapter", "command", "in_worker", "index", "pool", "progress", "session"]
