"""Paths and links of recommended tracks, and ``genrec recommend --output``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from bot.cli.library import _output
from bot.cli.library_lists import format_of
from bot.config import Settings
from bot.ui.track_links import LinkChoice, TrackLinks
from db.import_export import export_tracks
from db.ingest.presence import is_file_source
from db.list_writers import Format
from db.tracks import Catalogue
from genrec.errors import DataError
from genrec.types import Track

_LONGEST_LINK = 300


async def places_of(
    catalogue: Catalogue, settings: Settings, tracks: Sequence[Track]
) -> dict[int, str]:
    """Return the path or the link of each track, by its id; "" if there is neither."""
    choice = LinkChoice.of(settings.track_links, settings.path_root)
    links = TrackLinks(choice, await catalogue.details([track.id for track in tracks]))
    return {
        track.id: track.source
        if is_file_source(track.source)
        else links.address(track, _LONGEST_LINK)
        for track in tracks
    }


async def write_list(
    file: Path, catalogue: Catalogue, model_id: str, settings: Settings, tracks: Sequence[Track]
) -> None:
    """Write the tracks to a list whose format is the file's suffix.

    Raises
    ------
    DataError
        The list is a playlist, and no track has a path or an address.
    """
    form = cast("Format", format_of(file, None))
    pieces = export_tracks(
        catalogue, model_id, form, ids=[track.id for track in tracks], root=settings.path_root
    )
    text = "".join([piece async for piece in pieces])
    if form == "m3u8" and "#EXTINF" not in text:
        raise DataError(
            "None of the tracks has a file or an address, as the starter catalogue has none: name a"
            " .csv, .jspf or .txt file instead of a playlist."
        )
    with _output(file) as out:
        out.write(text)
