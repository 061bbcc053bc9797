"""Shelves: albums, artists and genres from groups of tracks, arranged again when tracks change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.recommender import Recommender
from bot.subsonic import shelves as shelves_module
from bot.subsonic.entries import letters, moment
from bot.subsonic.shelves import ShelfKeeper, Shelves
from db.album_groups import AlbumGroup, album_groups, track_lengths
from db.connection import Database, open_db
from db.tracks import LIBRARY, Catalogue
from tests.bot.subsonic.conftest import library_tracks
from tests.bot.test_recommender import PRESET, FakePool, near

GROUP = AlbumGroup(LIBRARY, "anna", "Anna", "First", "", "", "Rock", 1999, 60.0, 5, (1, 2))


@pytest.fixture
async def db() -> AsyncIterator[Database]:
    async with open_db(":memory:") as opened:
        yield opened


@pytest.fixture
def keeper(db: Database) -> ShelfKeeper:
    recommender = Recommender(pool=FakePool(), database=db, preset=PRESET)
    return ShelfKeeper(db=db, recommender=recommender, scopes=(LIBRARY,))


def test_groups_of_one_album_are_joined() -> None:
    other = replace(GROUP, genre="Pop", year=2001, changed_ns=9, tracks=(3,))
    shelves = Shelves([GROUP, other])
    (album,) = shelves.albums
    assert (list(album.tracks), album.duration_s, album.year, album.changed_ns) == (
        [1, 2, 3], 120.0, 2001, 9,
    )  # fmt: skip
    assert album.genres == ["Rock", "Pop"]
    assert [artist.albums for artist in shelves.artists] == [[album]]


def test_album_in_another_scope_is_another_album() -> None:
    shelves = Shelves([GROUP, replace(GROUP, scope="starter", tracks=(3,))])
    assert len(shelves.albums) == 2
    assert len(shelves.artists) == 1
    assert len(shelves.find_albums(["first"], ("starter",))) == 1


def test_ids_stay_the_same_when_tracks_are_indexed_again() -> None:
    first, again = Shelves([GROUP]), Shelves([replace(GROUP, tracks=(8, 9), year=0)])
    assert first.albums[0].id == again.albums[0].id
    assert first.artists[0].id == again.artists[0].id


def test_genre_has_the_spelling_of_most_tracks_and_any_finds_it() -> None:
    shelves = Shelves([GROUP, replace(GROUP, album="Second", genre="rock", tracks=(3, 4, 5))])
    found = shelves.genre("R o c k")
    assert found is not None
    assert (found.name, found.ids((LIBRARY,)), len(found.albums)) == ("rock", [1, 2, 3, 4, 5], 2)
    assert found.ids(("starter",)) == []


def test_release_with_two_artists_is_by_various_artists() -> None:
    mine = replace(GROUP, release_id="r")
    shelves = Shelves([mine, replace(mine, artist_key="ben", artist="Ben", tracks=(3,))])
    assert [album.artist for album in shelves.albums] == ["Various Artists"]
    assert [artist.name for artist in shelves.artists] == ["Anna", "Ben"]


def test_letters_put_digits_and_signs_together() -> None:
    names = ["3 Kings", "!!!", "Éric", "the Who", "音"]
    groups = [replace(GROUP, artist_key=name, artist=name) for name in names]
    found = {
        letter: [one.name for one in group]
        for letter, group in letters(Shelves(groups).artists).items()
    }
    assert found == {"#": ["!!!", "3 Kings"], "E": ["Éric"], "W": ["the Who"], "音": ["音"]}


@pytest.mark.parametrize("nanoseconds", [-1, 0, 2**63 - 1, 10**30])
def test_moment_of_any_file_is_a_time(nanoseconds: int) -> None:
    assert moment(nanoseconds).endswith("Z")
    assert "1970" <= moment(nanoseconds)[:4] <= "9999"


# In the database


async def test_groups_hold_active_tracks_of_the_scopes(db: Database) -> None:
    catalogue = Catalogue(db)
    ids = await catalogue.add(LIBRARY, PRESET.model_id, library_rows())
    await catalogue.add("guild:7", PRESET.model_id, [near(50)])
    await catalogue.add(LIBRARY, "another-model", [near(51)])
    groups = await album_groups(db, PRESET.model_id, (LIBRARY,))
    assert sorted(i for group in groups for i in group.tracks) == ids
    first = next(group for group in groups if group.tracks == (ids[0], ids[1], ids[8], ids[9]))
    assert (first.artist, first.album, first.year) == ("Anna", "First", 1999)
    assert first.duration_s == pytest.approx(200.4 + 201.4 + 208.4 + 209.4)
    await catalogue.remove(LIBRARY, ids[:9])
    assert len(await album_groups(db, PRESET.model_id, (LIBRARY,))) == 1
    assert await track_lengths(db, PRESET.model_id, ids) == {ids[9]: pytest.approx(209.4)}


def library_rows() -> list:
    return [
        replace(track, embedding=near(number).embedding)
        for number, track in enumerate(library_tracks())
    ]


async def test_shelves_are_arranged_again_after_a_change(db: Database, keeper: ShelfKeeper) -> None:
    catalogue = Catalogue(db)
    assert (await keeper.shelves()).albums == []
    await catalogue.add(LIBRARY, PRESET.model_id, library_rows())
    await asyncio.sleep(0.2)  # longer than arranging an empty library is waited for
    first = await keeper.shelves()
    assert len(first.albums) == 6
    assert await keeper.shelves() is first


async def test_slow_shelves_are_served_old_for_a_while(
    db: Database, keeper: ShelfKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves_module, "_PATIENCE", 1e9)
    first = await keeper.shelves()
    await Catalogue(db).add(LIBRARY, PRESET.model_id, library_rows())
    assert await keeper.shelves() is first
