"""Figure: whether the tracks of a mix are near both of its seeds, which have different genres."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from bot.question_figures.starter_world import Float, QuestionFigure, StarterWorld
from genrec.errors import DataError
from genrec.questions import Question, Rules, Seed
from genrec.types import Recommendation

PAIRS = 200
REACH = 0.95


async def figures(world: StarterWorld) -> list[QuestionFigure]:
    """Return the share of a mix's tracks that are nearer to both seeds than the median track.

    The median is that of the cosines of one seed with all starter tracks. Beside it stand the
    tracks nearest to the mean of both embeddings, by the same rules, and those nearest to the first
    seed alone.
    """
    pairs = _pairs(world)
    shares: dict[str, list[bool]] = {"mix": [], "mean": [], "one": []}
    worst: dict[str, list[float]] = {"mix": [], "mean": [], "one": []}
    without = 0
    for one, other in pairs:
        seeds = [await world.recommender.track_seed(world.tracks[row]) for row in (one, other)]
        vectors = np.array([seed.embedding for seed in seeds])
        questions = {
            "mix": Question(tuple(seeds)),
            "mean": _of_mean(seeds),
            "one": Question((seeds[0],), _rules(seeds)),
        }
        for name, question in questions.items():
            rec = await world.recommender.answer(question)
            cosines = _cosines(world, rec, vectors)
            medians = np.median(world.matrix @ vectors.T, axis=0)
            shares[name] += (cosines > medians).all(axis=1).tolist()
            worst[name] += cosines.min(axis=1, initial=1.0).tolist()
            without += name == "mix" and not rec.tracks
    share = float(np.mean(shares["mix"]))
    count = f"{len(pairs)} pairs of two genres"
    return [
        QuestionFigure(
            f"tracks of a mix nearer to both seeds than the median track, {count}",
            f"{_share(shares['mix'])}, least cosine {np.mean(worst['mix']):.3f}",
            f"{REACH:.0%}",
            share >= REACH,
        ),
        QuestionFigure(
            "the same with the mean of both embeddings",
            f"{_share(shares['mean'])}, least cosine {np.mean(worst['mean']):.3f}",
        ),
        QuestionFigure(
            "the same with the first seed alone",
            f"{_share(shares['one'])}, least cosine {np.mean(worst['one']):.3f}",
        ),
        QuestionFigure(
            "tracks of a mix, of five",
            f"{len(shares['mix']) / len(pairs):.2f}, none in {without} of {len(pairs)}",
        ),
    ]


def _share(hits: list[bool]) -> str:
    return f"{np.mean(hits):.1%} of {len(hits)} tracks"


def _pairs(world: StarterWorld) -> list[tuple[int, int]]:
    """Return pairs of rows of two genres; raise DataError if all tracks have one."""
    rng = world.rng
    if len({track.genre for track in world.tracks}) < 2:
        raise DataError(
            "The starter catalogue has tracks of one genre, and this figure needs two: leave it out"
            " with --only."
        )
    pairs: list[tuple[int, int]] = []
    while len(pairs) < PAIRS:
        one, other = rng.choice(len(world.tracks), size=2, replace=False).tolist()
        if world.tracks[one].genre != world.tracks[other].genre:
            pairs.append((one, other))
    return pairs


def _of_mean(seeds: list[Seed]) -> Question:
    """Return the question by the mean of the embeddings, without the seeds and their artists."""
    mean = np.mean([seed.embedding for seed in seeds], axis=0)
    seed = Seed((mean / np.linalg.norm(mean)).astype(np.float32))
    return Question((seed,), _rules(seeds))


def _rules(seeds: Iterable[Seed]) -> Rules:
    seeds = tuple(seeds)
    return replace(
        Rules(),
        without_artists=frozenset[str]().union(*(seed.artists for seed in seeds)),
        without_tracks=frozenset(seed.track.id for seed in seeds if seed.track is not None),
    )


def _cosines(world: StarterWorld, rec: Recommendation, vectors: Float) -> Float:
    """Return the cosines of the tracks with the seeds, (tracks, seeds)."""
    rows = np.array([world.row[each.track.id] for each in rec.tracks], dtype=np.intp)
    return np.asarray(world.matrix[rows] @ vectors.T, dtype=np.float32)
