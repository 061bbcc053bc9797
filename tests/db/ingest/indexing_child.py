"""A process to be killed that indexes a folder: DATABASE FOLDER LOG [ANALYSES, then it hangs]."""

from __future__ import annotations

import asyncio
import math
import sys
from pathlib import Path

from db.connection import open_db
from db.ingest.run import IngestJob, ingest
from genrec.types import Analysis
from tests.db.fakes import DIMENSION, LABELS, MODEL, FakeAnalyzer

CONCURRENCY = 4


class Hanging(FakeAnalyzer):
    """Hangs after ``analyses`` calls, so that a kill comes in the middle of a run."""

    analyses = math.inf

    async def analyze(self, path: Path) -> Analysis:
        if len(self.calls) >= self.analyses:
            await asyncio.Event().wait()
        return await super().analyze(path)


async def main(database: str, folder: str, log: str, analyses: str = "inf") -> None:
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
            analyzer = Hanging(delay_s=0.004, before=note)
            analyzer.analyses = float(analyses)
            await ingest(db, analyzer, job)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
