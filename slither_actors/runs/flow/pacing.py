"""How much a run does at a time: every constant of that kind, with its reason. `Credit` says how much is under way."""

from __future__ import annotations

from typing import Final

CHUNK_BATCHES: Final = 8
"""Batches that the Batcher sends to the Collector in one message: fewer messages, yet the first leaves before the last
is encoded."""

CHUNK_PART: Final = 8
"""Once the window has grown, which it does where batches are small and short, this part of it (an eighth) is pulled,
and sent in one message, if that is more: the workers have enough to do meanwhile."""

FEED_BATCHES: Final = 8
"""Batches that a consumer that plays the Batcher pulls and hands over between two steps: the workers start on the first
ones while it encodes the next."""

FEED_BATCHES_IN_LOOP: Final = 1
"""The same in an event loop, whose other tasks wait meanwhile."""

SMALL_SOURCE: Final = 4096
"""Items up to which a source in memory is batched and encoded in the event loop's own thread, a batch at a time. A
larger one gets threads, as a lazy one does: the loop cannot spare the time."""

LOOP_SECONDS: Final = 0.0005
"""Seconds of work in an event loop after which other tasks get their turn, also when the next result is there."""

SOURCE_ITEMS: Final = 64
"""Items of an asynchronous source after which other tasks get their turn, also when the source never waits."""

RETURNED_PART: Final = 4
"""Credit is returned once this part (a quarter) of the window has been delivered, to save messages, and all of it
before the consumer waits."""

TOGETHER_BYTES: Final = 64 * 1024
"""Bytes of replies that are unpacked in one go: so much takes a fraction of a millisecond."""

PIECE_ITEMS: Final = 512
"""Items that are made in one go, unless a batch has more. CPython collects garbage once there are 700 more objects of
certain types than before, Items among them, whatever they hold: a consumer that drops them as they come has none of
that to pay for, which was a quarter of the host's time with small payloads."""

AHEAD_ITEMS: Final = 8
MOST_AHEAD_ITEMS: Final = 512
"""With a byte budget: items that are pulled before any has been encoded, and at most, however small they are."""

GROW_LIMIT: Final = 1 << 16
"""Items that a batch may reach where neither the user nor the strategy says how large it gets: weights of zero would
otherwise pull an endless source into one batch."""

GROW_BATCHES: Final = 256
GROW_BYTES: Final = 4 << 20
GROW_SECONDS: Final = 0.04
"""How far the window grows by itself: to so many batches, to so many bytes of requests and replies, to so many seconds
of work for each worker. That is twice what is sent ahead to a worker: as much again is on its way back and forth."""
