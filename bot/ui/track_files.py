"""Files for Discord: exported tracks without private sources, and CSV tables."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from bot.ui.markdown import clean, web_address
from db.import_export import Format, csv_text, export_tracks
from db.tracks import Catalogue

# Discord accepts files of 10 MiB in servers without boosts; the rest is for the request's form.
MAX_BYTES = 10 * 2**20 - 64 * 2**10
_LONGEST_CELL = 300


@dataclass(frozen=True, slots=True)
class TrackFile:
    """An exported file: its name, content and number of tracks."""

    name: str
    data: bytes
    count: int


async def track_file(
    catalogue: Catalogue, model_id: str, form: Format, ids: Sequence[int]
) -> TrackFile:
    """Return active tracks as a file of at most ``MAX_BYTES``, in the order of their ids.

    CSV and JSON can be imported with ``genrec library import``. Sources that are not web addresses
    are left out: they are paths of the operator's disk, or content hashes of members' uploads. A
    file that is too large is written without fingerprints, then with fewer tracks.
    """
    data = await _export(catalogue, model_id, form, ids, fingerprints=True)
    while data is None:
        data = await _export(catalogue, model_id, form, ids, fingerprints=False)
        if data is None:
            ids = ids[: len(ids) * 9 // 10]
    return TrackFile(f"tracks.{form}", data, len(ids))


def csv_file(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file with cleaned and escaped cells, and a UTF-8 BOM, which Excel needs."""
    return csv_text(head, ([clean(cell, _LONGEST_CELL) for cell in row] for row in rows)).encode(
        "utf-8-sig"
    )


async def _export(
    catalogue: Catalogue, model_id: str, form: Format, ids: Sequence[int], *, fingerprints: bool
) -> bytes | None:
    """Return the file, or None as soon as it exceeds ``MAX_BYTES``."""
    data = BOM_UTF8 if form == "csv" else b""  # Excel needs the BOM
    pieces = export_tracks(
        catalogue, model_id, form, ids=ids, public_source=public_source, fingerprints=fingerprints
    )
    async with aclosing(pieces):
        async for piece in pieces:
            data += piece.encode()
            if len(data) > MAX_BYTES:
                return None
    return data


def public_source(source: str) -> str:
    """Return a web address unchanged, so that an import recognises the track, and else ""."""
    return source if web_address(source) else ""
