"""Damaged embeddings are left out, counted, and repaired by the next index."""

from __future__ import annotations

import json
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest

from db.analyses import AnalysisCache
from db.connection import Database, open_db
from db.damaged import damaged_tracks
from db.index import live
from db.index.live import LiveIndex
from db.ingest.run import IngestJob, ingest
from db.starter_scope import replace_starter
from db.tracks import Catalogue
from db.vectors import pack_vector, sound_vectors
from genrec.errors import CatalogueError
from genrec.preset import StarterCatalogue
from tests.db.fakes import (
    DIMENSION,
    LABELS,
    MODEL,
    FakeAnalyzer,
    fake_analysis,
    fill,
    fingerprint,
    new_track,
    unit,
)

GOOD = pack_vector(unit(1))


def _flip(blob: bytes, bit: int) -> bytes:
    """Flip a bit of the largest number, as a failing disk does."""
    place = int(np.abs(np.frombuffer(blob, "<f4")).argmax())
    (word,) = struct.unpack_from("<I", blob, 4 * place)
    changed = bytearray(blob)
    struct.pack_into("<I", changed, 4 * place, word ^ (1 << bit))
    return bytes(changed)


DAMAGED = {
    "nan": struct.pack("<f", float("nan")) + GOOD[4:],
    "infinite": struct.pack("<f", float("-inf")) + GOOD[4:],
    "huge": struct.pack("<f", 3e38) + GOOD[4:],
    "zeros": bytes(len(GOOD)),
    "short": GOOD[:-4],
    "cut": GOOD[:-1],
    "long": GOOD + GOOD,
    "empty": b"",
    **{f"bit {bit}": _flip(GOOD, bit) for bit in (22, 23, 25, 27, 28, 29, 30)},
}


async def _damage(db: Database, track_id: int, blob: bytes = DAMAGED["huge"]) -> None:
    await db.run(
        "UPDATE embedding SET vector = ? WHERE id IN"
        " (SELECT embedding_id FROM entry WHERE track_id = ?)",
        (blob, track_id),
    )


def _job(folder: Path) -> IngestJob:
    return IngestJob(folder=folder, model_id=MODEL, dimension=DIMENSION, labels=LABELS)


@pytest.mark.parametrize("blob", DAMAGED.values(), ids=DAMAGED)
def test_damaged_vector_is_found(blob: bytes) -> None:
    matrix, sound = sound_vectors([GOOD, blob, GOOD], DIMENSION)
    assert sound.tolist() == [True, False, True]
    assert matrix.tolist() == [unit(1).tolist()] * 2
    assert not matrix.flags.writeable


@pytest.mark.parametrize("blob", DAMAGED.values(), ids=DAMAGED)
async def test_damaged_track_is_left_out_and_counted(
    db: Database, blob: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    catalogue = Catalogue(db)
    ids = await catalogue.add("library", MODEL, [new_track(seed) for seed in range(6)])
    await _damage(db, ids[2], blob)
    index = LiveIndex(db, MODEL)
    rows = await index.rows()
    assert rows.ids.tolist() == [ids[0], ids[1], *ids[3:]]
    assert np.allclose(np.linalg.norm(rows.matrix, axis=1), 1)
    assert rows.artists[2] == "artist 3"
    assert index.damaged == 1
    assert await damaged_tracks(db, MODEL) == [ids[2]]
    assert await damaged_tracks(db, MODEL, "starter") == []
    assert "1 tracks" in caplog.text
    # A track that is added later, and the removal of the damaged one, are applied as ever.
    (late,) = await catalogue.add("library", MODEL, [new_track(9)])
    assert late in (await index.rows()).ids
    assert index.damaged == 1
    await catalogue.remove("library", [ids[2]])
    await index.rows()
    assert index.damaged == 0


async def test_catalogue_of_damaged_tracks_only_is_empty(db: Database) -> None:
    (track_id,) = await Catalogue(db).add("library", MODEL, [new_track(1)])
    await _damage(db, track_id)
    rows = await LiveIndex(db, MODEL).rows()
    assert len(rows.ids) == 0
    assert rows.damaged == {track_id}


async def test_snapshot_counts_the_damaged_tracks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_MIN_SNAPSHOT_TRACKS", 1)
    async with open_db(tmp_path / "a.db") as db:
        ids = await Catalogue(db).add("library", MODEL, [new_track(seed) for seed in range(4)])
        await _damage(db, ids[0])
        first = LiveIndex(db, MODEL)
        await first.rows()
        assert await first.save_snapshot()
        second = LiveIndex(db, MODEL)
        assert (await second.rows()).ids.tolist() == ids[1:]
        assert second.damaged == 1


async def test_next_index_analyses_damaged_tracks_again(db: Database, tmp_path: Path) -> None:
    fill(tmp_path / "music", 6)
    analyzer = FakeAnalyzer()
    await ingest(db, analyzer, _job(tmp_path / "music"))
    before = await Catalogue(db).load(MODEL)
    victim = int(before.ids[2])
    await _damage(db, victim)
    analyzer.calls.clear()
    report = await ingest(db, analyzer, _job(tmp_path / "music"))
    assert (report.analyzed, report.unchanged, report.tracks) == (1, 5, 6)
    after = await Catalogue(db).load(MODEL)
    assert after.ids.tolist() == before.ids.tolist()
    assert np.array_equal(after.matrix, before.matrix)
    assert await damaged_tracks(db, MODEL) == []
    again = await ingest(db, analyzer, _job(tmp_path / "music"))
    assert (again.analyzed, again.switched) == (0, False)


async def test_damaged_track_of_another_folder_stays_until_its_own_index(
    db: Database, tmp_path: Path
) -> None:
    fill(tmp_path / "one", 2)
    fill(tmp_path / "two", 3)
    for path in (tmp_path / "two").iterdir():
        path.write_bytes(b"other " + path.read_bytes())
    analyzer = FakeAnalyzer()
    await ingest(db, analyzer, _job(tmp_path / "two"))
    victim = int((await Catalogue(db).load(MODEL)).ids[0])
    await _damage(db, victim)
    await ingest(db, analyzer, _job(tmp_path / "one"))
    assert await damaged_tracks(db, MODEL) == [victim]
    assert await Catalogue(db).count(MODEL) == 5
    await ingest(db, analyzer, _job(tmp_path / "two"))
    assert await damaged_tracks(db, MODEL) == []


async def test_added_clip_repairs_the_tracks_with_the_same_content(db: Database) -> None:
    catalogue = Catalogue(db)
    ours, theirs = new_track(1, content="c", source="a"), new_track(1, content="c", source="b")
    (track_id,) = await catalogue.add("guild:1", MODEL, [ours])
    index = LiveIndex(db, MODEL)
    await _damage(db, track_id)
    assert len((await index.rows()).ids) == 0
    (other_id,) = await catalogue.add("guild:2", MODEL, [theirs])
    assert set((await index.rows()).ids.tolist()) - {0} == {track_id, other_id}
    assert index.damaged == 0


async def test_damaged_starter_track_is_restored_from_the_preset(db: Database) -> None:
    starter = StarterCatalogue(
        names=["a", "b"], titles=["A", "B"], artists=["x", "y"], genres=["rock", "rock"],
        embeddings=np.array([unit(1), unit(2)]),
        fingerprints=np.array([fingerprint(1), fingerprint(2)]),
    )  # fmt: skip
    assert await replace_starter(db, MODEL, starter)
    assert not await replace_starter(db, MODEL, starter)
    await _damage(db, int((await Catalogue(db).load(MODEL)).ids[0]))
    assert await replace_starter(db, MODEL, starter)
    assert len((await Catalogue(db).load(MODEL)).ids) == 2


async def test_starter_that_cannot_be_repaired_is_served_without_the_damaged_track(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = StarterCatalogue(
        names=["a", "b"], titles=["A", "B"], artists=["x", "y"], genres=["rock", "rock"],
        embeddings=np.array([unit(1), unit(2)]),
        fingerprints=np.array([fingerprint(1), fingerprint(2)]),
    )  # fmt: skip
    await replace_starter(db, MODEL, starter)
    await _damage(db, int((await Catalogue(db).load(MODEL)).ids[0]))

    def full(*_: object, **__: object) -> None:
        raise CatalogueError("The disk is full.")

    monkeypatch.setattr(db, "transaction", full)
    assert not await replace_starter(db, MODEL, starter)
    assert len((await Catalogue(db).load(MODEL)).ids) == 1


async def test_damaged_fingerprint_is_as_good_as_none(db: Database) -> None:
    catalogue = Catalogue(db)
    ids = await catalogue.add("library", MODEL, [new_track(1), new_track(2)])
    await db.run("UPDATE fingerprint SET print = ? WHERE embedding_id = 1", (b"\xff\xff",))
    assert list(await catalogue.fingerprints(MODEL, ids)) == [ids[1]]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("embedding", DAMAGED["huge"]),
        ("embedding", b"abc"),
        ("fingerprint", b"\xff"),
        ("preview", b"\xff" * 9),
        ("scores", "[]"),
        ("scores", "{"),
        ("scores", '[["rock", NaN]]'),
        ("scores", '[["rock", 7]]'),
        ("scores", "[" * 9999),
        ("scores", '[["rock"]]'),
    ],
)
async def test_damaged_cached_analysis_is_a_miss_and_is_replaced(
    db: Database, column: str, value: object
) -> None:
    cache, analysis = AnalysisCache(db), fake_analysis(b"clip")
    await cache.put("sum", analysis)
    await db.run(f"UPDATE analysis SET {column} = ?", (value,))
    assert await cache.get("sum", MODEL) is None
    await cache.put("sum", analysis)
    assert await cache.get("sum", MODEL) is not None


@pytest.mark.parametrize("version", [-3, -(2**31), 2, 2**31 - 1, 0])
async def test_impossible_schema_version_is_a_sentence(tmp_path: Path, version: int) -> None:
    path = tmp_path / "a.db"
    async with open_db(path) as db:
        await Catalogue(db).add("library", MODEL, [new_track(1)])
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(CatalogueError) as error:
        async with open_db(path):
            pytest.fail("opened")
    assert json.dumps(str(error.value)).endswith('."')


async def test_missing_table_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    async with open_db(path) as db:
        await db.run("DROP TABLE feedback")
    with pytest.raises(CatalogueError, match="table feedback"):
        async with open_db(path):
            pytest.fail("opened")
