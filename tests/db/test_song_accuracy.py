"""How often the songs of the starter catalogue are found by the names that pages give them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from db.connection import Database, open_db
from db.similar_names import similar_names
from db.starter_scope import replace_starter
from db.tracks import STARTER, Catalogue
from genrec.names import artist_key, song_key
from genrec.page_titles import readings
from genrec.preset import Preset
from genrec.song_match import match_song
from genrec.types import Track
from tests.repository import ROOT

PRESET = ROOT / "models" / "resnet50"
Form = Callable[[str, str, random.Random], tuple[str, str]]


def swapped(name: str, rng: random.Random) -> str:
    """Return a name with two letters swapped."""
    at = rng.randrange(1, max(2, len(name) - 1))
    return name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :]


# Title and account of a page, and the least share of songs that are found for sure. The others
# are offered in a list.
FORMS: dict[str, tuple[Form, float]] = {
    "video": (lambda t, a, _: (f"{a} - {t} (Official Video)", "A Label"), 1.0),
    "topic": (lambda t, a, _: (t, f"{a} - Topic"), 1.0),
    "title first": (lambda t, a, _: (f"{t} - {a}", "A Label"), 0.97),
    "remaster": (lambda t, a, _: (f"{a} - {t} - 2011 Remaster [HD]", "A Label"), 0.97),
    "typos": (lambda t, a, r: (f"{swapped(a, r)} - {swapped(t, r)} | Lyrics", "A Label"), 0.4),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["file", "postgres"])
async def starter(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Database, str]]:
    """Return a database with the shipped starter catalogue, and its model's id."""
    preset = Preset.load(PRESET)
    tracks = preset.starter()
    assert tracks is not None
    location: Path | str = tmp_path_factory.mktemp("starter") / "genrec.db"
    if request.param == "postgres":
        location = request.getfixturevalue("postgres_server").new_schema()
    async with open_db(location) as db:
        await replace_starter(db, preset.model_id, tracks)
        yield db, preset.model_id


def is_same(one: Track, other: Track) -> bool:
    keys = [(artist_key(track.artist), song_key(track.title)) for track in (one, other)]
    return keys[0] == keys[1]


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("form", FORMS)
async def test_songs_of_the_starter_catalogue_are_found(
    starter: tuple[Database, str], form: str
) -> None:
    db, model_id = starter
    rng, (make, least) = random.Random(form), FORMS[form]
    songs = await Catalogue(db).browse(model_id, STARTER, limit=10_000)
    counts = Counter[str]()
    for song in songs:
        names = readings(*make(song.title, song.artist, rng), uploader=True)
        outcome = "not found"
        async for found in similar_names(db, model_id, [STARTER], names):
            others = [track for track in found if not is_same(track, song)]
            assert match_song(names, others).sure is None, (form, song)
            match = match_song(names, found)
            if match.sure is not None or match.similar:
                same = match.sure is not None and is_same(match.sure, song)
                offered = any(is_same(track, song) for track in match.similar)
                outcome = "sure" if same else "offered" if offered else "wrong"
                break
        counts[outcome] += 1
    print(db.engine, form, dict(counts))  # noqa: T201 - pytest -s shows the figures
    assert counts["wrong"] == 0
    assert counts["sure"] >= least * len(songs)
    assert counts["sure"] + counts["offered"] >= 0.9 * len(songs)
