"""Ways between tracks and clips: rules of the songs, ends, shorter ways and other ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bot.path_finder import PathFinder, Way
from bot.recommender import Recommender
from db.connection import Database, open_db
from db.generations import NewTrack
from genrec.errors import NoMusic, SameSong
from genrec.paths import LONGER, find_way, largest_step
from genrec.questions import Rules, Seed
from genrec.types import Clip, Track
from tests.bot.test_recommender import PRESET, FakePool, analysis, toward, track

LAST = 40  # number of the track at the goal
CLIP = Clip(Path("/tmp/clip.wav"), "ab" * 32, title="My clip", artist="My band")


def between(number: int, **changes: str) -> NewTrack:
    """Make a track on the arc from axis 0 to axis 1, a little beside it."""
    angle = np.pi / 2 * number / LAST
    beside = 0.1 * np.random.default_rng(number).normal()
    return track(number, toward(np.cos(angle), np.sin(angle), beside), **changes)


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


@pytest.fixture
def recommender(db: Database) -> Recommender:
    """Make a recommender over an empty catalogue."""
    return Recommender(pool=FakePool(), database=db, preset=PRESET)


async def filled(recommender: Recommender, tracks: list[NewTrack]) -> dict[str, Track]:
    """Add tracks to the library and return them by title."""
    await recommender.catalogue.add("library", PRESET.model_id, tracks)
    rows = await recommender.index.rows()
    found = await recommender.tracks(rows.ids.tolist())
    return {each.title: each for each in found}


async def seeds(recommender: Recommender, *tracks: Track) -> list[Seed]:
    return [await recommender.track_seed(each) for each in tracks]


async def between_ends(recommender: Recommender, tracks: list[NewTrack], **options: int) -> Way:
    """Return the way between the first and the last of the tracks."""
    named = await filled(recommender, tracks)
    ends = await seeds(recommender, named[tracks[0].title], named[tracks[-1].title])
    return await PathFinder(recommender).find(ends[0], ends[1], Rules(), **options)


def artists(way: Way) -> list[str]:
    return [song.artist for song in way.songs]


async def test_way_leads_from_track_to_track_in_even_steps(recommender: Recommender) -> None:
    way = await between_ends(recommender, [between(n) for n in range(LAST + 1)], songs=6)
    assert [song.title for song in (way.songs[0], way.songs[-1])] == ["Song 0", f"Song {LAST}"]
    assert (len(way.songs), way.is_short, way.wanted) == (6, False, 6)
    assert way.songs[0].similarity is None
    numbers = [int(song.title.split()[1]) for song in way.songs]
    assert numbers == sorted(numbers)
    steps = [song.similarity for song in way.songs[1:]]
    assert all(step is not None and step > 0.85 for step in steps)
    assert way.places.shape == (6, 2)
    assert way.places[0, 0] < way.places[-1, 0]
    assert way.around.shape == (len(way.around_genres), 2) == (LAST + 1 - 6, 2)


async def test_ways_are_searched_one_at_a_time(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = await filled(recommender, [between(n) for n in range(LAST + 1)])
    start, goal = await seeds(recommender, named["Song 0"], named[f"Song {LAST}"])
    finder = PathFinder(recommender)
    running, most = 0, 0

    def slow(*args: Any, **options: Any) -> list[int]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        running -= 1
        return find_way(*args, **options)

    monkeypatch.setattr("bot.path_finder.find_way", slow)
    ways = await asyncio.gather(*(finder.find(start, goal, Rules()) for _ in range(4)))
    assert len({tuple(song.title for song in way.songs) for way in ways}) == 1
    assert most == 1


async def test_no_artist_twice_and_none_of_the_ends(recommender: Recommender) -> None:
    tracks = [between(n, artist=f"Band {n % 6}") for n in range(LAST + 1)]
    way = await between_ends(recommender, tracks, songs=6)
    assert len(set(artists(way)[1:-1])) == len(way.songs) - 2
    assert not {"Band 0", f"Band {LAST % 6}"} & set(artists(way)[1:-1])


async def test_guest_counts_as_an_artist(recommender: Recommender) -> None:
    guests = {10: "Nina & Bob", 20: "Nina", 30: "Ida feat. Nina"}
    tracks = [between(n, artist=guests.get(n, f"Band {n}")) for n in range(0, LAST + 1, 10)]
    way = await between_ends(recommender, tracks, songs=5)
    assert sum("Nina" in artist for artist in artists(way)) == 1
    assert way.is_short


async def test_ends_of_one_artist_have_a_way_of_others(recommender: Recommender) -> None:
    tracks = [between(n) for n in range(LAST + 1)]
    tracks[0], tracks[-1] = between(0, artist="Same"), between(LAST, artist="Same")
    way = await between_ends(recommender, tracks, songs=5)
    assert artists(way).count("Same") == 2
    assert len(way.songs) == 5


async def test_recording_is_not_repeated(recommender: Recommender) -> None:
    tracks = [between(n) for n in range(0, LAST + 1, 10)]
    copies = [replace(each, artist=f"Copy {i}") for i, each in enumerate(tracks)]
    copies = [replace(each, source=f"/copies/{each.title}") for each in copies]
    named = [*tracks[:-1], *copies, tracks[-1]]
    await recommender.catalogue.add("library", PRESET.model_id, named)
    rows = await recommender.index.rows()
    found = await recommender.tracks(rows.ids.tolist())
    start = next(each for each in found if each.artist == "Artist 0")
    goal = next(each for each in found if each.artist == f"Artist {LAST}")
    ends = await seeds(recommender, start, goal)
    way = await PathFinder(recommender).find(ends[0], ends[1], Rules(), songs=8)
    titles = [song.title for song in way.songs]
    assert len(set(titles)) == len(titles) == 5


async def test_same_song_at_both_ends_is_refused(recommender: Recommender) -> None:
    live = track(7, toward(1), title="Song 0 (Live)", artist="Artist 0")
    named = await filled(recommender, [between(0), between(5), live])
    start, other, goal = await seeds(
        recommender, named["Song 0"], named["Song 5"], named["Song 0 (Live)"]
    )
    finder = PathFinder(recommender)
    copy = replace(other, track=None, title="", artist="")
    for ends in ((start, start), (start, goal), (other, copy)):
        with pytest.raises(SameSong, match="Choose two songs"):
            await finder.find(*ends, Rules(), songs=5)


async def test_clips_are_ends_too(recommender: Recommender) -> None:
    await filled(recommender, [between(n) for n in range(LAST + 1)])
    start = recommender.clip_seed(analysis(toward(0)), CLIP)
    own = replace(analysis(toward(1)), fingerprint=track(LAST, toward(1)).fingerprint)
    goal = recommender.clip_seed(own, replace(CLIP, title="Other", artist=f"Artist {LAST - 1}"))
    way = await PathFinder(recommender).find(start, goal, Rules(), songs=5)
    assert [song.track is None for song in way.songs] == [True, False, False, False, True]
    assert way.songs[0].title == "My clip"
    assert len(way.tracks) == 3
    # The goal's own recording and artist are not in between.
    assert {f"Song {LAST}", f"Song {LAST - 1}"}.isdisjoint(song.title for song in way.songs)


async def test_clip_without_music_is_refused(recommender: Recommender) -> None:
    named = await filled(recommender, [between(0), between(LAST)])
    silent = recommender.clip_seed(replace(analysis(toward(0)), music=0.0), CLIP)
    (goal,) = await seeds(recommender, named["Song 0"])
    with pytest.raises(NoMusic):
        await PathFinder(recommender).find(silent, goal, Rules())


async def test_small_library_gives_a_shorter_way(recommender: Recommender) -> None:
    way = await between_ends(recommender, [between(n) for n in (0, 20, LAST)], songs=8)
    assert (len(way.songs), way.wanted, way.is_short) == (3, 8, True)


async def test_ends_alone_are_a_way(recommender: Recommender) -> None:
    alone = await between_ends(recommender, [between(n) for n in (0, LAST)], songs=8)
    assert (len(alone.songs), alone.is_short) == (2, True)
    assert np.isfinite(alone.places).all()


async def test_fallback_scopes_are_added_to_a_short_way(recommender: Recommender) -> None:
    await recommender.catalogue.add(
        "starter", PRESET.model_id, [between(n) for n in range(1, LAST)]
    )
    named = await filled(recommender, [between(0), between(LAST)])
    ends = await seeds(recommender, named["Song 0"], named[f"Song {LAST}"])
    finder = PathFinder(recommender)
    own = await finder.find(*ends, Rules(scopes=("library",)), songs=6)
    both = await finder.find(*ends, Rules(scopes=("library",), fallback=("starter",)), songs=6)
    assert (len(own.songs), len(both.songs)) == (2, 6)


async def test_rules_leave_tracks_and_artists_out(recommender: Recommender) -> None:
    tracks = [between(n, label="rock" if n % 2 else "jazz") for n in range(LAST + 1)]
    named = await filled(recommender, tracks)
    ends = await seeds(recommender, named["Song 0"], named[f"Song {LAST}"])
    finder = PathFinder(recommender)
    free = await finder.find(*ends, Rules(), songs=6)
    first, second = free.tracks[1], free.tracks[2]
    rules = Rules(
        without_tracks=frozenset({first.id}),
        without_artists=frozenset({second.artist.casefold()}),
    )
    other = await finder.find(*ends, rules, songs=6)
    assert len(other.songs) == 6
    assert not {first.title, second.title} & {song.title for song in other.songs}
    jazz = await finder.find(*ends, Rules(genre="jazz"), songs=6)
    assert {song.genre for song in jazz.songs} == {"jazz"}


async def test_chance_seed_gives_another_way_again(recommender: Recommender) -> None:
    named = await filled(recommender, [between(n) for n in range(LAST + 1)])
    ends = await seeds(recommender, named["Song 0"], named[f"Song {LAST}"])
    finder = PathFinder(recommender)
    ways = [await finder.find(*ends, Rules(), songs=8, chance_seed=n) for n in (0, 1, 1)]
    titles = [[song.title for song in way.songs] for way in ways]
    assert titles[0] != titles[1] == titles[2]


@pytest.mark.parametrize("songs", [2, 21])
async def test_number_of_songs_out_of_range_is_an_error(
    recommender: Recommender, songs: int
) -> None:
    with pytest.raises(ValueError, match=f"songs={songs}: expected 3..20"):
        await between_ends(recommender, [between(0), between(LAST)], songs=songs)


@pytest.mark.parametrize("number", range(6))
async def test_long_way_has_no_larger_step_than_a_short_one(
    recommender: Recommender, number: int
) -> None:
    """Guests make songs repeat an artist, so that songs are dropped after the search."""
    rng = np.random.default_rng(number)
    tracks = []
    for place in range(60):
        vector = toward(0) + rng.normal(size=len(toward(0))).astype(np.float32)
        artist = f"Band {rng.integers(30)} feat. Guest {rng.integers(4)}"
        tracks.append(track(place, vector / np.linalg.norm(vector), artist=artist))
    tracks[0] = track(0, toward(0), artist="Start")
    tracks[-1] = track(59, toward(1), artist="Goal")
    named = await filled(recommender, tracks)
    ends = await seeds(recommender, named["Song 0"], named["Song 59"])
    vectors = {each.title: each.embedding for each in tracks}
    finder, steps = PathFinder(recommender), []
    for songs in (8, 20):
        way = await finder.find(ends[0], ends[1], Rules(), songs=songs)
        rows = np.array([vectors[song.title] for song in way.songs])
        steps.append(largest_step(rows, list(range(len(rows)))))
    assert steps[1] <= LONGER * steps[0] + 1e-5
