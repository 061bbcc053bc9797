"""Response of /library map: the picture and the page of a map."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from io import BytesIO

import discord

from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.last_answers import LastAnswer
from bot.jobs.runner import Progress, Response
from bot.library_map import LibraryMap, LibraryMaps
from bot.recommender import Recommender
from bot.ui.map_message import (
    SIGN,
    Colouring,
    MarkedTrack,
    artist_label,
    drawn_marks,
    map_alt,
    map_file,
    map_message,
    map_picture,
)
from bot.ui.map_page import FILE_NAME, MAX_TRACKS, MapTracks, genre_label, map_page
from bot.ui.track_files import MAX_BYTES
from bot.ui.track_links import LinkChoice, TrackLinks
from db.details import TrackDetails, load_details
from db.tracks import Catalogue
from genrec.types import Track

_READ_AT_ONCE = 5_000  # tracks, in about 10 ms


class MapAnswers:
    """Makes the responses of /library map."""

    def __init__(self, *, maps: LibraryMaps, recommender: Recommender) -> None:
        self._maps = maps
        self._recommender = recommender

    async def respond(
        self,
        progress: Progress,
        localizer: Localizer,
        *,
        scopes: Collection[str],
        heading: str,
        colour: Colouring,
        links: LinkChoice,
        marked: Sequence[tuple[str, Track]] = (),
        last: LastAnswer | None = None,
    ) -> Response:
        """Return the map of the scopes; ``marked`` are tracks that stand out, with their signs.

        Without them the seed and the tracks of the ``last`` answer are marked.

        Raises
        ------
        RequestDeclined
            A marked track is not among those of the scopes.
        MapTooSmall, MapFailed, MapLibraryMissing
            There is no map.
        """
        progress.now("comparing")
        found = await self._maps.of(scopes, lambda: progress.now("mapping"))
        tracks, details = await read_tracks(
            self._recommender.catalogue, self._recommender.preset.model_id, found
        )

        def made() -> Response:
            shown = map_tracks(localizer, found, tracks, colour)
            marks = places_of(found, marked)
            if not marks and last is not None:
                marks = places_of_answer(found, last)
            alt, drawn = map_alt(localizer, shown, marks), drawn_marks(shown, marks)
            png, page = map_picture(localizer, shown, drawn), b""
            if len(shown.tracks) <= MAX_TRACKS:
                addresses = TrackLinks(links, details)
                page = map_page(
                    localizer, shown, title=heading, alt=alt, links=addresses, marks=drawn
                )
            fits = 0 < len(page) <= MAX_BYTES
            view = map_message(localizer, shown, heading=heading, marked=marks, alt=alt, page=fits)
            files = [lambda: map_file(png, alt)]
            if fits:
                files.append(lambda: discord.File(BytesIO(page), FILE_NAME))
            return Response(view, files)

        # With a million tracks even the ids take long enough to block the event loop.
        return await asyncio.to_thread(made)


async def read_tracks(
    catalogue: Catalogue, model_id: str, found: LibraryMap
) -> tuple[dict[int, Track], dict[int, TrackDetails]]:
    """Return the tracks of a map and their details, by id, without blocking the event loop long."""
    tracks: dict[int, Track] = {}
    details: dict[int, TrackDetails] = {}
    ids = found.ids.tolist()
    for start in range(0, len(ids), _READ_AT_ONCE):
        part = ids[start : start + _READ_AT_ONCE]
        tracks |= await catalogue.tracks(model_id, part)
        details |= await load_details(catalogue.db, part)
    return tracks, details


def map_tracks(
    localizer: Localizer,
    found: LibraryMap,
    tracks: Mapping[int, Track],
    colour: Colouring,
    folders: Mapping[int, str] | None = None,
) -> MapTracks:
    """Return the tracks of a map that are still there, with their groups by each colouring.

    ``colour`` comes first. ``folders`` names the folder of each track, for the operator only.
    """
    rows = [row for row, track_id in enumerate(found.ids.tolist()) if track_id in tracks]
    shown = [tracks[int(found.ids[row])] for row in rows]
    groups = {
        "genre": [genre_label(localizer, track.genre) for track in shown],
        "artist": [artist_label(track.artist) for track in shown],
    }
    if folders is not None:
        groups["folder"] = [folders.get(track.id, "") for track in shown]
    order = sorted(groups, key=lambda name: name != colour)
    return MapTracks(shown, found.positions[rows], {name: groups[name] for name in order})


def places_of(found: LibraryMap, marked: Sequence[tuple[str, Track]]) -> list[MarkedTrack]:
    """Return the marked tracks with their places; decline one that is not on the map."""
    row_of = {track_id: row for row, track_id in enumerate(found.ids.tolist())}
    marks = []
    for sign, track in marked:
        row = row_of.get(track.id)
        if row is None:
            raise RequestDeclined("map_without_track", name=track.title)
        x, y = found.positions[row].tolist()
        marks.append(MarkedTrack(x, y, sign, track))
    return marks


def places_of_answer(found: LibraryMap, last: LastAnswer) -> list[MarkedTrack]:
    """Return the seed of an answer and those of its numbered tracks that are on the map.

    A clip, which is no track, is placed among its nearest tracks.
    """
    on_map = set(found.ids.tolist())
    numbered = [
        (str(number), track)
        for number, track in enumerate(last.tracks, start=1)
        if track.id in on_map
    ]
    if isinstance(last.seed, Track):
        return places_of(found, [(SIGN, last.seed)] * (last.seed.id in on_map) + numbered)
    x, y = found.place_of(last.seed)
    return [MarkedTrack(x, y, SIGN), *places_of(found, numbered)]


def with_sign(tracks: Sequence[Track]) -> list[tuple[str, Track]]:
    """Return the tracks with the sign of a named track."""
    return [(SIGN, track) for track in tracks]
