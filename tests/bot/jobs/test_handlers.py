"""Handlers: what a response shows of the work on a clip."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import numpy as np
import pytest

from bot.i18n import Localizer, Translations
from bot.jobs.admission import Request
from bot.jobs.handlers import RequestHandlers
from bot.jobs.layouts import Layouts, RequestOptions
from bot.jobs.runner import Progress
from genrec.questions import Seed
from genrec.types import Analysis, Clip, GenreScore
from tests.bot.ui.visible import recommendation, seen

FETCH_S = 0.4
CLIP = Clip(Path("clip.wav"), "ab" * 32, title="My clip")
ANALYSIS = Analysis(
    "m@1",
    np.ones(1, np.float32),
    (GenreScore("jazz", 0.4),),
    np.zeros((15, 1), np.int8),
    60.0,
    30.0,
)
SEED = Seed(ANALYSIS.embedding)


def recommender(*, empty: bool = False, unsure: bool = False) -> Any:
    rec = recommendation(2, unsure=unsure, timings_ms={"search": 1.0})
    return SimpleNamespace(
        is_empty=MagicMock(return_value=empty),
        analyze=AsyncMock(return_value=ANALYSIS),
        answer=AsyncMock(return_value=rec),
        clip_seed=MagicMock(return_value=SEED),
        genre=MagicMock(return_value=rec),
        catalogue=SimpleNamespace(details=AsyncMock(return_value={})),
    )


class SlowSources:
    """Fetches CLIP in FETCH_S."""

    @asynccontextmanager
    async def fetch(self, _: object, *, owner: object) -> AsyncIterator[Clip]:
        await asyncio.sleep(FETCH_S)
        yield CLIP


def handlers(found: Any) -> RequestHandlers:
    sources: Any = SlowSources()
    none: Any = SimpleNamespace(offered=lambda _: False)
    layouts = Layouts(recommender=found, draw=lambda *_: None, excerpts=none)
    named: Any = SimpleNamespace()
    return RequestHandlers(sources=sources, recommender=found, layouts=layouts, named=named)


def progress() -> Progress:
    return Progress(Request("id", 1, None, None))


OPTIONS = RequestOptions(Localizer(Translations.load(), "en-US"))
SOURCE: Any = SimpleNamespace(song=None)


async def test_footer_shows_the_time_since_the_fetch_began() -> None:
    response = await handlers(recommender()).recommend(SOURCE, OPTIONS)(progress())
    shown = re.search(r"([\d.]+) s$", seen(response.view).strip(), re.M)
    assert shown
    assert float(shown[1]) >= FETCH_S


async def test_recommend_analyzes_once_and_passes_the_analysis_on() -> None:
    found = recommender()
    await handlers(found).recommend(SOURCE, OPTIONS)(progress())
    found.analyze.assert_awaited_once_with(CLIP)
    found.clip_seed.assert_called_once_with(ANALYSIS, CLIP)
    (question,) = found.answer.await_args.args
    assert question.seeds == (SEED,)
    assert question.rules == OPTIONS.rules


@pytest.mark.parametrize("unsure", [True, False])
async def test_genre_is_unsure_where_the_recommender_is(unsure: bool) -> None:
    response = await handlers(recommender(unsure=unsure)).genre(SOURCE, OPTIONS)(progress())
    assert ("Unsure" in seen(response.view)) is unsure
