"""Figure: whether tracks for a listener please more after ten votes than without votes.

The listeners are simulated. Each likes two or three genres of the starter catalogue. Noise decides
once for each track: a track of these genres is liked with the probability `LIKED`, another one with
`LIKED_ELSEWHERE`. The genres are the labels of the tracks, which the method does not get.

A listener asks twice with a song of the own taste and votes for the five tracks of each answer.
These tracks are of one half of the artists, and those that are then recommended of the other half.
Without votes a listener gets the tracks that most listeners like, or tracks by chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.question_figures.starter_world import QuestionFigure, StarterWorld
from bot.taste_answers import answer_votes
from genrec.names import artist_key
from genrec.questions import Question, Rules, Seed

LISTENERS, COUNT, ASKED = 400, 5, 2
LIKED, LIKED_ELSEWHERE = 0.9, 0.1
REACH = 0.15

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Listener:
    """A simulated listener: the tracks of the taste's genres, and those that are liked."""

    taste: Bools
    likes: Bools


async def figures(world: StarterWorld) -> list[QuestionFigure]:
    """Return the precision at 5 with ten votes and without, and the difference."""
    rng = world.rng
    voted_half = _half_of_artists(world, rng)
    listeners = [_listener(world, rng) for _ in range(LISTENERS)]
    held_out = np.flatnonzero(~voted_half)
    popular = _popular(listeners, held_out)
    found: dict[str, list[float]] = {"votes": [], "popular": [], "chance": [], "one": []}
    refused, groups = 0, 0
    covered: dict[str, list[float]] = {"votes": [], "mean": []}
    for listener in listeners:
        songs = rng.choice(np.flatnonzero(listener.taste & voted_half), size=ASKED, replace=False)
        votes: dict[int, float] = {}
        for row in songs.tolist():
            votes |= await _votes(world, listener, int(row), voted_half)
        # Not `without_tracks`: a like of what is not to come again counts for nothing.
        rules = Rules(count=COUNT, shown=_ids(world, voted_half))
        answer = await answer_votes(world.recommender, votes, rules)
        chance = rng.choice(held_out, size=COUNT, replace=False)
        if answer.recommendation is None:
            refused += 1
            found["votes"].append(_precision(listener, popular))
        else:
            groups += answer.groups
            rows = [world.row[each.track.id] for each in answer.recommendation.tracks]
            found["votes"].append(_precision(listener, rows))
            covered["votes"].append(_coverage(world, listener, songs, rows))
            mean = await _near_mean(world, votes, rules)
            covered["mean"].append(_coverage(world, listener, songs, mean))
        one = await _near(world, int(songs[0]), rules)
        found["one"].append(_precision(listener, one))
        found["popular"].append(_precision(listener, popular))
        found["chance"].append(_precision(listener, chance.tolist()))
    none = max(("popular", "chance"), key=lambda name: float(np.mean(found[name])))
    gains = np.array(found["votes"]) - np.array(found[none])
    gain, error = float(gains.mean()), _error(gains)
    told = f"{LISTENERS} listeners, {len(held_out)} tracks by other artists"
    return [
        QuestionFigure(
            f"precision at {COUNT} of /foryou after ten votes against none, {told}",
            f"{gain:+.3f}, 95 % between {gain - error:+.3f} and {gain + error:+.3f}",
            f"{REACH:+.2f}",
            gain - error >= REACH,
        ),
        QuestionFigure("precision after ten votes", _mean(found["votes"])),
        QuestionFigure("precision without votes: what most like", _mean(found["popular"])),
        QuestionFigure("precision without votes: by chance", _mean(found["chance"])),
        QuestionFigure("precision of one answer to one song", _mean(found["one"])),
        QuestionFigure(
            "genres of the songs asked with that the tracks have: /foryou; one mean of all likes",
            f"{_mean(covered['votes'])}; {_mean(covered['mean'])}",
        ),
        QuestionFigure(
            "clusters of likes, mean; listeners with too few likes",
            f"{groups / max(LISTENERS - refused, 1):.2f}; {refused}",
        ),
    ]


def _half_of_artists(world: StarterWorld, rng: np.random.Generator) -> Bools:
    """Return bool (n,), True for the tracks of a random half of the artists."""
    keys = [artist_key(track.artist) or str(track.id) for track in world.tracks]
    artists = sorted(set(keys))
    half = {artists[i] for i in rng.permutation(len(artists))[: len(artists) // 2]}
    return np.array([key in half for key in keys])


def _listener(world: StarterWorld, rng: np.random.Generator) -> _Listener:
    genres = np.array([track.genre for track in world.tracks])
    known = np.unique(genres)
    size = min(int(rng.integers(2, 4)), len(known))
    taste = np.isin(genres, rng.choice(known, size=size, replace=False))
    likes = rng.random(len(genres)) < np.where(taste, LIKED, LIKED_ELSEWHERE)
    return _Listener(taste, likes)


def _popular(listeners: Iterable[_Listener], rows: NDArray[np.intp]) -> list[int]:
    """Return the rows that most listeners like."""
    counts = np.sum([listener.likes[rows] for listener in listeners], axis=0)
    return [int(row) for row in rows[np.argsort(-counts, kind="stable")[:COUNT]]]


async def _votes(
    world: StarterWorld, listener: _Listener, row: int, allowed: Bools
) -> dict[int, float]:
    """Return a listener's votes for the tracks of an answer to a song."""
    rules = Rules(count=COUNT, without_tracks=_ids(world, ~allowed))
    rows = await _near(world, row, rules)
    return {world.tracks[i].id: 1.0 if listener.likes[i] else -1.0 for i in rows}


async def _near(world: StarterWorld, row: int, rules: Rules) -> list[int]:
    seed = await world.recommender.track_seed(world.tracks[row])
    rec = await world.recommender.answer(Question((seed,), rules))
    return [world.row[each.track.id] for each in rec.tracks]


def _ids(world: StarterWorld, chosen: Bools) -> frozenset[int]:
    return frozenset(world.tracks[row].id for row in np.flatnonzero(chosen).tolist())


def _precision(listener: _Listener, rows: Iterable[int]) -> float:
    """Return the share of liked tracks among `COUNT`; a missing track is not liked."""
    return sum(bool(listener.likes[row]) for row in rows) / COUNT


def _coverage(
    world: StarterWorld, listener: _Listener, songs: NDArray[np.intp], rows: Iterable[int]
) -> float:
    """Return the share of the songs' genres that liked tracks among the rows have."""
    wanted = {world.tracks[int(row)].genre for row in songs}
    return len(wanted & {world.tracks[row].genre for row in rows if listener.likes[row]}) / len(
        wanted
    )


async def _near_mean(world: StarterWorld, votes: dict[int, float], rules: Rules) -> list[int]:
    """Return the tracks nearest to the mean of all likes, by the same rules."""
    rows = [world.row[track_id] for track_id, weight in votes.items() if weight > 0]
    mean = world.matrix[rows].mean(axis=0)
    seed = Seed((mean / np.linalg.norm(mean)).astype(np.float32))
    rec = await world.recommender.answer(Question((seed,), rules))
    return [world.row[each.track.id] for each in rec.tracks]


def _error(values: NDArray[np.float64]) -> float:
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {_error(np.array(values)):.3f}"
