"""The last answer that each person got on a server, in memory, for /library map to mark."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.types import Track

KEPT_S = 900.0
_MAX_KEPT = 2_000

Asker = tuple[int, int | None]
"""Ids of a user and a guild; None is a direct message."""


@dataclass(frozen=True, slots=True, eq=False)
class LastAnswer:
    """The seed of an answer, a track or the embedding of a clip, and its tracks, best first."""

    seed: Track | NDArray[np.float32]
    tracks: tuple[Track, ...]


class LastAnswers:
    """Keeps the last answer of each person for `KEPT_S`; a restart forgets them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Asker, tuple[float, LastAnswer]] = OrderedDict()

    def put(self, asker: Asker, answer: LastAnswer) -> None:
        """Keep an answer in place of the person's earlier one."""
        self._kept[asker] = (self._clock(), answer)
        self._kept.move_to_end(asker)
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    def get(self, asker: Asker) -> LastAnswer | None:
        """Return the person's last answer, or None if there is none or it is older."""
        at, answer = self._kept.get(asker, (0.0, None))
        if answer is not None and self._clock() - at > KEPT_S:
            del self._kept[asker]
            return None
        return answer

    def forget(self, user_id: int) -> None:
        """Forget a person's answers on all servers."""
        for asker in [asker for asker in self._kept if asker[0] == user_id]:
            del self._kept[asker]
