"""Files for Discord: exported tracks without private sources, and CSV tables."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bot.ui.markdown import clean, web_address
from db.import_export import export_tracks
from db.list_writers import Format, csv_text
from db.sections import path_below
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
    catalogue: Catalogue,
    model_id: str,
    form: Format,
    ids: Sequence[int],
    *,
    root: Path | None = None,
    analyses: bool = True,
) -> TrackFile:
    """Return active tracks as a file of at most ``MAX_BYTES``, in the order of their ids.

    Each format can be imported again. Sources that are not web addresses are left out: they are
    paths of the operator's disk, or content hashes of members' uploads. Only m3u8 and JSPF have
    paths, and only those below ``root``, relative to it. A playlist counts the tracks with a path
    or an address. A file that is too large is written without fingerprints, then with fewer tracks.
    A list to listen to needs no ``analyses``: embeddings and fingerprints.
    """
    export = partial(_export, catalogue, model_id, form, root=root, analyses=analyses)
    data = await export(ids, fingerprints=True)
    while data is None:
        data = await export(ids, fingerprints=False)
        if data is None:
            ids = ids[: len(ids) * 9 // 10]
    count = data.count(b"\n#EXTINF:") if form == "m3u8" else len(ids)
    return TrackFile(f"tracks.{form}", data, count)


def csv_file(head: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file with cleaned and escaped cells, and a UTF-8 BOM, which Excel needs."""
    return csv_text(head, ([clean(cell, _LONGEST_CELL) for cell in row] for row in rows)).encode(
        "utf-8-sig"
    )


async def _export(
    catalogue: Catalogue,
    model_id: str,
    form: Format,
    ids: Sequence[int],
    *,
    root: Path | None,
    analyses: bool,
    fingerprints: bool,
) -> bytes | None:
    """Return the file, or None as soon as it exceeds ``MAX_BYTES``."""
    data = BOM_UTF8 if form == "csv" else b""  # Excel needs the BOM
    pieces = export_tracks(
        catalogue,
        model_id,
        form,
        ids=ids,
        public_source=public_source,
        fingerprints=fingerprints,
        analyses=analyses,
        root=root,
    )
    async with aclosing(pieces):
        async for piece in pieces:
            data += piece.encode()
            if len(data) > MAX_BYTES:
                return None
    return data


def has_location(source: str, root: Path | None) -> bool:
    """Return whether a playlist may name a track: by a web address, or a path below ``root``."""
    return bool(public_source(source) or (root is not None and path_below(source, root)))


def public_source(source: str) -> str:
    """Return a web address unchanged, so that an import recognises the track, and else ""."""
    return source if web_address(source) else ""
