"""Pages of tracks by keyset: each track once, in order, whatever changes in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from db.connection import Database, open_db
from db.generations import NewTrack
from db.track_pages import track_page
from db.tracks import Catalogue

MODEL = "m@1"


def track(artist: str, title: str) -> NewTrack:
    x = np.random.default_rng(len(artist + title)).standard_normal(4).astype(np.float32)
    x /= np.linalg.norm(x)
    return NewTrack(
        title=title, artist=artist, genre="jazz", embedding=x, source=f"/music/{artist}/{title}.mp3"
    )


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "genrec.db") as opened:
        catalogue = Catalogue(opened)
        own = [track(f"Artist {n:02}", "Same Song") for n in range(0, 20, 2)]
        starter = [track(f"Artist {n:02}", "Same Song") for n in range(1, 20, 2)]
        await catalogue.add("library", MODEL, own)
        await catalogue.add("starter", MODEL, starter)
        await catalogue.add("guild:1", MODEL, [track("Artist 05", "Hidden")])
        yield opened


async def artists(
    db: Database, scopes: tuple[str, ...], *, limit: int, text: str = "", after: str = ""
) -> list[str]:
    found: list[str] = []
    while True:
        page = await track_page(db, MODEL, scopes, text=text, limit=limit, after=after)
        assert len(page.tracks) <= limit
        found += [each.artist for each in page.tracks]
        after = page.next
        if not after:
            return found


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 21, 50])
async def test_pages_of_two_scopes_hold_each_track_once_in_order(db: Database, limit: int) -> None:
    expected = [f"Artist {n:02}" for n in range(20)]
    assert await artists(db, ("library", "starter"), limit=limit) == expected
    assert await artists(db, ("library",), limit=limit) == expected[::2]


async def test_pages_with_words_hold_what_matches(db: Database) -> None:
    assert await artists(db, ("library", "starter"), limit=2, text="artist 1 song") == [
        f"Artist {n}" for n in range(10, 20)
    ]
    assert await artists(db, ("library",), limit=2, text="hidden") == []
    assert await artists(db, (), limit=2) == []


async def test_page_after_a_removed_track_goes_on_where_it_was(db: Database) -> None:
    first = await track_page(db, MODEL, ("library", "starter"), limit=5)
    assert await Catalogue(db).remove("library", [first.tracks[4].id]) == 1
    rest = await artists(db, ("library", "starter"), limit=50, after=first.next)
    assert rest == [f"Artist {n:02}" for n in range(5, 20)]


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "W10", "WyJhIiwgdHJ1ZV0", "WyJhIiwgLTFd", "é"])
async def test_text_that_is_no_cursor_is_refused(db: Database, cursor: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        await track_page(db, MODEL, ("library",), after=cursor)
