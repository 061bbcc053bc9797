"""The figure of ways: computed on the shipped preset, and it can be missed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.path_finder import PathFinder
from bot.question_figures import way_steps
from bot.question_figures.starter_world import StarterWorld, open_starter_world
from genrec.paths import find_way
from genrec.preset import Preset
from tests.repository import ROOT


@pytest.fixture
async def world() -> AsyncIterator[StarterWorld]:
    async with open_starter_world(Preset.load(ROOT / "models" / "resnet50")) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_steps, "PAIRS", 5)
    monkeypatch.setattr(way_steps, "RANDOM_WAYS", 50)


async def test_ways_reach_what_is_wanted(world: StarterWorld) -> None:
    found = await way_steps.figures(world)
    assert [figure.reached for figure in found[:4]] == [True] * 4
    assert found[2].result == "0"


async def test_figure_misses_with_ways_that_do_not_look_at_steps(
    world: StarterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(rows, groups, songs, **_: object) -> list[int]:
        best = find_way(rows, groups, songs)
        return [0, *range(1, len(best) - 1), len(rows) - 1]

    monkeypatch.setattr("bot.path_finder.find_way", careless)
    monkeypatch.setattr(PathFinder, "_repeated", lambda *_: set())
    found = await way_steps.figures(world)
    assert found[0].reached  # the ends are still right
    assert not found[1].reached
    assert not found[4].reached
