"""Credit: how many items a run may have pulled and not yet delivered. Pure counters."""

from __future__ import annotations

from slither_actors.runs.flow.pacing import (
    CHUNK_BATCHES,
    CHUNK_PART,
    GROW_BATCHES,
    GROW_BYTES,
    GROW_LIMIT,
    GROW_SECONDS,
)


class Credit:
    """The window of one run, counted in items.

    `pulled` is written by the thread that pulls the source, `returned` by the consumer, the rest by the Batcher. They
    only grow, so a reader in another thread sees at worst less room than there is. The consumer returns credit in
    chunks: all of it before it blocks, else once a part of the window has been delivered.

    Args:
        batches: how many batches the window holds: ``max_in_flight + prefetch``.
        batch_size: items in a batch, None where only the strategy knows.
        unbounded: a strategy that must see the whole input has no window.
    """

    __slots__ = (
        "_batches",
        "_grown_at",
        "_least",
        "_size",
        "_waited_at",
        "fixed",
        "grows",
        "limit",
        "pulled",
        "returned",
        "unbounded",
    )

    def __init__(self, batches: int, batch_size: int | None, *, unbounded: bool = False) -> None:
        self._batches = self._least = batches
        self.grows = False
        self._grown_at = self._waited_at = 0
        self.fixed = batch_size is not None  # else `made` learns how large batches turn out
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

    def chunk(self) -> int:
        """Batches to be sent in one message."""
        return max(CHUNK_BATCHES, self._batches // CHUNK_PART) if self.grows else CHUNK_BATCHES

    def part(self) -> int:
        """Items to be pulled at a time, at least, where the window has grown; else 0."""
        return self.limit // CHUNK_PART if self.grows else 0

    def made(self, size: int) -> None:
        """Widen the window for a batch of `size` items, where neither the user nor the strategy has fixed the size."""
        if not self.fixed and size > self._size:
            self._size = size
            self.limit = self._batches * size

    def may_grow(self) -> None:
        """Allow the window to grow: the source is in memory, and the user has not set `prefetch`.

        What a lazy source has given is held for the run alone, so its window stays as it is.
        """
        self.grows = self.fixed and not self.unbounded and self._batches < GROW_BATCHES

    def waits(self, size: int, work: float, burst: int = 0) -> None:
        """Record that the consumer waits: where batches are small and short, a larger window may help.

        A window's worth has to be taken between one growth and the next. So a slow first batch, and a source that gives
        little, do not make it grow.

        Args:
            size: bytes of request and reply of a batch, about.
            work: seconds that a batch takes, for each worker that there is for it, about.
            burst: batches that came at once when it waited last. If that was a quarter of a window, they were held back
                by one that took as long as all of them, and soon the workers will have had nothing to do: however long
                batches take, more of them help.
        """
        self._waited_at = self.returned
        if self._too_large(size):
            return
        held_back = 4 * burst >= self._batches
        batches = min((4 if held_back else 2) * self._batches, GROW_BATCHES)
        if (
            batches > self._batches
            and self.returned - self._grown_at >= self.limit
            and batches * size <= GROW_BYTES
            and (held_back or self._batches * work < GROW_SECONDS)
        ):
            self._set(batches)

    def lags(self, size: int = 0) -> None:
        """Record that the consumer does not wait: where it never does, a small window is enough.

        Args:
            size: as of `waits`.
        """
        if self._too_large(size):
            return
        if self._batches > self._least and self.returned - self._waited_at >= 2 * self.limit:
            self._waited_at = self.returned
            self._set(max(self._least, self._batches // 2))

    def _too_large(self, size: int) -> bool:
        """Whether batches have become so large that it had to shrink."""
        if self._batches <= self._least or self._batches * size <= GROW_BYTES:
            return False
        self._set(max(self._least, GROW_BYTES // size))
        return True

    def _set(self, batches: int) -> None:
        self._batches = batches
        self._grown_at = self.returned
        self.limit = batches * self._size

    def widen(self, undelivered_batches: int) -> bool:
        """Whether the window grew, now that credit is used up while the strategy still waits to fill a batch.

        Only where the strategy decides on the batch size, and while fewer batches are under way than the window is
        meant to hold.
        """
        if self.fixed or self._size >= GROW_LIMIT or undelivered_batches >= self._batches:
            return False
        self._size = min(GROW_LIMIT, self._size * 2)
        self.limit = self._batches * self._size
        return True
