"""Pools: who executes a batch, and what happens when a worker does not live to answer."""
