"""Taught genres in the database, and which genres of tracks are tags."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import numpy as np
import pytest

from db.connection import Database, backup_path, open_db
from db.guild_settings import forget_guild
from db.import_export import export_tracks, import_tracks
from db.ingest.run import IngestJob, ingest
from db.known_clips import known_clip
from db.migrate import load_migrations, migrate
from db.privacy import count_user_data, delete_user_data
from db.taught_genres import (
    MAX_CLIPS,
    MAX_TAUGHT,
    TaughtClip,
    TooManyGenres,
    export_taught,
    forget_genre,
    import_taught,
    is_tagged,
    tagged_tracks,
    taught_clips,
    taught_genres,
    taught_version,
    teach,
)
from db.tracks import Catalogue
from genrec.errors import GenrecError, ModelMismatch
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer, new_track, unit

SCOPE, ANN = "guild:7", 42
_BEFORE = next(m.version for m in load_migrations() if m.name.endswith("_own_genres")) - 1


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_db(tmp_path / "genrec.db") as opened:
        yield opened


def clips(*numbers: int, user: int | None = None) -> list[TaughtClip]:
    return [TaughtClip(f"content {n}", unit(n), user) for n in numbers]


async def test_clips_add_up_under_any_spelling_and_known_ones_count_once(db: Database) -> None:
    first = await teach(db, SCOPE, MODEL, "Dream Pop", clips(1, 2))
    assert (first.clips, first.added, first.left_out) == (2, 2, 0)
    again = await teach(db, SCOPE, MODEL, "dream-pop", clips(2, 3))
    assert (again.name, again.clips, again.added) == ("Dream Pop", 3, 1)
    found = await taught_clips(db, SCOPE, MODEL, DIMENSION)
    assert [name for name, _ in found] == ["Dream Pop"] * 3
    np.testing.assert_allclose(found[2][1], unit(3), atol=1e-6)


async def test_genre_and_scope_have_limits(db: Database) -> None:
    full = await teach(db, SCOPE, MODEL, "A", clips(*range(MAX_CLIPS + 3)))
    assert (full.clips, full.left_out) == (MAX_CLIPS, 3)
    more = await teach(db, SCOPE, MODEL, "A", clips(99))
    assert (more.clips, more.added, more.left_out) == (MAX_CLIPS, 0, 1)
    for n in range(1, MAX_TAUGHT):
        await teach(db, SCOPE, MODEL, f"genre {n}", clips(n))
    with pytest.raises(TooManyGenres, match=f"has {MAX_TAUGHT} taught genres"):
        await teach(db, SCOPE, MODEL, "one more", clips(1))
    await teach(db, "guild:8", MODEL, "one more", clips(1))


async def test_forgotten_genre_is_gone_with_its_clips(db: Database) -> None:
    await teach(db, SCOPE, MODEL, "Dub", clips(1))
    assert await forget_genre(db, "guild:8", "dub") is None
    before = await taught_version(db, SCOPE)
    assert await forget_genre(db, SCOPE, "DUB") == "Dub"
    assert await taught_version(db, SCOPE) != before
    assert await db.number("SELECT count(*) FROM taught_clip") == 0


async def test_clips_of_another_model_are_counted_and_not_used(db: Database) -> None:
    await teach(db, SCOPE, "old@1", "Dub", clips(1, 2))
    await teach(db, SCOPE, MODEL, "Dub", clips(3))
    (genre,) = await taught_genres(db, SCOPE, MODEL)
    assert (genre.clips, genre.others) == (1, 2)
    assert len(await taught_clips(db, SCOPE, MODEL, DIMENSION)) == 1


async def test_deleted_user_and_guild_stay_deleted_when_a_backup_is_restored(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    async with open_db(path) as db:
        await teach(db, SCOPE, MODEL, "Ours", clips(1, user=ANN))
        await teach(db, "guild:8", MODEL, "Theirs", clips(2, user=ANN))
        assert (await count_user_data(db, ANN)).clips_taught == 2
        await db.backup()
        await delete_user_data(db, ANN)
        await forget_guild(db, 7)
        assert [g.name for g in await taught_genres(db, "guild:8", MODEL)] == ["Theirs"]
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    path.write_bytes(backup_path(str(path)).read_bytes())
    async with open_db(path) as db:
        assert (await count_user_data(db, ANN)).clips_taught == 0
        assert await taught_genres(db, SCOPE, MODEL) == []
        assert len(await taught_genres(db, "guild:8", MODEL)) == 1


async def test_only_tags_count_as_tags(db: Database, tmp_path: Path) -> None:
    catalogue = Catalogue(db)
    tagged = new_track(1, genre="Dub", label="rock", tagged=True)
    ids = await catalogue.add("library", MODEL, [tagged, new_track(2, genre="rock")])
    assert await tagged_tracks(db, "library", MODEL) == [(ids[0], "Dub")]
    assert await is_tagged(db, ids[0])
    assert not await is_tagged(db, ids[1])
    known = await known_clip(db, "library", MODEL, tagged)
    assert known is not None
    assert known.tagged


async def test_folder_that_names_a_genre_is_a_tag_and_a_prediction_is_not(
    db: Database, tmp_path: Path
) -> None:
    music = tmp_path / "music"
    (music / "rock").mkdir(parents=True)
    (music / "rock" / "a.mp3").write_bytes(b"a")
    (music / "b.mp3").write_bytes(b"b")
    job = IngestJob(folder=music, model_id=MODEL, dimension=DIMENSION, labels=LABELS, concurrency=1)
    await ingest(db, FakeAnalyzer(), job)
    assert [genre for _, genre in await tagged_tracks(db, "library", MODEL)] == ["rock"]


async def test_export_and_import_keep_what_is_a_tag(db: Database) -> None:
    catalogue = Catalogue(db)
    tracks = [
        new_track(1, genre="Dub", label="rock", tagged=True),
        new_track(2, genre="rock", label="rock", tagged=True),
        new_track(3, genre="rock", label="rock"),
    ]
    await catalogue.add("library", MODEL, tracks)
    for form in ("csv", "json"):
        text = "".join([piece async for piece in export_tracks(catalogue, MODEL, form)])
        scope = f"guild:{len(form)}"
        await import_tracks(catalogue, text, scope=scope, model_id=MODEL, dimension=DIMENSION)
        found = [genre for _, genre in await tagged_tracks(db, scope, MODEL)]
        assert found == ["Dub", "rock"]


async def test_older_database_keeps_tags_that_differ_from_the_prediction(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await migrate(connection, load_migrations()[:_BEFORE])
        await connection.execute_fetchall(
            "INSERT INTO generation (scope, model_id, dimension, state, tracks) VALUES"
            " ('library', ?1, ?2, 'active', 2), ('starter', ?1, ?2, 'active', 1)",
            (MODEL, DIMENSION),
        )
        rows = ((1, 1, "Dub"), (1, 2, "rock"), (2, 3, "jazz"))
        for generation, number, genre in rows:
            scope = "library" if generation == 1 else "starter"
            await connection.execute_fetchall(
                "INSERT INTO track (scope, source) VALUES (?, ?)", (scope, f"/{number}.mp3")
            )
            await connection.execute_fetchall(
                "INSERT INTO embedding (content, model_id, vector, heard, duration_s)"
                " VALUES (?, ?, ?, 'rock', 30)",
                (str(number), MODEL, unit(number).tobytes()),
            )
            await connection.execute_fetchall(
                "INSERT INTO entry (generation_id, track_id, embedding_id, title, artist, genre,"
                " label, folded) VALUES (?, ?, ?, 'T', 'A', ?, 'rock', 'a t')",
                (generation, number, number, genre),
            )
    async with open_db(path) as db:
        assert [genre for _, genre in await tagged_tracks(db, "library", MODEL)] == ["Dub"]
        assert await tagged_tracks(db, "starter", MODEL) == []


async def test_export_moves_genres_and_a_second_import_adds_nothing(db: Database) -> None:
    await teach(db, SCOPE, MODEL, "Dub", clips(1, 2, user=ANN))
    await teach(db, SCOPE, MODEL, "Ska", clips(3))
    text = await export_taught(db, SCOPE, MODEL)
    assert str(ANN) not in text
    for added in (3, 0):
        moved = await import_taught(db, "library", text, model_id=MODEL, dimension=DIMENSION)
        assert sum(genre.added for genre in moved) == added
    old = await taught_clips(db, SCOPE, MODEL, DIMENSION)
    new = await taught_clips(db, "library", MODEL, DIMENSION)
    assert [name for name, _ in new] == ["Dub", "Dub", "Ska"]
    for (_, before), (_, after) in zip(old, new, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "genres",
    [
        None,
        3,
        [{"name": "X"}],
        [{"name": "X", "clips": [{"content": "c", "embedding": "AAAA"}]}],
        [{"name": "...", "clips": []}],
    ],
)
async def test_text_that_is_no_export_is_refused(db: Database, genres: object) -> None:
    text = "" if genres is None else json.dumps({"model_id": MODEL, "taught_genres": genres})
    with pytest.raises(GenrecError):
        await import_taught(db, SCOPE, text, model_id=MODEL, dimension=DIMENSION)
    assert await taught_genres(db, SCOPE, MODEL) == []


async def test_export_of_another_model_is_refused(db: Database) -> None:
    await teach(db, SCOPE, "old@1", "Dub", clips(1))
    text = await export_taught(db, SCOPE, "old@1")
    with pytest.raises(ModelMismatch, match="of the model old@1"):
        await import_taught(db, SCOPE, text, model_id=MODEL, dimension=DIMENSION)
