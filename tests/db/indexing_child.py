"""A process that indexes a folder, to be killed: DATABASE FOLDER LOG."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from db.connection import open_db
from db.ingest import IngestJob, ingest
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyser

CONCURRENCY = 4


async def main(database: str, folder: str, log: str) -> None:
    with Path(log).open("a", encoding="utf-8") as calls:

        def note(path: Path) -> None:
            calls.write(f"{path}\n")
            calls.flush()

        job = IngestJob(
            folder=Path(folder), model_id=MODEL, dimension=DIMENSION, labels=LABELS,
            concurrency=CONCURRENCY,
        )  # fmt: skip
        async with open_db(database) as db:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await ingest(db, FakeAnalyser(delay_s=0.004, before=note), job)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
