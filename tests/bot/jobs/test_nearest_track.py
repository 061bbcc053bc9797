"""The nearest track's analysis for a picture: from the cache or its file, never late or private."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.jobs.nearest_track import NearestTrack
from genrec.errors import Busy, FileMissing
from genrec.types import Neighbour, Section, Track

ANALYSIS: Any = object()


def near(source: str, scope: str = "library") -> list[Neighbour]:
    return [Neighbour(Track(7, "Song", "Band", "rock", source, scope), 0.9)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the fakes and the object under test; /music is an indexed folder."""
    monkeypatch.setattr("bot.jobs.nearest_track.registered", AsyncMock(return_value=["/music"]))
    pool = SimpleNamespace(analyze=AsyncMock(return_value=ANALYSIS), waiting=0)
    recommender = SimpleNamespace(
        preset=SimpleNamespace(model_id="m@1"),
        catalogue=SimpleNamespace(content=AsyncMock(return_value="ab" * 32)),
        cached=AsyncMock(return_value=None),
    )
    made: Any = {"pool": pool, "db": object(), "recommender": recommender}
    return SimpleNamespace(pool=pool, recommender=recommender, nearest=NearestTrack(**made))


async def test_indexed_file_is_analysed_once(world: SimpleNamespace) -> None:
    for _ in range(2):
        assert await world.nearest.analysis(near("/music/a.flac")) is ANALYSIS
    world.pool.analyze.assert_awaited_once_with(Path("/music/a.flac"), None)


async def test_section_of_an_album_is_analysed(world: SimpleNamespace) -> None:
    await world.nearest.analysis(near("/music/album.flac#t=60,90"))
    world.pool.analyze.assert_awaited_once_with(Path("/music/album.flac"), Section(60, 90))


@pytest.mark.parametrize(
    ("source", "scope"),
    [
        ("starter:rock.00001", "starter"),
        ("https://example.org/a.mp3", "library"),
        ("https://example.org/a.mp3", "guild:5"),
        ("/music/a.flac", "guild:5"),
        ("/elsewhere/a.flac", "library"),
        ("/music/../elsewhere/a.flac", "library"),
    ],
)
async def test_track_without_an_indexed_file_has_no_picture(
    world: SimpleNamespace, source: str, scope: str
) -> None:
    assert await world.nearest.analysis(near(source, scope)) is None
    world.pool.analyze.assert_not_awaited()


async def test_cached_analysis_needs_no_file(world: SimpleNamespace) -> None:
    world.recommender.cached.return_value = ANALYSIS
    assert await world.nearest.analysis(near("https://example.org/a", "guild:5")) is ANALYSIS
    world.recommender.cached.assert_awaited_once_with("ab" * 32)


@pytest.mark.parametrize("error", [FileMissing("gone"), TimeoutError(), OSError()])
@pytest.mark.parametrize(("kept_s", "tries"), [(600.0, 1), (0.0, 2)])
async def test_failure_is_kept_for_a_while(
    world: SimpleNamespace, error: Exception, kept_s: float, tries: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("bot.jobs.nearest_track.FAILURE_KEPT_S", kept_s)
    world.pool.analyze.side_effect = error
    for _ in range(2):
        assert await world.nearest.analysis(near("/music/a.flac")) is None
    assert world.pool.analyze.await_count == tries


async def test_full_queue_is_no_failure_of_the_track(world: SimpleNamespace) -> None:
    world.pool.analyze.side_effect = Busy("busy")
    assert await world.nearest.analysis(near("/music/a.flac")) is None
    world.pool.analyze.side_effect = None
    assert await world.nearest.analysis(near("/music/a.flac")) is ANALYSIS


async def test_waiting_clip_comes_first(world: SimpleNamespace) -> None:
    world.pool.waiting = 1
    assert await world.nearest.analysis(near("/music/a.flac")) is None
    world.pool.analyze.assert_not_awaited()
    world.pool.waiting = 0
    assert await world.nearest.analysis(near("/music/a.flac")) is ANALYSIS


async def test_slow_analysis_goes_on_and_others_do_not_wait(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.jobs.nearest_track.WAIT_S", 0.1)
    gate = asyncio.Event()

    async def slowly(*_: object) -> Any:
        await gate.wait()  # a cancelled analysis would cost its worker process
        return ANALYSIS

    world.pool.analyze.side_effect = slowly
    slow = asyncio.create_task(world.nearest.analysis(near("/music/a.flac")))
    await asyncio.sleep(0.01)
    assert await world.nearest.analysis(near("/music/b.flac")) is None
    assert await slow is None
    gate.set()
    await asyncio.sleep(0.01)
    assert await world.nearest.analysis(near("/music/a.flac")) is ANALYSIS
    world.pool.analyze.assert_awaited_once()


async def test_response_without_tracks_has_none(world: SimpleNamespace) -> None:
    assert await world.nearest.analysis([]) is None
