"""Figures of questions: each is computed on the shipped preset, and can be missed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.question_figures import artist, mix
from bot.question_figures.starter_world import NoAnalyzer, StarterWorld, open_starter_world
from genrec.errors import DataError, UnsupportedFormat
from genrec.preset import Preset
from genrec.seed_scores import SeedScores
from genrec.types import Neighbour, Recommendation, Track
from tests.repository import ROOT

PRESET = ROOT / "models" / "resnet50"


@pytest.fixture
async def world() -> AsyncIterator[StarterWorld]:
    async with open_starter_world(Preset.load(PRESET)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artist, "QUESTIONS", 8)
    monkeypatch.setattr(mix, "PAIRS", 12)


async def test_world_holds_the_starter_tracks(world: StarterWorld) -> None:
    starter = Preset.load(PRESET).starter()
    assert starter is not None
    assert [track.title for track in world.tracks] == starter.titles
    np.testing.assert_array_equal(world.matrix, starter.embeddings)
    assert world.sample(5) == world.sample(5)
    with pytest.raises(UnsupportedFormat):
        await NoAnalyzer().analyze(PRESET)


async def test_mix_figure_says_that_it_needs_two_genres(world: StarterWorld) -> None:
    one = [replace(track, genre="jazz") for track in world.tracks]
    with pytest.raises(DataError, match="needs two"):
        await mix.figures(replace(world, tracks=one))


async def test_no_default_answer_names_the_seeds_artist(world: StarterWorld) -> None:
    found = await artist.figures(world)
    assert [figure.reached for figure in found] == [True, None] * 3
    assert all(figure.result.startswith("0 of 8 answers, 5.00") for figure in found[::2])
    assert not any(figure.result.startswith("0 of 8") for figure in found[1::2])


async def test_the_artist_figure_misses_where_the_rule_is_off(
    world: StarterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("genrec.questions", "genrec.selection"):
        monkeypatch.setattr(f"{module}.credited_artists", lambda *_: frozenset())
    found = await artist.figures(world)
    assert found[0].reached is False


def test_a_guest_of_the_seed_counts_as_its_artist() -> None:
    def track(artist: str, title: str = "Song") -> Track:
        return Track(1, title, artist, "pop", "")

    rec = Recommendation("m@1", "pop", False, (), (Neighbour(track("Bee", "X (feat. Ay)"), 0.5),))
    assert artist.names_artist(rec, track("Ay"))
    assert artist.names_artist(rec, track("Cee & Bee"))
    assert not artist.names_artist(rec, track("Cee"))


async def test_mix_is_near_both_seeds_and_the_mean_is_not(world: StarterWorld) -> None:
    found = await mix.figures(world)
    assert [figure.reached for figure in found] == [True, None, None, None]
    shares = [float(figure.result.partition("%")[0]) for figure in found[:3]]
    assert shares[0] > shares[1] + 15 > shares[2]


async def test_the_mix_figure_misses_where_the_best_seed_counts(
    world: StarterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def best(self: SeedScores, matrix: np.ndarray) -> np.ndarray:
        return (matrix @ self.liked.T).max(axis=1)

    monkeypatch.setattr(SeedScores, "__call__", best)
    found = await mix.figures(world)
    assert found[0].reached is False


def test_command_prints_a_table_and_json() -> None:
    command = ["evaluate-questions", "--preset", str(PRESET), "--only", "artist"]
    printed = CliRunner().invoke(app, [*command, "--json"])
    rows = json.loads(printed.output)["figures"]
    assert {row["kind"] for row in rows} == {"artist"}
    table = CliRunner().invoke(app, command).output
    assert "| answers that name the seed's artist, track | 0 of 8 answers" in table


def test_an_unknown_figure_is_refused() -> None:
    command = ["evaluate-questions", "--preset", str(PRESET), "--only", "nothing"]
    failed = CliRunner().invoke(app, command)
    assert "there is no such figure, only artist, mix" in str(failed.exception)
