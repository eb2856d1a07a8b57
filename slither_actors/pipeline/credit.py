"""Credit: how many items a run may have pulled and not yet delivered. Pure counters."""

from __future__ import annotations

GROW_LIMIT = 1 << 16
"""Items a batch may reach where neither the user nor the strategy says how large it gets: weights of zero would
otherwise pull an endless source into one batch."""


class Credit:
    """The window of one run, counted in items.

    `pulled` is written by whoever pulls the source, `returned` by the consumer, the rest by the Batcher. They only
    grow, so a reader in another thread sees at worst less room than there is.

    Args:
        batches: how many batches the window holds: ``max_in_flight + prefetch``.
        batch_size: items in a batch, None where only the strategy knows.
        unbounded: a strategy that must see the whole input has no window.
    """

    __slots__ = ("_batches", "_fixed", "_size", "limit", "pulled", "returned", "unbounded")

    def __init__(self, batches: int, batch_size: int | None, *, unbounded: bool = False) -> None:
        self._batches = batches
        self._fixed = batch_size is not None
        # 64 as FixedBatch: where batches turn out larger the window grows with them.
        self._size = 64 if batch_size is None else batch_size
        self.limit = batches * self._size
        self.unbounded = unbounded
        self.pulled = 0
        self.returned = 0

    def room(self) -> int:
        """Items that may be pulled now."""
        if self.unbounded:
            return GROW_LIMIT
        return self.limit + self.returned - self.pulled

    def used_up(self) -> bool:
        """Nothing may be pulled before the consumer takes something."""
        return not self.unbounded and self.pulled >= self.limit + self.returned

    def made(self, size: int) -> None:
        """The strategy gave a batch of `size` items: where nobody fixed the size, the window grows with it."""
        if not self._fixed and size > self._size:
            self._size = size
            self.limit = self._batches * size

    def widen(self, undelivered_batches: int) -> bool:
        """Whether the window grew, now that credit is used up while the strategy still waits to fill a batch.

        Only where the batch size is the strategy's own affair, and while fewer batches are under way than the window is
        meant to hold.
        """
        if self._fixed or self._size >= GROW_LIMIT or undelivered_batches >= self._batches:
            return False
        self._size = min(GROW_LIMIT, self._size * 2)
        self.limit = self._batches * self._size
        return True
