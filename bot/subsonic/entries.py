"""Songs, albums and artists in the forms of OpenSubsonic: Child, AlbumID3 and ArtistID3."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from bot.subsonic.parameters import album_id, artist_id, song_id
from bot.subsonic.shelves import (
    UNKNOWN_ALBUM,
    UNKNOWN_ARTIST,
    ShelvedAlbum,
    ShelvedArtist,
    ShelvedGenre,
)
from db.details import TrackDetails
from db.sections import file_of
from db.tagging.genre_names import genre_names
from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.names import artist_key
from genrec.types import MusicDescription, Track

Entry = dict[str, Any]


def song(
    track: Track,
    details: TrackDetails,
    duration_s: float,
    description: MusicDescription | None = None,
) -> Entry:
    """Return a track as a Child."""
    key = artist_key(track.artist)
    artist = track.artist if key else UNKNOWN_ARTIST
    album = album_id(track.scope, key, details.album, details.release_id)
    genres = genre_names(track.genre)
    suffix = PurePosixPath(file_of(track.source)).suffix.casefold()
    bpm = description.sure_bpm if description else None
    return {
        "id": song_id(track.id),
        "parent": album,
        "isDir": False,
        "title": track.title,
        "album": details.album or UNKNOWN_ALBUM,
        "artist": artist,
        "albumId": album,
        "artistId": artist_id(key),
        "type": "music",
        "mediaType": "song",
        "isVideo": False,
        "duration": round(duration_s),
        "displayArtist": artist,
        "artists": [{"id": artist_id(key), "name": artist}],
        "genres": [{"name": name} for name in genres],
        **_given(
            year=details.year,
            genre=genres[0] if genres else "",
            suffix=suffix[1:] if suffix in SOUND_SUFFIXES else "",
            musicBrainzId=details.recording_id,
            isrc=[details.isrc] if details.isrc else None,
            bpm=round(bpm) if bpm else None,
        ),
    }


def album(shelved: ShelvedAlbum) -> Entry:
    """Return an album as an AlbumID3."""
    return {
        "id": shelved.id,
        "name": shelved.name,
        "artist": shelved.artist,
        "artistId": shelved.artist_id,
        "displayArtist": shelved.artist,
        "artists": [{"id": shelved.artist_id, "name": shelved.artist}],
        "songCount": len(shelved.tracks),
        "duration": round(shelved.duration_s),
        "created": moment(shelved.changed_ns),
        "genres": [{"name": name} for name in shelved.genres],
        **_given(
            year=shelved.year,
            genre=shelved.genres[0] if shelved.genres else "",
            musicBrainzId=shelved.release_id,
        ),
    }


def album_folder(shelved: ShelvedAlbum) -> Entry:
    """Return an album as a Child that is a folder."""
    return {
        "id": shelved.id,
        "parent": shelved.artist_id,
        "isDir": True,
        "title": shelved.name,
        "name": shelved.name,
        "album": shelved.name,
        "artist": shelved.artist,
        "artistId": shelved.artist_id,
        "mediaType": "album",
        "duration": round(shelved.duration_s),
        "created": moment(shelved.changed_ns),
        **_given(year=shelved.year, genre=shelved.genres[0] if shelved.genres else ""),
    }


def artist(shelved: ShelvedArtist) -> Entry:
    """Return an artist as an ArtistID3."""
    return {
        "id": shelved.id,
        "name": shelved.name,
        "albumCount": len(shelved.albums),
        **_given(musicBrainzId=shelved.mbid),
    }


def artist_folder(shelved: ShelvedArtist) -> Entry:
    """Return an artist as a folder."""
    return {"id": shelved.id, "name": shelved.name}


def genre(shelved: ShelvedGenre) -> Entry:
    """Return a genre with its numbers of songs and albums."""
    return {
        "value": shelved.name,
        "songCount": sum(map(len, shelved.tracks.values())),
        "albumCount": len(shelved.albums),
    }


def letters(artists: Iterable[ShelvedArtist]) -> dict[str, list[ShelvedArtist]]:
    """Return the artists by the first letter of their name, ``#`` for what is no letter."""
    groups: dict[str, list[ShelvedArtist]] = {}
    for each in artists:
        first = each.folded.removeprefix("the ")[:1].upper()
        groups.setdefault(first if first.isalpha() else "#", []).append(each)
    return dict(sorted(groups.items()))


def moment(nanoseconds: int) -> str:
    """Return nanoseconds since 1970 as a time of ISO 8601."""
    seconds = min(max(nanoseconds // 10**9, 0), 253_402_300_799)  # the end of the year 9999
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _given(**fields: object) -> Entry:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}
