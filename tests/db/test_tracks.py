"""Tests of the catalogue: tracks by model and scope, browsing, and changes for indexes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db import generations
from db.connection import Database, open_db
from db.generations import NewTrack
from db.tracks import Catalogue, guild_scope, outdated_tracks
from genrec.description_codec import description_row
from genrec.errors import CatalogueError, ModelMismatch
from genrec.types import Track
from tests.db.fakes import (
    DIMENSION,
    LABELS,
    MODEL,
    description,
    fake_analysis,
    fingerprint,
    new_track,
    unit,
)

OTHER_MODEL = "fake@000000000002"


async def test_empty_catalogue_returns_nothing(catalogue: Catalogue) -> None:
    rows = await catalogue.load(MODEL)
    assert (len(rows.ids), rows.matrix.shape[0], rows.revision) == (0, 0, 0)
    assert rows.allowed(("library",), "rock").shape == (0,)
    assert await catalogue.browse(MODEL) == []
    assert await catalogue.tracks(MODEL, [1]) == {}
    assert (await catalogue.stats(MODEL)).tracks == 0


async def test_columns_of_loaded_rows_match(catalogue: Catalogue) -> None:
    library = await catalogue.add("library", MODEL, [new_track(seed) for seed in range(20)])
    guild = await catalogue.add(guild_scope(5), MODEL, [new_track(seed) for seed in range(20, 30)])
    rows = await catalogue.load(MODEL)
    assert rows.ids.dtype == np.int64
    assert rows.ids.tolist() == sorted(library + guild)
    assert rows.matrix.shape == (30, DIMENSION)
    assert rows.matrix.flags.c_contiguous
    by_id = dict(zip(library + guild, range(30), strict=True))
    for row, track_id in enumerate(rows.ids.tolist()):
        seed = by_id[track_id]
        assert np.array_equal(rows.matrix[row], unit(seed))
        assert rows.artists[row] == f"artist {seed % 7}"
        assert rows.genres[row] == LABELS[seed % 3]
        assert rows.scopes[row] == ("library" if seed < 20 else "guild:5")
    allowed = rows.allowed({"library"}, "rock")
    assert [by_id[track_id] for track_id in rows.ids[allowed].tolist()] == [2, 5, 8, 11, 14, 17]
    assert rows.allowed({"guild:6"}).sum() == 0


async def test_tracks_of_two_models_are_separate(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(1), new_track(2)])
    await catalogue.add("library", OTHER_MODEL, [new_track(1, embedding=unit(1, 16))])
    assert (await catalogue.load(MODEL)).matrix.shape == (2, DIMENSION)
    assert (await catalogue.load(OTHER_MODEL)).matrix.shape == (1, 16)
    assert (await catalogue.stats(MODEL)).other_models == {OTHER_MODEL: 1}
    with pytest.raises(ModelMismatch, match="16"):
        await catalogue.add("library", MODEL, [new_track(3, embedding=unit(1, 16))])
    with pytest.raises(ModelMismatch, match="does not fit"):
        await catalogue.add("library", MODEL, [new_track(4), new_track(3, embedding=unit(1, 16))])
    assert await catalogue.count(MODEL) == 2


async def test_tracks_and_fingerprints_are_returned_by_id(catalogue: Catalogue) -> None:
    one, two = await catalogue.add(
        "library", MODEL, [new_track(1), new_track(2, fingerprint=None, artist=" ")]
    )
    assert await catalogue.tracks(MODEL, [two, one, 999]) == {
        one: Track(one, "Song 1", "Artist 1", "hiphop", "/music/1.mp3", "library"),
        two: Track(two, "Song 2", "Unknown artist", "rock", "/music/2.mp3", "library"),
    }
    prints = await catalogue.fingerprints(MODEL, np.array([one, two]))
    assert prints.keys() == {one}
    assert np.array_equal(prints[one], fingerprint(1))


def test_track_of_an_analysis_defaults_to_the_predicted_genre() -> None:
    analysis = fake_analysis(b"a clip")
    predicted = analysis.scores[0].label
    track = NewTrack.of(analysis, title="Song", artist="Artist", content="ab" * 32)
    assert (track.genre, track.label, track.predicted) == (predicted,) * 3
    assert (track.source, track.content, track.duration_s) == ("", "ab" * 32, 30.0)
    assert track.embedding is analysis.embedding
    assert track.fingerprint is analysis.fingerprint
    named = NewTrack.of(
        analysis, title="Song", artist="", content="ab", genre="Post-Rock", label="rock"
    )
    assert (named.genre, named.label, named.predicted) == ("Post-Rock", "rock", predicted)
    silent = replace(analysis, scores=())
    assert NewTrack.of(silent, title="Song", artist="", content="ab").genre == ""


async def test_track_with_a_known_source_is_replaced_and_keeps_its_id(catalogue: Catalogue) -> None:
    (first,) = await catalogue.add("library", MODEL, [new_track(1)])
    (again,) = await catalogue.add("library", MODEL, [new_track(2, source="/music/1.mp3")])
    assert again == first
    rows = await catalogue.load(MODEL)
    assert rows.ids.tolist() == [first]
    assert np.array_equal(rows.matrix[0], unit(2))


async def test_track_without_source_is_identified_by_its_content(catalogue: Catalogue) -> None:
    clip = new_track(1, source="", content="ab" * 32)
    ids = [await catalogue.add("guild:1", MODEL, [clip]) for _ in range(2)]
    assert ids[0] == ids[1]
    (track,) = await catalogue.browse(MODEL, "guild:1")
    assert track.source == "sha256:" + "ab" * 32


async def test_removal_is_of_one_scope_and_complete(catalogue: Catalogue) -> None:
    (mine,) = await catalogue.add("guild:1", MODEL, [new_track(1)])
    (theirs,) = await catalogue.add("guild:2", MODEL, [new_track(1)])
    assert await catalogue.remove("guild:1", [theirs, 999]) == 0
    assert await catalogue.remove("guild:1", [mine]) == 1
    assert (await catalogue.load(MODEL)).ids.tolist() == [theirs]
    assert len(await catalogue.fingerprints(MODEL, [theirs])) == 1  # shared with the other scope
    assert await catalogue.remove("guild:2", [theirs]) == 1
    for table in ("entry", "track", "embedding", "fingerprint"):
        assert await catalogue.db.number(f"SELECT count(*) FROM {table}") == 0


async def test_id_is_never_reused(catalogue: Catalogue) -> None:
    (first,) = await catalogue.add("guild:1", MODEL, [new_track(1)])
    await catalogue.remove("guild:1", [first])
    (second,) = await catalogue.add("guild:1", MODEL, [new_track(2)])
    assert second > first


async def test_browse_finds_words_in_any_spelling(catalogue: Catalogue) -> None:
    names = [("Beyoncé", "Halo"), ("Björk", "Jóga"), ("AC/DC", "T.N.T."), ("Halo", "100%_sure")]
    tracks = [
        new_track(seed, artist=artist, title=title) for seed, (artist, title) in enumerate(names)
    ]
    await catalogue.add("library", MODEL, tracks)

    async def titles(text: str) -> list[str]:
        return [track.title for track in await catalogue.browse(MODEL, "library", text=text)]

    assert await titles("") == ["T.N.T.", "Halo", "Jóga", "100%_sure"]
    assert await titles("halo BEYONCE") == ["Halo"]
    assert await titles("bjork") == ["Jóga"]
    assert await titles("tnt") == []
    assert await titles("100% sure") == ["100%_sure"]
    assert await catalogue.count(MODEL, text="halo") == 2
    pages = [await catalogue.browse(MODEL, limit=3, offset=offset) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 1, 0]


async def test_stats_count_active_tracks(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(0, artist="The Band"), new_track(3)])
    await catalogue.add("guild:1", MODEL, [new_track(6, artist="band")])
    stats = await catalogue.stats(MODEL)
    assert (stats.tracks, stats.artists) == (3, 2)
    assert stats.by_scope == {"library": 2, "guild:1": 1}
    assert stats.by_genre == {"blues": 3}


async def test_changes_list_added_and_removed_tracks(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(1)])
    rows = await catalogue.load(MODEL)
    added = await catalogue.add("library", MODEL, [new_track(2), new_track(3)])
    await catalogue.add("library", OTHER_MODEL, [new_track(9)])
    await catalogue.remove("library", added[:1])
    changes = await catalogue.changes_since(MODEL, rows.revision)
    assert (changes.reload, changes.put, changes.removed) == (False, (added[1],), (added[0],))
    assert changes.revision == await catalogue.revision() > rows.revision
    more = await catalogue.load(MODEL, changes.put)
    assert more.ids.tolist() == [added[1]]
    assert np.array_equal(more.matrix[0], unit(3))
    nothing = await catalogue.changes_since(MODEL, changes.revision)
    assert (nothing.reload, nothing.put, nothing.removed) == (False, (), ())


async def test_activation_or_lost_changes_require_a_reload(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not (await catalogue.changes_since(MODEL, 0)).reload
    monkeypatch.setattr(generations, "_MAX_CHANGES", 3)
    revision = 0
    for seed in range(3):
        await catalogue.add("library", MODEL, [new_track(seed)])
        revision = revision or await catalogue.revision()
    assert not (await catalogue.changes_since(MODEL, revision)).reload
    await catalogue.add("library", MODEL, [new_track(9)])
    assert (await catalogue.changes_since(MODEL, revision)).reload
    assert (await catalogue.changes_since(MODEL, 0)).reload
    revision = await catalogue.revision()
    await catalogue.remove_scope("library")
    changes = await catalogue.changes_since(MODEL, revision)
    assert changes.reload
    assert not (await catalogue.changes_since(MODEL, changes.revision)).reload


async def test_load_with_a_wrong_track_count_is_refused(db: Database) -> None:
    catalogue = Catalogue(db)
    await catalogue.add("library", MODEL, [new_track(1), new_track(2)])
    await db.run("UPDATE generation SET tracks = 3")
    with pytest.raises(CatalogueError, match=r"has 2 tracks .* count is 3"):
        await catalogue.load(MODEL)


async def test_track_without_title_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="no title"):
        await catalogue.add("library", MODEL, [new_track(1, title="  ")])
    assert await catalogue.db.number("SELECT count(*) FROM embedding") == 0


@pytest.mark.slow
async def test_load_of_100_000_tracks_is_fast(tmp_path: Path) -> None:
    count, batch = 100_000, 5000
    vectors = np.random.default_rng(0).standard_normal((count, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    async with open_db(tmp_path / "a.db") as db:
        catalogue = Catalogue(db)
        for start in range(0, count, batch):
            tracks = [
                NewTrack(
                    title=f"Song {n}",
                    artist=f"Artist {n % 20_000}",
                    genre="rock",
                    embedding=vectors[n],
                    source=f"/{n}",
                )
                for n in range(start, start + batch)
            ]
            await catalogue.add("library", MODEL, tracks)
        ticks, stop = 0, False

        async def tick() -> None:
            nonlocal ticks
            while not stop:
                await asyncio.sleep(0.01)
                ticks += 1

        ticker = asyncio.create_task(tick())
        start_s = time.process_time()
        rows = await catalogue.load(MODEL)
        spent_s = time.process_time() - start_s
        stop = True
        await ticker
    assert np.array_equal(rows.matrix, vectors)
    assert spent_s < 5.0, "seconds of CPU; about 1 on an idle machine"
    assert ticks >= 5, "the event loop must not be blocked"


async def test_outdated_tracks_are_those_that_only_another_model_analysed(
    catalogue: Catalogue,
) -> None:
    assert await outdated_tracks(catalogue.db, MODEL) == {}
    other = [new_track(seed, embedding=unit(seed, 16)) for seed in range(4)]
    await catalogue.add("library", OTHER_MODEL, other[:3])
    await catalogue.add("guild:5", OTHER_MODEL, other[3:])
    await catalogue.add("starter", OTHER_MODEL, other[:2])
    assert await outdated_tracks(catalogue.db, MODEL) == {"guild:5": 1, "library": 3}
    await catalogue.add("library", MODEL, [new_track(1)])
    assert await outdated_tracks(catalogue.db, MODEL) == {"guild:5": 1}
    assert await outdated_tracks(catalogue.db, OTHER_MODEL) == {}


async def test_a_later_analysis_adds_a_missing_description(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(1, content="a", description=None)])
    assert np.isnan((await catalogue.load(MODEL)).descriptions).all()
    await catalogue.add("library", MODEL, [new_track(1, content="a")])
    rows = await catalogue.load(MODEL)
    assert rows.descriptions[0].tolist() == pytest.approx(description_row(description(1)))
    await catalogue.add("library", MODEL, [new_track(1, content="a", description=None)])
    assert not np.isnan((await catalogue.load(MODEL)).descriptions).any()
