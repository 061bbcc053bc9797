"""Pages of the tracks of several scopes, each from where the last one ended (keyset)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection
from dataclasses import dataclass

from db.browse import Page, browse_generations
from db.connection import Database
from genrec.names import fold
from genrec.types import Track


@dataclass(frozen=True, slots=True)
class TrackPage:
    """Tracks sorted by artist and title; ``next`` is the cursor of the next page, "" at the end."""

    tracks: tuple[Track, ...]
    next: str


async def track_page(
    db: Database,
    model_id: str,
    scopes: Collection[str],
    *,
    text: str = "",
    limit: int = 50,
    after: str = "",
) -> TrackPage:
    """Return up to ``limit`` active tracks of the scopes with every word of ``text``.

    ``after`` is the cursor of the page before. A page costs the same however far down it is, and
    tracks that are added or removed meanwhile are neither doubled nor skipped.

    Raises
    ------
    ValueError
        ``after`` is no cursor.
    """
    beside = _position(after) if after else None
    async with db.snapshot() as session:
        rows = await session.all(
            "SELECT id FROM generation WHERE state = 'active' AND model_id = ?"
            " AND scope IN (SELECT value FROM json_each(?))",
            (model_id, json.dumps(sorted(scopes))),
        )
        active = [generation_id for (generation_id,) in rows]
        page = Page(limit + 1, beside=beside)
        tracks = await browse_generations(session, active, fold(text).split(), page)
        if len(tracks) <= limit:
            return TrackPage(tuple(tracks), "")
        last = tracks[limit - 1]
        row = await session.one(
            "SELECT folded FROM entry WHERE track_id = ?"
            " AND generation_id IN (SELECT CAST(value AS bigint) FROM json_each(?))",
            (last.id, json.dumps(active)),
        )
    return TrackPage(tuple(tracks[:limit]), _cursor(row[0] if row else "", last.id))


def _cursor(folded: str, track_id: int) -> str:
    text = json.dumps([folded, track_id], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _position(cursor: str) -> tuple[str, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        folded, track_id = json.loads(text)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise ValueError("after is no cursor of a page") from None
    if not isinstance(folded, str) or type(track_id) is not int or not 0 < track_id < 2**63:
        raise ValueError("after is no cursor of a page")
    return folded, track_id
