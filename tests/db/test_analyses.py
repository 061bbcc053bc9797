"""The cache of analyses: exact, by content and model, and bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from db.analyses import AnalysisCache
from db.connection import Database
from tests.db.fakes import MODEL, hear


async def test_an_analysis_comes_back_as_it_was(db: Database) -> None:
    cache = AnalysisCache(db)
    heard = hear(b"a clip")
    assert await cache.get("a" * 64, MODEL) is None
    await cache.put("a" * 64, heard)
    kept = await cache.get("a" * 64, MODEL)
    assert kept is not None
    assert np.array_equal(kept.embedding, heard.embedding)
    assert kept.embedding.dtype == np.float32
    assert np.array_equal(kept.fingerprint, heard.fingerprint)
    assert (kept.model_id, kept.scores, kept.duration_s, kept.analyzed_s) == (
        heard.model_id, heard.scores, heard.duration_s, heard.analyzed_s,
    )  # fmt: skip
    assert kept.timings_ms == {}
    assert kept.preview is not None
    assert np.array_equal(kept.preview, heard.preview)


async def test_an_analysis_without_a_preview_is_kept(db: Database) -> None:
    cache = AnalysisCache(db)
    await cache.put("a" * 64, replace(hear(b"a clip"), preview=None))
    kept = await cache.get("a" * 64, MODEL)
    assert kept is not None
    assert kept.preview is None


async def test_models_and_contents_do_not_mix(db: Database) -> None:
    cache = AnalysisCache(db)
    await cache.put("a" * 64, hear(b"one"))
    await cache.put("a" * 64, hear(b"two", "other@1"))
    one, two = await cache.get("a" * 64, MODEL), await cache.get("a" * 64, "other@1")
    assert one is not None
    assert two is not None
    assert not np.array_equal(one.embedding, two.embedding)
    assert await cache.get("b" * 64, MODEL) is None
    assert await cache.delete_models(["other@1"]) == 1
    assert await cache.get("a" * 64, MODEL) is not None
    assert await cache.get("a" * 64, "other@1") is None


async def test_the_least_recently_used_go(db: Database) -> None:
    cache = AnalysisCache(db, max_rows=3)
    for name in "abc":
        await cache.put(name, hear(name.encode()))
    assert await cache.get("a", MODEL) is not None
    await cache.put("d", hear(b"d"))
    await cache.put("c", hear(b"c again"))
    await cache.put("e", hear(b"e"))
    kept = {name for (name,) in await db.all("SELECT sha256 FROM analysis")}
    assert kept == {"d", "c", "e"}
    kept_again = await cache.get("c", MODEL)
    assert kept_again is not None
    assert np.array_equal(kept_again.embedding, hear(b"c again").embedding)
