"""Statements that search the table ``served`` for neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from db.neighbours import TrackFilter
from db.tracks import LIBRARY, STARTER
from genrec.seed_scores import LESS

SHARED = (LIBRARY, STARTER)
HALF_ERROR = 1.1e-3
"""Largest error of the product of two unit vectors in half precision: two roundings of 2**-11."""
_MOST_NEAR = 5_000  # tracks that a graph is asked for; more are compared one by one


def quoted(text: str) -> str:
    """Return a text as a literal, for what the planner has to know in advance."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def is_shared(model_id: str) -> str:
    """Return the condition of the graph of a model, as its index and every search write it."""
    scopes = ", ".join(map(quoted, SHARED))
    return f"model_id = {quoted(model_id)} AND scope IN ({scopes})"


@dataclass(frozen=True, slots=True)
class Look:
    """A search of the served tracks that a filter lets through.

    Parameter 1 is the point, real[]. `values` are the next ones. With ``near_goal`` two follow: the
    goal, and the largest negative inner product with it. Sound tags let a few tracks through that
    lack them by a hair, because embeddings are compared in half precision.
    """

    model_id: str
    schema: str
    among: TrackFilter
    dimension: int
    near_goal: bool = False

    @property
    def values(self) -> list[Any]:
        """The parameters of what is left out, and for each sound tag a direction and a limit."""
        found: list[Any] = []
        if self.among.without:
            found.append(sorted(self.among.without))
        if self.among.without_artists:
            found.append(sorted(self.among.without_artists))
        if (limits := self.among.tag_limits) is not None:
            for direction, least in zip(limits.directions, limits.least, strict=True):
                length = max(float(np.linalg.norm(direction)), 1e-9)
                found += [(direction / length).tolist(), HALF_ERROR - float(least) / length]
        return found

    def may_miss_of(self, fetched: int) -> bool:
        """Return whether a graph is searched for so many tracks, which may return too few."""
        return fetched <= _MOST_NEAR and any(scope in SHARED for scope in self.among.scopes)

    def score(self, first: int, liked: int, disliked: int) -> str:
        """Return the negative score of a row, for seeds from the parameter ``first`` on.

        The parameter after the seeds is the cosine up to which a track is not like a disliked seed.
        """
        numbers = range(first, first + liked)
        found = f"GREATEST({', '.join(map(self._distance, numbers))})"
        if disliked:
            numbers = range(first + liked, first + liked + disliked)
            like = f"GREATEST({', '.join(f'-({self._distance(n)})' for n in numbers)})"
            limit = f"CAST(?{first + liked + disliked} AS float8)"
            found += f" + {LESS!r} * GREATEST({like} - {limit}, 0)"
        return found

    def sql(self, count: int, fetched: int, *, score: str = "", exact: bool = False) -> str:
        """Return the statement for the best ``count`` of the ``fetched`` nearest tracks.

        A row has the id, the stored embedding, and of all fetched tracks the number and the largest
        negative inner product. ``score`` is that of the order; by default it is the nearness.
        """
        shared = [scope for scope in SHARED if scope in self.among.scopes]
        own = sorted(set(self.among.scopes) - set(SHARED))
        if exact or fetched > _MOST_NEAR:
            looks = [self._look(fetched, self._of([*shared, *own]), exact=True)]
        else:
            looks = [self._look(fetched, self._of(own), exact=True)] if own else []
            if shared:
                where = is_shared(self.model_id)
                where += "" if len(shared) == len(SHARED) else f" AND scope = {quoted(shared[0])}"
                looks.append(self._look(fetched, where, exact=False))
        rows = " UNION ALL ".join(looks) or self._look(0, "false", exact=True)
        return (
            "SELECT t.track_id, m.vector, t.found, t.farthest FROM (SELECT track_id, embedding_id,"
            " count(*) OVER () AS found, max(d) OVER () AS farthest,"
            f" {score or 'd'} AS s FROM (SELECT * FROM ({rows}) AS u ORDER BY d, track_id"
            f" LIMIT {fetched:d}) AS near ORDER BY s, track_id LIMIT {count:d}) AS t"
            " JOIN embedding AS m ON m.id = t.embedding_id ORDER BY t.s, t.track_id"
        )

    def _of(self, scopes: list[str]) -> str:
        listed = ", ".join(map(quoted, scopes)) or "NULL"
        return f"model_id = {quoted(self.model_id)} AND scope IN ({listed})"

    def _look(self, count: int, where: str, *, exact: bool) -> str:
        distance = self._distance(1)
        # An expression that is not the index's is compared row by row.
        order = f"({distance}) + 0" if exact else distance
        return (
            f"(SELECT track_id, embedding_id, e, {distance} AS d FROM served"
            f" WHERE {where}{self._conditions()} ORDER BY {order} LIMIT {count:d})"
        )

    def _distance(self, parameter: int) -> str:
        half = f"{self.schema}.halfvec({self.dimension:d})"
        point = f"CAST(CAST(?{parameter} AS real[]) AS {half})"
        return f"CAST(e AS {half}) OPERATOR({self.schema}.<#>) {point}"

    def _conditions(self) -> str:
        found, number = "", 2
        if self.among.genre is not None:
            found += f" AND label = {quoted(self.among.genre)}"
        if self.among.music.tempo is not None:
            low, high = self.among.music.tempo
            found += f" AND bpm BETWEEN CAST({low!r} AS real) AND CAST({high!r} AS real)"
        if self.among.music.keys is not None:
            keys = ", ".join(f"{key:d}" for key in sorted(self.among.music.keys)) or "NULL"
            found += f" AND key IN ({keys})"
        if self.among.without:
            found += f" AND track_id <> ALL(CAST(?{number} AS bigint[]))"
            number += 1
        if self.among.without_artists:
            found += f" AND artist_key <> ALL(CAST(?{number} AS text[]))"
            number += 1
        for _ in self.among.music.tags:
            found += f" AND {self._distance(number)} <= CAST(?{number + 1} AS float8)"
            number += 2
        if self.near_goal:
            found += f" AND {self._distance(number)} < CAST(?{number + 1} AS float8)"
        return found
