"""Runs in the workers of the pool "scoring"."""

from __future__ import annotations

from typing import Any

from slither_actors.worker import Adapter, command


class Scorer(Adapter):
    """Adds up the weights of a text's words."""

    def init(self, weights: dict[str, int]) -> None:
        """Load the model; here that is a small table."""
        self.weights = weights

    @command
    def score(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One score for each text."""
        return {"items": [sum(self.weights.get(word, 0) for word in text.split()) for text in batch["items"]]}
