"""A PostgreSQL catalogue of made vectors, to measure pgvector beside the matrix."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import numpy as np
from numpy.typing import NDArray

from db.catalogue_rows import CatalogueRows, LabelColumn
from db.connection import open_db
from db.matrix import MatrixNeighbours
from db.neighbours import TrackFilter
from db.pgvector import PgNeighbours
from db.pgvector_index import build_index
from db.postgres import PostgresDatabase
from db.served import open_served
from genrec.description_codec import FIELDS
from genrec.seed_scores import SeedScores
from tests.benchmarks.search import library
from tests.db.postgres_server import PostgresServer

MODEL = "made-1"
GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "rock",
    "soul",
)
ARTISTS = 20_000
GUILD, OWN_TRACKS = "guild:7", 700
_PAGE = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Columns of a made catalogue; the id of a row is its place plus one."""

    matrix: NDArray[np.float32]
    genres: NDArray[np.int32]
    artists: NDArray[np.int32]

    @classmethod
    def of(cls, tracks: int, dimension: int = 64) -> Made:
        """Make a library of a size, whose last rows are a server's own."""
        rng = np.random.default_rng(5)
        genres = rng.integers(0, len(GENRES), tracks).astype(np.int32)
        artists = rng.integers(0, ARTISTS, tracks).astype(np.int32)
        return cls(library(tracks, dimension), genres, artists)

    def scope(self, row: int) -> str:
        """Return the scope of a row."""
        return "library" if row < len(self.matrix) - OWN_TRACKS else GUILD

    def in_memory(self) -> MatrixNeighbours:
        """Return the matrix over the same rows, without a database."""
        n = len(self.matrix)
        scopes = (np.arange(n) >= n - OWN_TRACKS).astype(np.int32)
        rows = CatalogueRows(
            1,
            MODEL,
            np.arange(1, n + 1),
            self.matrix,
            LabelColumn(self.artists, tuple(f"artist {i}" for i in range(ARTISTS))),
            LabelColumn(self.genres, GENRES),
            LabelColumn(scopes, ("library", GUILD)),
            np.full((n, len(FIELDS)), np.nan, dtype=np.float32),
        )
        return _Held(rows)

    async def write(self, address: str) -> None:
        """Write the rows with COPY; triggers are off and the counters are written at the end."""
        connection = await asyncpg.connect(address)
        try:
            await connection.execute("SET session_replication_role = replica")
            n = len(self.matrix)
            for number, (scope, count) in enumerate(
                (("library", n - OWN_TRACKS), (GUILD, OWN_TRACKS)), 1
            ):
                await connection.execute(
                    "INSERT INTO generation (id, scope, model_id, dimension, state, tracks)"
                    " VALUES ($1, $2, $3, $4, 'active', $5)",
                    number, scope, MODEL, self.matrix.shape[1], count,
                )  # fmt: skip
            for start in range(0, n, _PAGE):
                await self._copy(connection, range(start, min(n, start + _PAGE)))
            await connection.execute("ANALYZE")
        finally:
            await connection.close()

    async def _copy(self, connection: asyncpg.Connection, part: range) -> None:
        contents = {row: hashlib.sha256(b"%d" % row).hexdigest() for row in part}
        await connection.copy_records_to_table(
            "track", columns=["id", "scope", "source"],
            records=[(r + 1, self.scope(r), contents[r]) for r in part],
        )  # fmt: skip
        await connection.copy_records_to_table(
            "embedding", columns=["id", "content", "model_id", "vector", "heard", "duration_s"],
            records=[
                (r + 1, contents[r], MODEL, self.matrix[r].tobytes(), "rock", 200.0) for r in part
            ],
        )  # fmt: skip
        await connection.copy_records_to_table(
            "entry",
            columns=[
                "generation_id", "track_id", "embedding_id", "title", "artist", "genre", "label",
                "folded", "artist_key",
            ],
            records=[
                (
                    1 if self.scope(r) == "library" else 2, r + 1, r + 1, f"Song {r}",
                    f"Artist {self.artists[r]}", GENRES[self.genres[r]], GENRES[self.genres[r]],
                    f"song {r}", f"artist {self.artists[r]}",
                )
                for r in part
            ],
        )  # fmt: skip


class _Held(MatrixNeighbours):
    """The matrix over rows that no database has."""

    def __init__(self, rows: CatalogueRows) -> None:
        self._held = rows

    async def rows(self, scopes: object = None) -> CatalogueRows:
        """Return the rows."""
        return self._held


@asynccontextmanager
async def opened(server: PostgresServer, made: Made) -> AsyncIterator[PgNeighbours]:
    """Write a catalogue, fill the served table, build the graph, and yield the neighbours."""
    address = server.new_schema()
    async with open_db(address) as db:
        assert isinstance(db, PostgresDatabase)
        await made.write(address)
        schema = await open_served(db, MODEL)
        assert schema is not None
        await build_index(db, MODEL, schema)
        yield PgNeighbours(db, MODEL, schema)


def cpu_seconds(server: PostgresServer | None = None) -> float:
    """Return the CPU time of this process and of the server's, those that ended included."""
    used = time.process_time()
    if server is None:
        return used
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().rpartition(")")
        except OSError:  # it ended
            continue
        values = fields.split()
        if server.pid in (int(name.split()[0]), int(values[1])):
            times = values[11:15] if int(name.split()[0]) == server.pid else values[11:13]
            used += sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    return used


async def measure(
    search: Callable[[SeedScores, TrackFilter], Awaitable[NDArray[np.int64]]],
    scores: list[SeedScores], among: TrackFilter, server: PostgresServer | None,
) -> tuple[list[NDArray[np.int64]], float]:  # fmt: skip
    """Return the found ids of each search, and the mean CPU milliseconds of one."""
    for each in scores[:8]:
        await search(each, among)
    before = cpu_seconds(server)
    found = [await search(each, among) for each in scores]
    return found, 1000 * (cpu_seconds(server) - before) / len(scores)
