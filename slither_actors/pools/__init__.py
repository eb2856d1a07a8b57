"""Pools: which worker executes a batch, and what happens when a worker dies before it has replied."""
