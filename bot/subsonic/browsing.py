"""Endpoints that browse the library: folders, artists, albums, songs, genres, lists and search."""

from __future__ import annotations

import asyncio

from bot.subsonic import entries
from bot.subsonic.library import SubsonicLibrary
from bot.subsonic.parameters import ALBUM, ARTIST, MOST, Parameters
from bot.subsonic.shelves import ShelvedAlbum, ShelvedArtist
from bot.subsonic.subsonic_responses import GENERIC, NOT_FOUND, Body, SubsonicError
from genrec.names import artist_key, fold

MOST_ARTISTS = 20_000
"""Most artists of ``getArtists``, which has no pages."""
_ARTICLES = "The"
_ORDERS = (
    "random", "newest", "highest", "frequent", "recent", "alphabeticalByName",
    "alphabeticalByArtist", "starred", "byYear", "byGenre",
)  # fmt: skip


class Browsing:
    """Answers the endpoints that browse, list and search."""

    def __init__(self, library: SubsonicLibrary) -> None:
        self._library = library

    async def music_folders(self, _: Parameters) -> Body:
        """Answer ``getMusicFolders``."""
        return {"musicFolders": {"musicFolder": self._library.folders()}}

    async def artists(self, given: Parameters) -> Body:
        """Answer ``getArtists``."""
        groups = await self._letters(given)
        index = [
            {"name": letter, "artist": [entries.artist(each) for each in group]}
            for letter, group in groups.items()
        ]
        return {"artists": {"ignoredArticles": _ARTICLES, "index": index}}

    async def indexes(self, given: Parameters) -> Body:
        """Answer ``getIndexes``: the artists as folders."""
        groups = await self._letters(given)
        shelves = await self._library.shelves()
        changed = max((album.changed_ns for album in shelves.albums), default=0)
        return {
            "indexes": {
                "ignoredArticles": _ARTICLES,
                "lastModified": changed // 10**6,
                "index": [
                    {"name": letter, "artist": [entries.artist_folder(each) for each in group]}
                    for letter, group in groups.items()
                ],
            }
        }

    async def directory(self, given: Parameters) -> Body:
        """Answer ``getMusicDirectory``: an artist holds albums, and an album songs."""
        id = given.required("id")
        if id.startswith(ARTIST):
            artist = await self._library.artist(id)
            children = [entries.album_folder(album) for album in artist.albums]
            return {"directory": {"id": id, "name": artist.name, "child": children}}
        if id.startswith(ALBUM):
            album = await self._library.album(id)
            songs = await self._library.songs_in(album)
            head = {"id": id, "parent": album.artist_id, "name": album.name}
            return {"directory": {**head, "child": songs}}
        raise SubsonicError(NOT_FOUND, f"There is no folder {id[:40]!r}; getIndexes lists them.")

    async def artist(self, given: Parameters) -> Body:
        """Answer ``getArtist``."""
        artist = await self._library.artist(given.required("id"))
        albums = [entries.album(album) for album in artist.albums]
        return {"artist": {**entries.artist(artist), "album": albums}}

    async def album(self, given: Parameters) -> Body:
        """Answer ``getAlbum``."""
        album = await self._library.album(given.required("id"))
        songs = await self._library.songs_in(album)
        return {"album": {**entries.album(album), "song": songs}}

    async def song(self, given: Parameters) -> Body:
        """Answer ``getSong``."""
        track = await self._library.track(given.song("id"))
        return {"song": (await self._library.songs([track]))[0]}

    async def genres(self, _: Parameters) -> Body:
        """Answer ``getGenres``."""
        genres = (await self._library.shelves()).genres
        return {"genres": {"genre": [entries.genre(each) for each in genres]}}

    async def songs_by_genre(self, given: Parameters) -> Body:
        """Answer ``getSongsByGenre``."""
        genre = (await self._library.shelves()).genre(given.required("genre"))
        scopes = self._library.scopes_of(given)
        offset = given.offset("offset")
        ids = genre.ids(scopes) if genre else []
        page = ids[offset : offset + given.number("count", 10)]
        return {"songsByGenre": {"song": await self._library.songs_of(page)}}

    async def random_songs(self, given: Parameters) -> Body:
        """Answer ``getRandomSongs``."""
        scopes = self._library.scopes_of(given)
        songs = await self._library.random_songs(given.number("size", 10), scopes, given)
        return {"randomSongs": {"song": songs}}

    async def album_list(self, given: Parameters) -> Body:
        """Answer ``getAlbumList``, with albums as folders."""
        albums = await self._album_page(given)
        return {"albumList": {"album": [entries.album_folder(album) for album in albums]}}

    async def album_list2(self, given: Parameters) -> Body:
        """Answer ``getAlbumList2``."""
        albums = await self._album_page(given)
        return {"albumList2": {"album": [entries.album(album) for album in albums]}}

    async def search2(self, given: Parameters) -> Body:
        """Answer ``search2``, with artists and albums as folders."""
        artists, albums, songs = await self._search(given)
        return {
            "searchResult2": {
                "artist": [entries.artist_folder(artist) for artist in artists],
                "album": [entries.album_folder(album) for album in albums],
                "song": songs,
            }
        }

    async def search3(self, given: Parameters) -> Body:
        """Answer ``search3``; an empty query finds everything, page by page."""
        artists, albums, songs = await self._search(given)
        return {
            "searchResult3": {
                "artist": [entries.artist(artist) for artist in artists],
                "album": [entries.album(album) for album in albums],
                "song": songs,
            }
        }

    async def top_songs(self, given: Parameters) -> Body:
        """Answer ``getTopSongs`` with songs of the artist, since genrec counts no plays."""
        key = artist_key(given.required("artist"))
        shelves = await self._library.shelves()
        found = next((one for one in shelves.artists if key and one.key == key), None)
        ids = await self._library.ids_of(found, self._library.scopes) if found else []
        songs = await self._library.songs_of(ids[: given.number("count", 50)])
        return {"topSongs": {"song": songs}}

    async def _letters(self, given: Parameters) -> dict[str, list[ShelvedArtist]]:
        shelves = await self._library.shelves()
        scopes = self._library.scopes_of(given)
        found = await asyncio.to_thread(shelves.find_artists, (), scopes)
        return entries.letters(found[:MOST_ARTISTS])

    async def _album_page(self, given: Parameters) -> list[ShelvedAlbum]:
        order = given.required("type")
        if order not in _ORDERS:
            raise SubsonicError(
                GENERIC, f"type is {order[:40]!r}; send one of {', '.join(_ORDERS)}."
            )
        years, genre = (0, 0), ""
        if order == "byYear":
            given.required("fromYear"), given.required("toYear")
            years = (given.number("fromYear", 0, most=9999), given.number("toYear", 0, most=9999))
        elif order == "byGenre":
            genre = given.required("genre")
        size, offset = given.number("size", 10), given.offset("offset")
        scopes = self._library.scopes_of(given)
        shelves = await self._library.shelves()
        albums = await asyncio.to_thread(shelves.listed, order, scopes, years, genre)
        return albums[offset : offset + size]

    async def _search(
        self, given: Parameters
    ) -> tuple[list[ShelvedArtist], list[ShelvedAlbum], list[entries.Entry]]:
        # Clients send "" in quotation marks for everything.
        text = given.text("query").strip().strip('"')
        words = fold(text).split()
        scopes = self._library.scopes_of(given)
        pages = {
            kind: (given.number(f"{kind}Count", 20, most=MOST), given.offset(f"{kind}Offset"))
            for kind in ("artist", "album", "song")
        }
        if text and not words:
            return [], [], []
        shelves = await self._library.shelves()
        artists, albums = await asyncio.to_thread(
            lambda: (shelves.find_artists(words, scopes), shelves.find_albums(words, scopes))
        )
        count, offset = pages["song"]
        return (
            artists[pages["artist"][1] :][: pages["artist"][0]],
            albums[pages["album"][1] :][: pages["album"][0]],
            await self._library.find_songs(" ".join(words), scopes, count, offset),
        )
