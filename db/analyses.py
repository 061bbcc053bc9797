"""Cache of analyses by content hash and model, so that the same bytes are analysed once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence

from db.connection import Database
from db.vectors import (
    pack_fingerprint,
    pack_preview,
    pack_vector,
    unpack_fingerprint,
    unpack_preview,
    unpack_vector,
)
from genrec.errors import CatalogueError
from genrec.types import Analysis, GenreScore


class AnalysisCache:
    """Least-recently-used cache of at most ``max_rows`` analyses in the database."""

    def __init__(self, db: Database, *, max_rows: int = 10_000) -> None:
        self.db = db
        self.max_rows = max_rows

    async def get(self, sha256: str, model_id: str) -> Analysis | None:
        """Return the model's cached analysis of these bytes, without timings, or None."""
        row = await self.db.one(
            "SELECT embedding, scores, fingerprint, duration_s, analyzed_s, preview FROM analysis"
            " WHERE sha256 = ? AND model_id = ?",
            (sha256, model_id),
        )
        if row is None:
            return None
        # A database that cannot be written, as on a full disk, still returns what it has.
        with contextlib.suppress(CatalogueError):
            await self.db.run(
                "UPDATE analysis SET used = (SELECT max(used) + 1 FROM analysis)"
                " WHERE sha256 = ? AND model_id = ?",
                (sha256, model_id),
            )
        embedding, scores, fingerprint, duration_s, analyzed_s, preview = row
        return Analysis(
            model_id=model_id,
            embedding=unpack_vector(embedding),
            scores=tuple(
                GenreScore(label, probability) for label, probability in json.loads(scores)
            ),
            fingerprint=unpack_fingerprint(fingerprint),
            duration_s=duration_s,
            analyzed_s=analyzed_s,
            preview=None if preview is None else unpack_preview(preview),
        )

    async def put(self, sha256: str, analysis: Analysis) -> None:
        """Store an analysis of these bytes."""
        scores = json.dumps([(score.label, score.probability) for score in analysis.scores])
        async with self.db.transaction() as tx:
            await tx.run(
                "INSERT OR REPLACE INTO analysis (sha256, model_id, embedding, scores, fingerprint,"
                " duration_s, analyzed_s, preview, used)"
                " SELECT ?, ?, ?, ?, ?, ?, ?, ?, coalesce(max(used), 0) + 1 FROM analysis",
                (
                    sha256,
                    analysis.model_id,
                    pack_vector(analysis.embedding),
                    scores,
                    pack_fingerprint(analysis.fingerprint),
                    analysis.duration_s,
                    analysis.analyzed_s,
                    None if analysis.preview is None else pack_preview(analysis.preview),
                ),
            )
            surplus = await tx.number("SELECT count(*) FROM analysis") - self.max_rows
            if surplus > 0:
                await tx.run(
                    "DELETE FROM analysis WHERE used IN"
                    " (SELECT used FROM analysis ORDER BY used LIMIT ?)",
                    (surplus,),
                )

    async def delete_models(self, models: Sequence[str]) -> int:
        """Delete the analyses of these models and return their number."""
        return await self.db.run(
            "DELETE FROM analysis WHERE model_id IN (SELECT value FROM json_each(?))",
            (json.dumps(models),),
        )
