"""Album, year, published ids and page of tracks, from the tags of their files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

from db.connection import Database, SqlSession
from db.upsert import upsert

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
# ISO 3901: country, registrant, year, number.
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")
_YEAR = re.compile(r"(?<!\d)(1[4-9]\d\d|20\d\d)(?!\d)")
_COLUMNS = "album, year, isrc, recording_id, release_id, artist_id, page"
_PAGE = re.compile(r"https?://[^\s<>\"]{1,290}", re.I)

_PUT = upsert(
    "detail",
    ("track_id",),
    _COLUMNS.split(", "),
    rows="SELECT id, ?, ?, ?, ?, ?, ?, ? FROM track WHERE scope = ? AND source = ?",
)


@dataclass(frozen=True, slots=True)
class TrackDetails:
    """Tags of a file besides title, artist and genre; ``year`` is 0 if it is unknown.

    The ids are those of MusicBrainz: of the recording, the release and the first artist. ``page``
    is the address of a page of the track.
    """

    album: str = ""
    year: int = 0
    isrc: str = ""
    recording_id: str = ""
    release_id: str = ""
    artist_id: str = ""
    page: str = ""

    def __bool__(self) -> bool:
        return any(astuple(self))

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> TrackDetails:
        """Return the details in texts by field; what is no year, ISRC, id or page is left out."""
        year = _YEAR.search(fields.get("year", ""))
        isrc = _ISRC.search(fields.get("isrc", "").upper().replace("-", "").replace(" ", ""))
        ids = {
            field: found[0]
            for field in ("recording_id", "release_id", "artist_id")
            if (found := _UUID.search(fields.get(field, "").lower()))
        }
        page = _PAGE.fullmatch(fields.get("page", "").strip())
        return cls(
            album=fields.get("album", ""),
            year=int(year[1]) if year else 0,
            isrc=isrc[0] if isrc else "",
            page=page[0] if page else "",
            **ids,
        )


NO_DETAILS = TrackDetails()


async def put_details(
    tx: SqlSession, scope: str, details: Iterable[tuple[str, TrackDetails | None]]
) -> None:
    """Store the details of a scope's tracks by source; None leaves what is stored."""
    given = [(source, each) for source, each in details if each is not None]
    await tx.many(
        "DELETE FROM detail WHERE track_id = (SELECT id FROM track WHERE scope = ? AND source = ?)",
        [(scope, source) for source, each in given if not each],
    )
    await tx.many(
        _PUT,
        [(*astuple(each), scope, source) for source, each in given if each],
    )


async def load_details(
    session: SqlSession | Database, ids: Iterable[int]
) -> dict[int, TrackDetails]:
    """Return the details of the tracks that have some, by track id."""
    rows = await session.all(
        f"SELECT track_id, {_COLUMNS} FROM detail"
        " WHERE track_id IN (SELECT CAST(value AS bigint) FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    return {row[0]: TrackDetails(*row[1:]) for row in rows}
