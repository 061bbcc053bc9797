"""Which trigrams of a query are worth a look in PostgreSQL's index of names.

The index merges the lists of all trigrams that a condition names. A trigram of almost every text
has a list as long as the catalogue and excludes nothing, so it is left out where the query has a
rarer one; a comparison of the texts decides in any case. The planner's statistics (ANALYZE) say how
common a trigram is; each process reads them every ten minutes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from db.search_text import WordQuery
from db.session import SqlSession

_KEPT_S = 600.0
_LETTERS = 3
# To compare a text costs as much as to read so many entries of a list: measured on 200,000 names.
_COMPARED = 50
_STATISTICS = (
    "SELECT CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs FROM pg_stats"
    " WHERE schemaname = current_schema() AND tablename = 'entry_words' AND attname = 'trigrams'"
)


@dataclass(frozen=True, slots=True)
class TrigramShares:
    """Shares of the texts, 0..1, that have each of the common trigrams.

    Attributes
    ----------
    common
        Share by trigram.
    other
        Share that stands for a trigram that is not among them.
    """

    common: Mapping[str, float]
    other: float = 0.001

    def telling(self, part: str) -> list[str]:
        """Return the trigrams of a part of a text that are worth a look, the rarest first."""
        shares = self._shares(part)
        return [one for one in shares if _is_worth(shares[one], 1, min(shares.values()))]

    def looked_up(self, query: WordQuery) -> list[bool]:
        """Return for each group of a query whether it is worth a look; at least one is."""
        shares = [
            min(1.0, sum(min(self._shares(part).values(), default=1.0) for part in group))
            for group in query
        ]
        rarest = min(shares, default=1.0)
        wanted: set[tuple[str, ...]] = set()
        found = []
        for share, group in zip(shares, query, strict=True):
            trigrams = tuple(one for part in group for one in self.telling(part))
            worth = share == rarest or _is_worth(share, len(trigrams), rarest)
            found.append(worth and trigrams not in wanted)
            if found[-1]:
                wanted.add(trigrams)
        return found

    def _shares(self, part: str) -> dict[str, float]:
        """Return the share of each trigram of a part, the rarest first."""
        found = {trigram: self.common.get(trigram, self.other) for trigram in _trigrams(part)}
        return dict(sorted(found.items(), key=lambda one: (one[1], one[0])))


def _is_worth(share: float, lists: int, rarest: float) -> bool:
    """Return whether lists of a share of the texts cost less than comparing what they exclude."""
    return share == rarest or share * lists < _COMPARED * rarest * (1 - share)


def _trigrams(part: str) -> Iterable[str]:
    return {part[at : at + _LETTERS] for at in range(len(part) - _LETTERS + 1)}


async def trigram_shares(session: SqlSession) -> TrigramShares:
    """Return the shares of the trigrams, as of ten minutes ago at most."""
    kept: tuple[float, TrigramShares] | None = session.kept.get(_STATISTICS)
    if kept is not None and time.monotonic() - kept[0] < _KEPT_S:
        return kept[1]
    row = await session.one(_STATISTICS)
    shares = TrigramShares({})
    if row is not None and row[0]:
        trigrams, numbers = row
        # The last three are the smallest, the largest, and the share of NULL.
        shares = TrigramShares(
            dict(zip(trigrams, numbers, strict=False)), max(1e-6, numbers[-3] / 2)
        )
    session.kept[_STATISTICS] = (time.monotonic(), shares)
    return shares
