"""Cache of analyses by content hash and model, so that the same bytes are analysed once."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from db.connection import Database
from db.upsert import upsert
from db.vectors import (
    pack_fingerprint,
    pack_preview,
    pack_vector,
    unpack_fingerprint,
    unpack_preview,
    unpack_vector,
)
from genrec.description_codec import pack_description, unpack_description
from genrec.errors import CatalogueError
from genrec.types import Analysis, GenreScore

log = logging.getLogger(__name__)

MIN_PREFIX = 32  # hex digits of a digest that name one file
_COLUMNS = (
    "embedding, scores, fingerprint, duration_s, analyzed_s, preview, music, description, parts"
)

_PUT = upsert("analysis", ("sha256", "model_id"), (*_COLUMNS.split(", "), "used"))


class AnalysisCache:
    """Least-recently-used cache of at most ``max_rows`` analyses in the database."""

    def __init__(self, db: Database, *, max_rows: int = 10_000) -> None:
        self.db = db
        self.max_rows = max_rows

    async def get(self, sha256: str, model_id: str) -> Analysis | None:
        """Return the model's cached analysis of these bytes, without timings, or None."""
        row = await self.db.one(
            f"SELECT {_COLUMNS} FROM analysis WHERE sha256 = ? AND model_id = ?",
            (sha256, model_id),
        )
        analysis = None if row is None else _analysis(model_id, row)
        if analysis is None:  # a damaged row is replaced by the next ``put``
            return None
        # A database that cannot be written, as on a full disk, still returns what it has.
        with contextlib.suppress(CatalogueError):
            await self.db.run(
                "UPDATE analysis SET used = ? WHERE sha256 = ? AND model_id = ?",
                (time.time_ns(), sha256, model_id),
            )
        return analysis

    async def find(self, prefix: str, model_id: str) -> Analysis | None:
        """Return the model's cached analysis of the bytes whose digest begins with ``prefix``.

        The result is None for several such analyses, and for a prefix of fewer than 32 hex digits.
        """
        if len(prefix) < MIN_PREFIX or not set(prefix) <= set("0123456789abcdef"):
            return None
        rows = await self.db.all(
            f"SELECT {_COLUMNS} FROM analysis"
            " WHERE sha256 >= ? AND sha256 < ? AND model_id = ? LIMIT 2",
            (prefix, prefix + "g", model_id),
        )
        return _analysis(model_id, rows[0]) if len(rows) == 1 else None

    async def put(self, sha256: str, analysis: Analysis) -> None:
        """Store an analysis of these bytes."""
        described = analysis.description
        scores = json.dumps([(score.label, score.probability) for score in analysis.scores])
        async with self.db.transaction() as tx:
            await tx.run(
                _PUT,
                (
                    sha256,
                    analysis.model_id,
                    pack_vector(analysis.embedding),
                    scores,
                    pack_fingerprint(analysis.fingerprint),
                    analysis.duration_s,
                    analysis.analyzed_s,
                    None if analysis.preview is None else pack_preview(analysis.preview),
                    analysis.music,
                    None if described is None else pack_description(described),
                    json.dumps(analysis.parts) if analysis.parts else None,
                    time.time_ns(),
                ),
            )
            surplus = await tx.number("SELECT count(*) FROM analysis") - self.max_rows
            if surplus > 0:
                await tx.run(
                    "DELETE FROM analysis WHERE (sha256, model_id) IN"
                    " (SELECT sha256, model_id FROM analysis ORDER BY used LIMIT ?)",
                    (surplus,),
                )

    async def delete_models(self, models: Sequence[str]) -> int:
        """Delete the analyses of these models and return their number."""
        return await self.db.run(
            "DELETE FROM analysis WHERE model_id IN (SELECT value FROM json_each(?))",
            (json.dumps(models),),
        )


def _analysis(model_id: str, row: tuple[Any, ...]) -> Analysis | None:
    """Decode a row, or return None if any part of it is damaged."""
    embedding, scores, fingerprint, duration_s, analyzed_s, preview, music, described, parts = row
    try:
        vector = unpack_vector(embedding)
        pack_vector(vector)  # raises unless its length is 1
        return Analysis(
            model_id=model_id,
            embedding=vector,
            scores=_scores(scores),
            fingerprint=unpack_fingerprint(fingerprint),
            duration_s=duration_s,
            analyzed_s=analyzed_s,
            preview=None if preview is None else unpack_preview(preview),
            music=_probability(music),
            description=None if described is None else unpack_description(described),
            parts=() if parts is None else _parts(parts),
        )
    except (CatalogueError, ValueError, TypeError, RecursionError) as error:
        log.warning("cached analysis damaged, analysing again: %s", error)
        return None


def _probability(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"music={value}: expected 0..1")
    return float(value)


def _parts(text: str) -> tuple[tuple[float, float], ...]:
    parts = tuple((float(start), float(end)) for start, end in json.loads(text))
    times = [time for part in parts for time in part]
    if times != sorted(times) or not all(0.0 <= time <= 1e9 for time in times):
        raise ValueError("parts: expected rising seconds")
    return parts


def _scores(text: str) -> tuple[GenreScore, ...]:
    scores = tuple(GenreScore(str(label), float(share)) for label, share in json.loads(text))
    if not scores or not all(0.0 <= score.probability <= 1.0 for score in scores):
        raise ValueError("scores: expected probabilities of 0..1")
    return scores
