"""Artists, albums and genres of the library in memory, for lists that need no query."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from bot.recommender import Recommender
from bot.subsonic.parameters import album_id, artist_id
from db.album_groups import AlbumGroup, album_groups
from db.connection import Database
from db.tagging.genre_names import genre_key, genre_names
from genrec.names import fold

UNKNOWN_ALBUM = "[Unknown Album]"
UNKNOWN_ARTIST = "[Unknown Artist]"
VARIOUS = "Various Artists"
# Shelves are arranged again after so many times the time that this took.
_PATIENCE = 20


@dataclass(slots=True, eq=False)
class ShelvedAlbum:
    """An album: songs of one artist and album tag, or of one MusicBrainz release."""

    id: str
    scope: str
    name: str
    artist: str
    artist_id: str
    release_id: str
    year: int = 0
    duration_s: float = 0.0
    changed_ns: int = 0
    genres: list[str] = field(default_factory=list)
    tracks: array[int] = field(default_factory=lambda: array("q"))
    folded: str = ""
    order: tuple[str, str] = ("", "")  # by name, and by artist
    newest: int = 0


@dataclass(slots=True, eq=False)
class ShelvedArtist:
    """An artist and the albums with a song of theirs."""

    id: str
    key: str
    name: str
    mbid: str = ""
    albums: list[ShelvedAlbum] = field(default_factory=list)
    folded: str = ""


@dataclass(slots=True, eq=False)
class ShelvedGenre:
    """A genre of tags, with the ids of its tracks by scope."""

    spellings: Counter[str] = field(default_factory=Counter)
    tracks: dict[str, array[int]] = field(default_factory=dict)
    albums: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The spelling that most tracks have."""
        return self.spellings.most_common(1)[0][0]

    def ids(self, scopes: Collection[str]) -> list[int]:
        """Return the ids of its tracks in the scopes."""
        return [i for scope, ids in self.tracks.items() if scope in scopes for i in ids]


class Shelves:
    """Artists and albums of the scopes, sorted by name, and genres, sorted by size."""

    def __init__(self, groups: Iterable[AlbumGroup]) -> None:
        self._albums: dict[str, ShelvedAlbum] = {}
        self._artists: dict[str, ShelvedArtist] = {}
        self._genres: dict[str, ShelvedGenre] = {}
        self._paired: set[tuple[str, str]] = set()
        names: dict[str, tuple[str, ...]] = {}
        for group in groups:
            if group.genre not in names:
                names[group.genre] = genre_names(group.genre)
            self._add(group, names[group.genre])
        folded = lru_cache(maxsize=None)(fold)
        for artist in self._artists.values():
            artist.folded = folded(artist.name)
        for album in self._albums.values():
            title, by = folded(album.name), folded(album.artist)
            album.folded = f"{by} {title}"
            album.order = _sort_name(title, album.name), _sort_name(by, album.artist)
            album.newest = max(album.tracks)
        for artist in self._artists.values():
            artist.albums.sort(key=lambda album: (album.year, album.order, album.id))
        self.artists: Sequence[ShelvedArtist] = sorted(
            self._artists.values(),
            key=lambda artist: (_sort_name(artist.folded, artist.name), artist.id),
        )
        self.albums: Sequence[ShelvedAlbum] = sorted(
            self._albums.values(), key=lambda album: (album.order, album.id)
        )
        self.genres: Sequence[ShelvedGenre] = sorted(
            self._genres.values(),
            key=lambda genre: (-sum(map(len, genre.tracks.values())), genre.name),
        )

    def artist(self, id: str) -> ShelvedArtist | None:
        """Return the artist with an id, or None."""
        return self._artists.get(id)

    def album(self, id: str) -> ShelvedAlbum | None:
        """Return the album with an id, or None."""
        return self._albums.get(id)

    def genre(self, name: str) -> ShelvedGenre | None:
        """Return a genre in any spelling, or None."""
        return self._genres.get(genre_key(name))

    def find_artists(self, words: Sequence[str], scopes: Collection[str]) -> list[ShelvedArtist]:
        """Return the artists of the scopes with all of the folded words in their name."""
        return [
            artist
            for artist in self.artists
            if _has(artist.folded, words) and any(album.scope in scopes for album in artist.albums)
        ]

    def find_albums(self, words: Sequence[str], scopes: Collection[str]) -> list[ShelvedAlbum]:
        """Return the albums of the scopes with all of the folded words in artist and name."""
        return [
            album for album in self.albums if album.scope in scopes and _has(album.folded, words)
        ]

    def listed(
        self, order: str, scopes: Collection[str], years: tuple[int, int], genre: str
    ) -> list[ShelvedAlbum]:
        """Return the albums of the scopes in an order of ``getAlbumList2``.

        ``years`` (from, to) count for ``byYear``, and the list is reversed if the first is later;
        ``genre`` counts for ``byGenre``. Orders that need plays or votes have no albums.
        """
        albums = [album for album in self.albums if album.scope in scopes]
        if order == "random":
            random.shuffle(albums)
            return albums
        if order == "byGenre":
            found = self.genre(genre)
            return [album for album in albums if found is not None and album.id in found.albums]
        if order == "byYear":
            low, high = sorted(years)
            albums = [album for album in albums if low <= album.year <= high]
            albums.sort(key=lambda album: album.year, reverse=years[0] > years[1])
            return albums
        keys: dict[str, Callable[[ShelvedAlbum], tuple[str | int, ...]]] = {
            "alphabeticalByName": lambda album: (),
            "alphabeticalByArtist": lambda album: (album.order[1],),
            "newest": lambda album: (-album.newest,),
        }
        return sorted(albums, key=keys[order]) if order in keys else []

    def _add(self, group: AlbumGroup, genres: tuple[str, ...]) -> None:
        album = self._album_of(group)
        album.year = max(album.year, group.year)
        album.duration_s += group.duration_s
        album.changed_ns = max(album.changed_ns, group.changed_ns)
        album.tracks.extend(group.tracks)
        for name in genres:
            shelf = self._genres.setdefault(genre_key(name), ShelvedGenre())
            shelf.spellings[name] += len(group.tracks)
            shelf.tracks.setdefault(group.scope, array("q")).extend(group.tracks)
            shelf.albums.add(album.id)
            if name not in album.genres:
                album.genres.append(name)
        id = artist_id(group.artist_key)
        artist = self._artists.get(id)
        if artist is None:
            name = group.artist if group.artist_key else UNKNOWN_ARTIST
            artist = self._artists[id] = ShelvedArtist(id, group.artist_key, name)
        artist.mbid = artist.mbid or group.artist_id
        if (artist.id, album.id) not in self._paired:
            self._paired.add((artist.id, album.id))
            artist.albums.append(album)

    def _album_of(self, group: AlbumGroup) -> ShelvedAlbum:
        id = album_id(group.scope, group.artist_key, group.album, group.release_id)
        artist = artist_id(group.artist_key)
        album = self._albums.get(id)
        if album is None:
            name = group.artist if group.artist_key else UNKNOWN_ARTIST
            album = self._albums[id] = ShelvedAlbum(
                id, group.scope, group.album or UNKNOWN_ALBUM, name, artist, group.release_id
            )
        elif album.artist_id != artist:
            album.artist, album.artist_id = VARIOUS, artist_id("")
        return album


class ShelfKeeper:
    """Keeps the shelves of some scopes up to date with the catalogue.

    They are arranged again when tracks have changed, at most a twentieth of the time.
    """

    def __init__(self, *, db: Database, recommender: Recommender, scopes: Collection[str]) -> None:
        self._db = db
        self._recommender = recommender
        self._scopes = tuple(scopes)
        self._lock = asyncio.Lock()
        self._shelves: Shelves | None = None
        self._revision = -1
        self._next_at = 0.0

    async def shelves(self) -> Shelves:
        """Return the shelves; after a change those of a moment before, if they take long."""
        async with self._lock:
            revision = await self._recommender.index.refresh()
            current = self._shelves
            fresh = revision == self._revision or time.monotonic() < self._next_at
            if current is not None and fresh:
                return current
            began = time.monotonic()
            groups = await album_groups(self._db, self._recommender.preset.model_id, self._scopes)
            self._shelves = current = await asyncio.to_thread(Shelves, groups)
            self._revision = revision
            self._next_at = time.monotonic() + _PATIENCE * (time.monotonic() - began)
            return current


def _has(folded: str, words: Sequence[str]) -> bool:
    return all(word in folded for word in words)


def _sort_name(folded: str, name: str) -> str:
    """Return the name by which an artist or album is sorted, without a leading article."""
    return folded.removeprefix("the ") or name.casefold()
