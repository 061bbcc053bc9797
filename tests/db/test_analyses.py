"""Tests of the cache of analyses: exact, by content and model, of bounded size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from db.analyses import AnalysisCache
from db.connection import Database
from tests.db.fakes import MODEL, fake_analysis


async def test_cached_analysis_equals_the_original(db: Database) -> None:
    cache = AnalysisCache(db)
    analysis = replace(fake_analysis(b"a clip"), music=0.25, parts=((0.5, 3.25), (4.0, 9.0)))
    assert await cache.get("a" * 64, MODEL) is None
    await cache.put("a" * 64, analysis)
    cached = await cache.get("a" * 64, MODEL)
    assert cached is not None
    assert np.array_equal(cached.embedding, analysis.embedding)
    assert cached.embedding.dtype == np.float32
    assert np.array_equal(cached.fingerprint, analysis.fingerprint)
    assert (cached.model_id, cached.scores, cached.duration_s, cached.analyzed_s) == (
        analysis.model_id, analysis.scores, analysis.duration_s, analysis.analyzed_s,
    )  # fmt: skip
    assert cached.music == 0.25
    assert cached.description == analysis.description is not None
    assert cached.parts == analysis.parts
    assert cached.timings_ms == {}
    assert cached.preview is not None
    assert np.array_equal(cached.preview, analysis.preview)


async def test_analysis_is_found_by_the_start_of_its_digest(db: Database) -> None:
    cache = AnalysisCache(db)
    digests = ("a" * 32 + "0" * 32, "a" * 32 + "f" * 32, "b" * 64)
    for digest in digests:
        await cache.put(digest, fake_analysis(digest.encode()))
    assert await cache.find("b" * 32, MODEL) is not None
    assert await cache.find("b" * 32, "other@1") is None
    assert await cache.find("a" * 32, MODEL) is None  # two begin with it
    assert await cache.find("a" * 32 + "f", MODEL) is not None
    for prefix in ("", "b" * 31, "%" * 32, "c" * 32):
        assert await cache.find(prefix, MODEL) is None


@pytest.mark.parametrize(
    "parts", ["{}", "[[2, 1]]", "[[-1, 1]]", "[[1]]", "[[0, 1], [0.5, 2]]", "x"]
)
async def test_damaged_parts_are_analysed_again(db: Database, parts: str) -> None:
    cache = AnalysisCache(db)
    await cache.put("a" * 64, fake_analysis(b"a clip"))
    await db.run("UPDATE analysis SET parts = ?", (parts,))
    found = await cache.get("a" * 64, MODEL)
    assert found is None if parts != "{}" else not found.parts


async def test_analysis_without_a_preview_is_cached(db: Database) -> None:
    cache = AnalysisCache(db)
    await cache.put("a" * 64, replace(fake_analysis(b"a clip"), preview=None))
    cached = await cache.get("a" * 64, MODEL)
    assert cached is not None
    assert cached.preview is None


async def test_cache_separates_models_and_contents(db: Database) -> None:
    cache = AnalysisCache(db)
    await cache.put("a" * 64, fake_analysis(b"one"))
    await cache.put("a" * 64, fake_analysis(b"two", "other@1"))
    one, two = await cache.get("a" * 64, MODEL), await cache.get("a" * 64, "other@1")
    assert one is not None
    assert two is not None
    assert not np.array_equal(one.embedding, two.embedding)
    assert await cache.get("b" * 64, MODEL) is None
    assert await cache.delete_models(["other@1"]) == 1
    assert await cache.get("a" * 64, MODEL) is not None
    assert await cache.get("a" * 64, "other@1") is None


async def test_least_recently_used_analyses_are_deleted(db: Database) -> None:
    cache = AnalysisCache(db, max_rows=3)
    for name in "abc":
        await cache.put(name, fake_analysis(name.encode()))
    assert await cache.get("a", MODEL) is not None
    await cache.put("d", fake_analysis(b"d"))
    await cache.put("c", fake_analysis(b"c again"))
    await cache.put("e", fake_analysis(b"e"))
    cached = {name for (name,) in await db.all("SELECT sha256 FROM analysis")}
    assert cached == {"d", "c", "e"}
    cached_again = await cache.get("c", MODEL)
    assert cached_again is not None
    assert np.array_equal(cached_again.embedding, fake_analysis(b"c again").embedding)
