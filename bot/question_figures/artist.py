"""Figure: how many default answers name an artist of their seed."""

from __future__ import annotations

from pathlib import Path

from bot.question_figures.starter_world import QuestionFigure, StarterWorld
from genrec.names import credited_artists
from genrec.questions import Question, Rules, Seed
from genrec.types import Analysis, Clip, GenreScore, Recommendation, Track

QUESTIONS = 100  # of each kind


async def figures(world: StarterWorld) -> list[QuestionFigure]:
    """Return the share of answers with a track of the seed's artist, by kind of seed.

    A clip has the embedding and fingerprint of a starter track. Its artist is named by a tag, or
    only by the recording that it is recognised as.
    """
    rows = world.sample(QUESTIONS)
    found = []
    for name, tag in (("clip with a tag", True), ("clip that is recognised", False)):
        seeds = [await _clip(world, row, tag=tag) for row in rows]
        found += await _of_seeds(world, rows, seeds, name)
    seeds = [await world.recommender.track_seed(world.tracks[row]) for row in rows]
    return found + await _of_seeds(world, rows, seeds, "track")


async def _of_seeds(
    world: StarterWorld, rows: list[int], seeds: list[Seed], kind: str
) -> list[QuestionFigure]:
    found = []
    for new_artists in (True, False):
        rules = Rules(new_artists=new_artists)
        naming = tracks = 0
        for row, seed in zip(rows, seeds, strict=True):
            rec = await world.recommender.answer(Question((seed,), rules))
            naming += names_artist(rec, world.tracks[row])
            tracks += len(rec.tracks)
        result = f"{naming} of {len(rows)} answers, {tracks / len(rows):.2f} tracks each"
        if new_artists:
            name = f"answers that name the seed's artist, {kind}"
            found.append(QuestionFigure(name, result, "0", naming == 0))
        else:
            found.append(QuestionFigure(f"the same with any artist, {kind}", result))
    return found


def names_artist(rec: Recommendation, seed: Track) -> bool:
    """Return whether a recommended track credits an artist of the seed."""
    own = credited_artists(seed.artist, seed.title)
    others = (credited_artists(each.track.artist, each.track.title) for each in rec.tracks)
    return any(own & names for names in others)


async def _clip(world: StarterWorld, row: int, *, tag: bool) -> Seed:
    """Return the seed of a clip that is a starter track's recording."""
    track, recommender = world.tracks[row], world.recommender
    seed = await recommender.track_seed(track)
    analysis = Analysis(
        model_id=recommender.preset.model_id,
        embedding=seed.embedding,
        scores=(GenreScore(track.genre, 1.0),),
        fingerprint=(await recommender.catalogue.fingerprints(
            recommender.preset.model_id, [track.id]
        ))[track.id],
        duration_s=30.0,
        analyzed_s=30.0,
        description=seed.description,
    )  # fmt: skip
    names = {"title": track.title, "artist": track.artist} if tag else {}
    return recommender.clip_seed(analysis, Clip(Path("clip.wav"), "", **names))
