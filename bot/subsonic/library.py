"""The part of the catalogue that OpenSubsonic serves: songs by id, by name and by chance."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Sequence

from bot.recommender import Recommender
from bot.subsonic import entries
from bot.subsonic.entries import Entry
from bot.subsonic.parameters import ALBUM, ARTIST, Parameters, song_number
from bot.subsonic.shelves import ShelfKeeper, ShelvedAlbum, ShelvedArtist, Shelves
from bot.subsonic.subsonic_responses import GENERIC, NOT_FOUND, SubsonicError
from db.album_groups import track_lengths
from db.connection import Database
from db.details import NO_DETAILS
from db.tracks import LIBRARY, STARTER
from genrec.types import Track

FOLDERS = {0: (LIBRARY, "Library"), 1: (STARTER, "Starter catalogue")}
"""Scopes and names of music folders, by their ids in the protocol."""
MOST_OF_ALBUM = 2000
"""Most songs of ``getAlbum`` and ``getMusicDirectory``, which have no pages."""


class SubsonicLibrary:
    """Songs, artists and albums of the scopes that a client may see."""

    def __init__(
        self, *, recommender: Recommender, db: Database, scopes: Collection[str] = (LIBRARY,)
    ) -> None:
        self.recommender = recommender
        self.scopes = tuple(scopes)
        self._db = db
        self._keeper = ShelfKeeper(db=db, recommender=recommender, scopes=scopes)

    async def shelves(self) -> Shelves:
        """Return artists, albums and genres."""
        return await self._keeper.shelves()

    async def songs_in(self, album: ShelvedAlbum) -> list[Entry]:
        """Return the first `MOST_OF_ALBUM` songs of an album: without tags, all songs are one."""
        return await self.songs_of(sorted(album.tracks)[:MOST_OF_ALBUM])

    def folders(self) -> list[Entry]:
        """Return the music folders: one for each scope."""
        return [
            {"id": number, "name": name}
            for number, (scope, name) in FOLDERS.items()
            if scope in self.scopes
        ]

    def scopes_of(self, given: Parameters) -> tuple[str, ...]:
        """Return the scopes of the request's ``musicFolderId``; all without one."""
        if not given.text("musicFolderId"):
            return self.scopes
        number = given.number("musicFolderId", 0, most=10**9)
        if number not in FOLDERS or FOLDERS[number][0] not in self.scopes:
            raise SubsonicError(
                GENERIC, f"There is no music folder {number}; getMusicFolders lists them."
            )
        return (FOLDERS[number][0],)

    async def songs(self, tracks: Sequence[Track]) -> list[Entry]:
        """Return tracks as songs, with album, length and tempo."""
        ids = [track.id for track in tracks]
        details = await self.recommender.catalogue.details(ids)
        lengths = await track_lengths(self._db, self.recommender.preset.model_id, ids)
        described = await self.recommender.index.described(ids)

        def made() -> list[Entry]:
            return [
                entries.song(
                    track,
                    details.get(track.id, NO_DETAILS),
                    lengths.get(track.id, 0.0),
                    described.get(track.id),
                )
                for track in tracks
            ]

        return await asyncio.to_thread(made)

    async def songs_of(self, ids: Sequence[int]) -> list[Entry]:
        """Return the songs with these track ids that are still there, in their order."""
        return await self.songs(await self.recommender.tracks(ids, self.scopes))

    async def track(self, id: int) -> Track:
        """Return one track; the error 70 names a song that is not there."""
        found = await self.recommender.tracks([id], self.scopes)
        if not found:
            raise SubsonicError(
                NOT_FOUND, f"There is no song tr-{id} any more; look it up with search3."
            )
        return found[0]

    async def album(self, id: str) -> ShelvedAlbum:
        """Return an album; the error 70 names one that is not there."""
        found = (await self.shelves()).album(id)
        if found is None:
            raise SubsonicError(
                NOT_FOUND, f"There is no album {id[:40]!r}; getAlbumList2 lists them."
            )
        return found

    async def artist(self, id: str) -> ShelvedArtist:
        """Return an artist; the error 70 names one that is not there."""
        found = (await self.shelves()).artist(id)
        if found is None:
            raise SubsonicError(
                NOT_FOUND, f"There is no artist {id[:40]!r}; getArtists lists them."
            )
        return found

    async def tracks_of(self, id: str, most: int) -> list[Track]:
        """Return the tracks of a song's, album's or artist's id, evenly spread if there are more.

        Raises
        ------
        SubsonicError
            With the code 70 if there is no such song, album or artist.
        """
        if id.startswith(ALBUM):
            ids = sorted((await self.album(id)).tracks)
        elif id.startswith(ARTIST):
            artist = await self.artist(id)
            ids = await self.ids_of(artist, self.scopes)
        else:
            return [await self.track(song_number(id))]
        if len(ids) > most:
            ids = [ids[n * len(ids) // most] for n in range(most)]
        return await self.recommender.tracks(ids, self.scopes)

    async def ids_of(self, artist: ShelvedArtist, scopes: Collection[str]) -> list[int]:
        """Return the ids of an artist's tracks in the scopes."""
        return await self.recommender.index.ids_of(scopes, artist.key)

    async def find_songs(
        self, text: str, scopes: Collection[str], count: int, offset: int
    ) -> list[Entry]:
        """Return a page of the songs with every word of ``text``; without words, of all songs."""
        model_id = self.recommender.preset.model_id
        found: list[Track] = []
        for scope in scopes:
            if len(found) == count:
                break
            found += await self.recommender.catalogue.browse(
                model_id, scope, text=text, limit=count - len(found), offset=offset
            )
            if not found:
                total = await self.recommender.catalogue.count(model_id, scope, text=text)
                offset = max(0, offset - total)
            else:
                offset = 0
        return await self.songs(found)

    async def random_songs(
        self, count: int, scopes: Collection[str], given: Parameters
    ) -> list[Entry]:
        """Return songs by chance, of the request's genre and years if it names some."""
        genre = given.text("genre")
        first, last = (
            given.number("fromYear", 0, most=9999),
            given.number("toYear", 9999, most=9999),
        )
        if given.text("fromYear") or given.text("toYear"):
            low, high = sorted((first, last))
            shelves = await self.shelves()
            years = (album for album in shelves.albums if low <= album.year <= high)
            ids = [i for album in years if album.scope in scopes for i in album.tracks]
            if genre:
                shelf = shelves.genre(genre)
                wanted = set(shelf.ids(scopes) if shelf else ())
                ids = [i for i in ids if i in wanted]
        elif genre:
            shelf = (await self.shelves()).genre(genre)
            ids = shelf.ids(scopes) if shelf else []
        else:
            return await self.songs_of(await self.recommender.index.sample(scopes, count))
        return await self.songs_of(random.sample(ids, min(count, len(ids))))
