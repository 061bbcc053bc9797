"""The limit of Identify: one in each bucket of shards within some seconds."""

from __future__ import annotations

import time

INTERVAL_S = 5.0


class IdentifyLimit:
    """Allows one Identify in a bucket within ``interval_s``; a shard's bucket is its remainder.

    ``max_concurrency`` is the number of buckets: shard ``k`` is in bucket ``k % max_concurrency``.
    An interval of 0 allows every Identify, so a test may restart its bot at once.
    """

    def __init__(self, *, max_concurrency: int = 16, interval_s: float = 0.0) -> None:
        self.max_concurrency = max_concurrency
        self.interval_s = interval_s
        self._last: dict[int, float] = {}

    def take(self, shard: int) -> bool:
        """Count an Identify of a shard; return False if its bucket had one too recently."""
        bucket, now = shard % self.max_concurrency, time.monotonic()
        last = self._last.get(bucket)
        if last is not None and now - last < self.interval_s:
            return False
        self._last[bucket] = now
        return True
