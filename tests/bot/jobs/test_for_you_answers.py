"""The handler of /foryou: consent is stored by the request, after its acknowledgement."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest

from bot.i18n import Localizer, Translations
from bot.jobs.for_you_answers import FEW, ForYouAnswers
from bot.jobs.layouts import RequestOptions
from bot.taste_answers import TasteAnswer


@pytest.mark.parametrize("opt_in", [False, True])
async def test_consent_is_stored_by_the_handler(opt_in: bool) -> None:
    for_you: Any = SimpleNamespace(
        opt_in=AsyncMock(), answer=AsyncMock(return_value=TasteAnswer(None, 1.0))
    )
    recommender: Any = SimpleNamespace(is_empty=lambda scopes: False)
    answers = ForYouAnswers(for_you=for_you, recommender=recommender, excerpts=AsyncMock())
    options = RequestOptions(Localizer(Translations.load(), "fr"))
    handle = answers.handler(7, options, private=True, opt_in=opt_in)
    for_you.opt_in.assert_not_awaited()
    progress: Any = SimpleNamespace(now=lambda stage: None)
    assert (await handle(progress)).outcome == FEW
    assert for_you.opt_in.await_count == opt_in
