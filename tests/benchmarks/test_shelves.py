"""CPU time of a music player's lists over 100,000 tracks: arranging them, and pages of them."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bot.subsonic import entries
from bot.subsonic.shelves import Shelves
from db.album_groups import AlbumGroup
from db.tracks import LIBRARY

TRACKS, OF_ALBUM, ALBUMS_OF_ARTIST = 100_000, 10, 3
PAGE = 50
_GENRES = ("Rock", "Jazz", "Pop; Indie", "Folk")


def groups() -> list[AlbumGroup]:
    """Return the groups of so many tracks, in albums of equal size."""
    return [
        AlbumGroup(
            scope=LIBRARY,
            artist_key=f"artist {number // ALBUMS_OF_ARTIST}",
            artist=f"Artist {number // ALBUMS_OF_ARTIST}",
            album=f"Album {number * 7919 % 10_007}",
            release_id="",
            artist_id="",
            genre=_GENRES[number % len(_GENRES)],
            year=1950 + number % 70,
            duration_s=2000.0,
            changed_ns=number,
            tracks=tuple(range(number * OF_ALBUM + 1, (number + 1) * OF_ALBUM + 1)),
        )
        for number in range(TRACKS // OF_ALBUM)
    ]


@pytest.fixture(scope="module")
def shelves() -> Shelves:
    return Shelves(groups())


def test_shelves_of_a_large_library(benchmark: BenchmarkFixture) -> None:
    given = groups()
    made = benchmark(lambda: Shelves(given))
    assert sum(len(album.tracks) for album in made.albums) == TRACKS


@pytest.mark.parametrize("order", ["newest", "alphabeticalByArtist", "byYear"])
def test_shelves_page_of_albums(benchmark: BenchmarkFixture, shelves: Shelves, order: str) -> None:
    def page() -> list[entries.Entry]:
        albums = shelves.listed(order, (LIBRARY,), (1960, 1990), "")
        return [entries.album(album) for album in albums[:PAGE]]

    assert len(benchmark(page)) == PAGE


def test_shelves_search_of_artists_and_albums(
    benchmark: BenchmarkFixture, shelves: Shelves
) -> None:
    scopes = (LIBRARY,)
    found = benchmark(
        lambda: (shelves.find_artists(["77"], scopes), shelves.find_albums(["77"], scopes))
    )
    assert all("77" in artist.name for artist in found[0])
    assert found[1]
