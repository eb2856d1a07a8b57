"""`PoolExecutor`, a `concurrent.futures.Executor` over a pool of workers, and what its futures fail with."""

from __future__ import annotations

from slither_actors.futures.errors import CallCrashed, InitializerFailed, UnsendableError
from slither_actors.futures.pool_executor import PoolExecutor

__all__ = ["CallCrashed", "InitializerFailed", "PoolExecutor", "UnsendableError"]
