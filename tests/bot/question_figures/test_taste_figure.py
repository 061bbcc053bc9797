"""Figure of /foryou: it is reached, and missed where the votes say nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import numpy as np
import pytest

from bot.question_figures import taste
from bot.question_figures.starter_world import StarterWorld, open_starter_world
from bot.recommender import Recommender
from bot.taste_answers import TasteAnswer, answer_votes
from genrec.preset import Preset
from genrec.questions import Rules
from tests.repository import ROOT


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StarterWorld]:
    monkeypatch.setattr(taste, "LISTENERS", 60)
    async with open_starter_world(Preset.load(ROOT / "models" / "resnet50")) as opened:
        yield opened


def number(result: str) -> float:
    return float(result.split(maxsplit=1)[0].rstrip(","))


async def test_votes_raise_the_precision(world: StarterWorld) -> None:
    found = await taste.figures(world)
    assert found[0].reached is True
    gain, after, popular, chance = (number(figure.result) for figure in found[:4])
    assert gain == pytest.approx(after - max(popular, chance), abs=2e-3)
    assert 0.2 < chance < 0.5 < after


async def test_figure_misses_where_the_votes_are_of_another_taste(
    world: StarterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)

    async def mistaken(
        recommender: Recommender, votes: Mapping[int, float], rules: Rules
    ) -> TasteAnswer:
        others = rng.choice([track.id for track in world.tracks], size=len(votes), replace=False)
        return await answer_votes(recommender, dict.fromkeys(others.tolist(), 1.0), rules)

    monkeypatch.setattr(taste, "answer_votes", mistaken)
    found = await taste.figures(world)
    assert found[0].reached is False


async def test_voted_and_recommended_tracks_have_no_artist_in_common(
    world: StarterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[str], set[str]]] = []
    artists = {track.id: track.artist for track in world.tracks}

    async def watched(
        recommender: Recommender, votes: Mapping[int, float], rules: Rules
    ) -> TasteAnswer:
        found = await answer_votes(recommender, votes, rules)
        tracks = found.recommendation.tracks if found.recommendation else ()
        seen.append(({artists[i] for i in votes}, {each.track.artist for each in tracks}))
        return found

    monkeypatch.setattr(taste, "answer_votes", watched)
    await taste.figures(world)
    assert len(seen) == 60
    assert all(voted.isdisjoint(recommended) for voted, recommended in seen)
    assert np.mean([len(voted) for voted, _ in seen]) > 8
