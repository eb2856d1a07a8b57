"""Strategies: how a run's items are grouped into batches."""

from __future__ import annotations

from slither_actors.strategies.base import Strategy
from slither_actors.strategies.fixed import FixedBatch
from slither_actors.strategies.keyed import KeyPartition
from slither_actors.strategies.weighted import WeightedBatch

__all__ = ["FixedBatch", "KeyPartition", "Strategy", "WeightedBatch"]
