"""Use case of /foryou: recommendations from a listener's votes, without Discord."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bot.recommender import Recommender
from db import taste
from db.connection import Database
from genrec.names import artist_key, song_key
from genrec.questions import Question, Rules, Seed
from genrec.taste_clusters import TasteCluster, seats, taste_clusters
from genrec.types import Neighbour, Recommendation, Track

Float = NDArray[np.float32]

LEAST_LIKES = 3.0  # sum of the weights of the liked tracks
MOST_LESS = 12  # disliked tracks of one question
_LESS_FROM = -0.5  # weight from which a disliked track counts


@dataclass(frozen=True, slots=True)
class TasteAnswer:
    """Tracks for a listener.

    ``recommendation`` is None if there are too few likes. ``likes`` is the sum of their weights.
    ``groups`` counts the clusters of likes. ``because`` has, for each track by its id, the liked
    track that its cluster is about.
    """

    recommendation: Recommendation | None
    likes: float
    groups: int = 0
    because: Mapping[int, Track] | None = None


class ForYou:
    """Recommends tracks from the votes of a user who has opted in."""

    def __init__(self, *, recommender: Recommender, db: Database) -> None:
        self._recommender = recommender
        self._db = db

    async def opted_in(self, user_id: int) -> bool:
        """Return whether a user wants recommendations from the own votes."""
        return await taste.opted_in(self._db, user_id)

    async def opt_in(self, user_id: int) -> None:
        """Store that a user wants recommendations from the own votes."""
        await taste.opt_in(self._db, user_id)

    async def opt_out(self, user_id: int) -> None:
        """Withdraw it; the votes stay."""
        await taste.opt_out(self._db, user_id)

    async def answer(self, user_id: int, rules: Rules) -> TasteAnswer:
        """Return tracks for a user that were not shown lately; `record_shown` stores them."""
        votes = await taste.voted_tracks(self._db, user_id)
        shown = await taste.shown_lately(self._db, user_id)
        return await answer_votes(
            self._recommender, votes, replace(rules, shown=rules.shown | shown)
        )

    async def record_shown(self, user_id: int, tracks: Sequence[Track]) -> None:
        """Store that tracks are shown to a user, who does not get them again soon."""
        await taste.record_shown(self._db, user_id, [track.id for track in tracks])


async def answer_votes(
    recommender: Recommender, votes: Mapping[int, float], rules: Rules
) -> TasteAnswer:
    """Return tracks for the weights of voted tracks, by track id.

    Each cluster of likes is a question of its own, with the disliked tracks as *less of this*. The
    answer takes tracks of all clusters, in proportion to their weights, and none that was voted
    for. Votes for tracks that are no longer in the catalogue count for nothing, and likes of what
    the rules leave out neither.
    """
    found = await recommender.index.vectors(list(votes))
    ids, embeddings = found.ids.tolist(), found.vectors
    weights = np.array([votes[i] for i in ids], dtype=np.float32)
    liked, disliked = weights > 0, weights <= _LESS_FROM
    # Nobody likes what is not to come again, whatever the ratings were before.
    liked &= ~np.isin(found.ids, list(rules.without_tracks))
    if rules.without_artists:
        unwanted = [artist in rules.without_artists for artist in found.artists]
        liked &= ~np.array(unwanted, dtype=np.bool_)
    likes = float(weights[liked].sum())
    if likes < LEAST_LIKES - 1e-4:
        return TasteAnswer(None, likes)
    clusters = await asyncio.to_thread(taste_clusters, embeddings[liked], weights[liked])
    named = await recommender.catalogue.tracks(recommender.preset.model_id, ids)
    liked_tracks = [named.get(i) for i in found.ids[liked].tolist()]
    rules = replace(rules, shown=rules.shown | frozenset(ids))
    answers: list[tuple[Track | None, Recommendation]] = []
    for cluster in clusters:
        medoid = liked_tracks[int(cluster.members[0])]
        seed = await _seed(recommender, cluster, medoid)
        less = _less(cluster, embeddings[disliked])
        rec = await recommender.answer(Question((seed, *less), rules))
        if less and len(rec.tracks) < rules.count:
            # Dislikes are to put tracks last, and not to leave the answer empty.
            more = await recommender.answer(Question((seed,), rules))
            there = {each.track.id for each in rec.tracks}
            others = tuple(each for each in more.tracks if each.track.id not in there)
            rec = replace(more, tracks=rec.tracks + others)
        answers.append((medoid, rec))
    chosen = interleave(
        [rec.tracks for _, rec in answers], [cluster.weight for cluster in clusters], rules.count
    )
    because = {
        each.track.id: medoid
        for cluster_number, each in chosen
        if (medoid := answers[cluster_number][0]) is not None
    }
    rec = replace(answers[0][1], tracks=tuple(each for _, each in chosen), known=None)
    if len(clusters) > 1:
        rec = replace(rec, genre=None, description=None)
    return TasteAnswer(rec, likes, len(clusters), because)


def interleave(
    answers: Sequence[Sequence[Neighbour]], weights: Sequence[float], count: int
) -> list[tuple[int, Neighbour]]:
    """Return up to ``count`` tracks of several answers, each with the number of its answer.

    They are in proportion to the answers' weights.

    Each track, artist and song occurs once. An answer with too few tracks leaves its places to
    others.
    """
    left = [list(answer) for answer in answers]
    chosen: list[tuple[int, Neighbour]] = []
    taken: set[object] = set()
    turns = _turns(weights, count)
    while len(chosen) < count and any(left):
        turn = turns.pop(0) if turns else max(range(len(left)), key=lambda i: len(left[i]))
        while left[turn]:
            each = left[turn].pop(0)
            keys = _keys(each.track)
            if not keys & taken:
                chosen.append((turn, each))
                taken |= keys
                break
    return chosen


def _turns(weights: Sequence[float], count: int) -> list[int]:
    """Return whose turn each place is, so that every beginning of the list is in proportion."""
    turns: list[int] = []
    for place in range(1, count + 1):
        given = seats(weights, place)
        turns.append(next(i for i, seat in enumerate(given) if seat > turns.count(i)))
    return turns


def _keys(track: Track) -> set[object]:
    artist, song = artist_key(track.artist), song_key(track.title)
    keys: set[object] = {track.id}
    return keys | ({artist, (artist, song)} if artist else set())


async def _seed(recommender: Recommender, cluster: TasteCluster, medoid: Track | None) -> Seed:
    """Return the cluster's centre as a seed, described by its medoid."""
    if medoid is None:
        return Seed(cluster.centre)
    return Seed(
        cluster.centre,
        title=medoid.title,
        artist=medoid.artist,
        description=await recommender.description(medoid.id),
        genre=medoid.genre,
    )


def _less(cluster: TasteCluster, disliked: Float) -> list[Seed]:
    """Return the disliked tracks that are nearest to a cluster, as seeds to be less like."""
    nearest = np.argsort(-(disliked @ cluster.centre), kind="stable")[:MOST_LESS]
    return [Seed(disliked[row], liked=False) for row in nearest]
