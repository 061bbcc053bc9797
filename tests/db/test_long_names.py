"""Names of ten thousand letters: stored whole, and sorted and found by their first letters."""

from __future__ import annotations

import random
from pathlib import Path

import aiosqlite

from db.address import PostgresAddress
from db.connection import Database, open_db
from db.listed_tracks import Places, find_listed
from db.migrate import load_migrations, migrate
from db.move import move
from db.tracks import Catalogue
from genrec.names import MOST_LETTERS, artist_key, fold, name_key
from tests.db.fakes import DIMENSION, MODEL, new_track, unit

_BEFORE = next(m.version for m in load_migrations() if m.name.endswith("_long_names")) - 1


def random_word(letters: int, first: int, last: int) -> str:
    """Return letters that do not compress."""
    dice = random.Random(letters + first)
    return "".join(chr(dice.randint(first, last)) for _ in range(letters))


LATIN = random_word(10_000, ord("a"), ord("z"))
IDEOGRAPHS = random_word(10_000, 0x4E00, 0x9FA5)
RARE = random_word(10_000, 0x20000, 0x2A6DF)  # four bytes each
LONG = (LATIN, IDEOGRAPHS, RARE, "word " * 2_000)


async def find(db: Database, text: str) -> list[str]:
    words = fold(text).split()
    found = await Catalogue(db).browse(MODEL, "library", text=" ".join(words), limit=50)
    return [track.title for track in found]


async def test_long_names_are_stored_whole_and_found_by_their_beginning(db: Database) -> None:
    catalogue = Catalogue(db)
    tracks = [
        *(new_track(n, artist="Band", title=title) for n, title in enumerate(LONG)),
        new_track(90, artist=LATIN[::-1], title="Short"),
        new_track(91, artist="!" * 5_000, title="Short"),
        new_track(92, artist=LATIN[:300], title=LATIN[300:600]),
    ]
    ids = await catalogue.add("library", MODEL, tracks)
    assert len(set(ids)) == len(tracks)
    assert await catalogue.add("library", MODEL, tracks) == ids
    held = await catalogue.browse(MODEL, "library", limit=50)
    assert {track.title for track in held} == {*LONG, "Short", LATIN[300:600]}
    assert [track.id for track in held] == [
        track_id
        for _, track_id in sorted(
            (name_key(track.artist, track.title), track_id)
            for track, track_id in zip(tracks, ids, strict=True)
        )
    ]
    assert await find(db, f"band {LATIN[:20]}") == [LATIN]
    assert await find(db, f"band {IDEOGRAPHS[:3]}") == [IDEOGRAPHS]
    assert (await catalogue.stats(MODEL)).artists == 4
    async with db.snapshot() as session:
        listed = await find_listed(
            session,
            MODEL,
            Places(scopes=("library",)),
            [{"artist": LATIN[:300], "title": LATIN[300:600]}, {"artist": "Band", "title": "A"}],
        )
    assert listed == [ids[-1], None]
    assert await catalogue.remove("library", ids) == len(ids)
    assert (await catalogue.stats(MODEL)).tracks == 0


async def test_long_names_move_to_postgresql_and_back(
    postgres_address: str, tmp_path: Path
) -> None:
    async with open_db(tmp_path / "a.db") as db:
        await Catalogue(db).add(
            "library", MODEL,
            [new_track(n, artist=title, title=title) for n, title in enumerate(LONG)],
        )  # fmt: skip
    assert (await move(tmp_path / "a.db", PostgresAddress(postgres_address))).tracks == len(LONG)
    assert (await move(PostgresAddress(postgres_address), tmp_path / "b.db")).tracks == len(LONG)
    async with open_db(tmp_path / "b.db") as db:
        titles = [track.title for track in await Catalogue(db).browse(MODEL, "library", limit=50)]
    assert sorted(titles) == sorted(LONG)


async def test_long_names_of_an_older_database_are_cut_and_counted(
    postgres_address: str, tmp_path: Path
) -> None:
    async with aiosqlite.connect(tmp_path / "a.db", isolation_level=None) as connection:
        await migrate(connection, load_migrations()[:_BEFORE])
        run = connection.execute_fetchall
        await run(
            "INSERT INTO generation (scope, model_id, dimension, state, tracks) VALUES"
            " ('library', ?, ?, 'active', 0)",
            (MODEL, DIMENSION),
        )
        for number, name in enumerate((LATIN, "short"), 1):
            await run("INSERT INTO track (scope, source) VALUES ('library', ?)", (f"/{number}",))
            await run(
                "INSERT INTO embedding (content, model_id, vector, heard, duration_s)"
                " VALUES (?, ?, ?, 'rock', 30)",
                (str(number), MODEL, unit(number).tobytes()),
            )
            await run(
                "INSERT INTO entry (generation_id, track_id, embedding_id, title, artist, genre,"
                " label, folded, artist_key) VALUES (1, ?1, ?1, ?2, ?2, 'rock', 'rock', ?3, ?2)",
                (number, name, fold(f"{name} {name}")),
            )
        await run(
            "INSERT INTO not_again (user_id, artist_key, name) VALUES (5, ?, 'name')", (LATIN,)
        )
    async with open_db(tmp_path / "a.db") as db:
        expected = [(name_key(name, name), artist_key(name)) for name in (LATIN, "short")]
        assert await db.all("SELECT folded, artist_key FROM entry ORDER BY track_id") == expected
        assert len(expected[0][0]) == len(expected[0][1]) == MOST_LETTERS
        stats = await Catalogue(db).stats(MODEL)
        assert (stats.tracks, stats.artists) == (2, 2)
        assert await db.all("SELECT artist_key FROM not_again") == [(artist_key(LATIN),)]
    assert (await move(tmp_path / "a.db", PostgresAddress(postgres_address))).tracks == 2
