"""Executors: what a batch is to a worker."""

from __future__ import annotations

from slither_actors.executors.base import Call, Command, InlineExecutor, RemoteExecutor, RunSettings
from slither_actors.executors.snakebridge import SnakeBridge
from slither_actors.executors.snakepit import Snakepit

__all__ = ["Call", "Command", "InlineExecutor", "RemoteExecutor", "RunSettings", "SnakeBridge", "Snakepit"]
