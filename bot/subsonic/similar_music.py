"""Endpoints of the search by sound: similar songs, similar artists, and the extension's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from bot.path_finder import PathFinder
from bot.subsonic import entries
from bot.subsonic.entries import Entry
from bot.subsonic.library import SubsonicLibrary
from bot.subsonic.parameters import ALBUM, MOST, Parameters, song_number
from bot.subsonic.subsonic_responses import GENERIC, Body, SubsonicError
from genrec.errors import SameSong
from genrec.names import artist_key, song_key
from genrec.paths import MAX_SONGS, MIN_SONGS
from genrec.questions import Question, Rules, Seed
from genrec.selection import Candidate
from genrec.types import Track

MOST_SEEDS = 5
"""Songs of an album or artist that similar songs are searched for."""
MOST_CHOSEN = 100
"""Most songs of ``getSimilarSongs``, which are chosen one by one."""
PER_ARTIST = 3
_NEAREST = 200  # whose artists are the similar ones


class SimilarMusic:
    """Answers the endpoints that search by sound, with the questions that commands ask too."""

    def __init__(self, library: SubsonicLibrary) -> None:
        self._library = library
        self._recommender = library.recommender
        self._paths = PathFinder(library.recommender)

    async def sonic_similar(self, given: Parameters) -> Body:
        """Answer ``getSonicSimilarTracks``: the nearest songs, most similar first, none twice."""
        count = given.number("count", 10, most=MOST)
        track = await self._library.track(given.song("id"))
        if not count:
            return {"sonicMatch": []}
        seed = await self._recommender.track_seed(track)
        question = self._question([seed], count)
        found = await self._recommender.nearest(question, 2 * count)
        return {"sonicMatch": await self._matches(once(track, found)[:count])}

    async def sonic_path(self, given: Parameters) -> Body:
        """Answer ``findSonicPath``: a way of songs, each with its similarity to the start.

        Where fewer songs than wanted lie between the two, or the two are one song, it is shorter.
        """
        count = given.number("count", MAX_SONGS, most=MAX_SONGS)
        ids = [given.song(name) for name in ("startSongId", "endSongId")]
        start, goal = [await self._library.track(id) for id in ids]
        if count == 1:
            raise SubsonicError(GENERIC, "count is 1; a path has its two ends: send 2 or more.")
        tracks: Sequence[Track] = list(dict.fromkeys([start, goal])) if count else []
        if count >= MIN_SONGS:
            tracks = await self._way(start, goal, count)
        ids = [track.id for track in tracks]
        seed = await self._recommender.track_seed(start)
        near = {
            found.track.id: found.similarity
            for found in await self._recommender.compare(seed.embedding, ids, self._library.scopes)
        }
        songs = await self._library.songs([track for track in tracks if track.id in near])
        return {
            "sonicMatch": [
                {"entry": song, "similarity": bounded(near[song_number(song["id"])])}
                for song in songs
            ]
        }

    async def similar_songs(self, given: Parameters) -> Body:
        """Answer ``getSimilarSongs`` for a song, an album or an artist."""
        return {"similarSongs": {"song": await self._similar(given)}}

    async def similar_songs2(self, given: Parameters) -> Body:
        """Answer ``getSimilarSongs2``; clients send ids of songs and albums here too."""
        return {"similarSongs2": {"song": await self._similar(given)}}

    async def artist_info(self, given: Parameters) -> Body:
        """Answer ``getArtistInfo``, with the similar artists as folders."""
        return {"artistInfo": await self._artist_info(given, folders=True)}

    async def artist_info2(self, given: Parameters) -> Body:
        """Answer ``getArtistInfo2``: artists whose songs are near, the nearest first."""
        return {"artistInfo2": await self._artist_info(given, folders=False)}

    async def album_info(self, given: Parameters) -> Body:
        """Answer ``getAlbumInfo`` and ``getAlbumInfo2`` with the album's MusicBrainz id."""
        id = given.required("id")
        release = (await self._library.album(id)).release_id if id.startswith(ALBUM) else ""
        return {"albumInfo": {"musicBrainzId": release} if release else {}}

    async def _similar(self, given: Parameters) -> list[Entry]:
        count = given.number("count", 50, most=MOST_CHOSEN)
        tracks = await self._library.tracks_of(given.required("id"), MOST_SEEDS)
        if not count or not tracks:
            return []
        rec = await self._recommender.answer(self._question(await self._seeds(tracks), count))
        return await self._library.songs([neighbour.track for neighbour in rec.tracks])

    async def _artist_info(self, given: Parameters, *, folders: bool) -> Entry:
        count = given.number("count", 20, most=MOST_CHOSEN)
        id = given.required("id")
        tracks = await self._library.tracks_of(id, MOST_SEEDS)
        key = artist_key(tracks[0].artist) if tracks else ""
        shelves = await self._library.shelves()
        mine = next((one for one in shelves.artists if one.key == key), None)
        found: Sequence[Candidate] = ()
        if count and tracks:
            question = self._question(await self._seeds(tracks), _NEAREST)
            found = await self._recommender.nearest(question, _NEAREST)
        keys = dict.fromkeys(each.artist_key for each in found if each.artist_key not in ("", key))
        by_key = await asyncio.to_thread(lambda: {one.key: one for one in shelves.artists})
        similar = [by_key[one] for one in keys if one in by_key][:count]
        make = entries.artist_folder if folders else entries.artist
        info: Entry = {"similarArtist": [make(each) for each in similar]}
        return {"musicBrainzId": mine.mbid, **info} if mine is not None and mine.mbid else info

    async def _way(self, start: Track, goal: Track, songs: int) -> Sequence[Track]:
        """Return the way between two tracks; both ends alone if they are the same song."""
        first, last = await self._seeds([start, goal])
        rules = Rules(scopes=self._library.scopes)
        try:
            way = await self._paths.find(first, last, rules, songs=songs)
        except SameSong:
            return list(dict.fromkeys([start, goal]))
        return way.tracks

    async def _seeds(self, tracks: Sequence[Track]) -> list[Seed]:
        return [await self._recommender.track_seed(track) for track in tracks]

    def _question(self, seeds: Sequence[Seed], count: int) -> Question:
        rules = Rules(
            count=count, per_artist=PER_ARTIST, new_artists=False, scopes=self._library.scopes
        )
        return Question(tuple(seeds), rules)

    async def _matches(self, found: Sequence[Candidate]) -> list[Entry]:
        """Return candidates with their similarity, cut to 0..1 as the protocol wants it."""
        songs = await self._library.songs([each.track for each in found])
        calibration = self._recommender.preset.calibration
        return [
            {"entry": song, "similarity": bounded(calibration.similarity(each.cosine))}
            for song, each in zip(songs, found, strict=True)
        ]


def once(seed: Track, found: Iterable[Candidate]) -> list[Candidate]:
    """Return candidates without versions of the seed or of one before."""
    seen = {(artist_key(seed.artist), song_key(seed.title))}
    kept = []
    for each in found:
        song = each.artist_key, each.song_key
        if not all(song) or song not in seen:
            kept.append(each)
            seen.add(song)
    return kept


def bounded(similarity: float) -> float:
    """Return a similarity cut to 0..1, with four decimals."""
    return round(min(max(similarity, 0.0), 1.0), 4)
