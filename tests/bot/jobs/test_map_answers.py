"""Answers of /library map: what grows with the library is made off the event loop."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import numpy as np
import pytest

from bot.i18n import Localizer, Translations
from bot.jobs import map_answers
from bot.jobs.last_answers import LastAnswer
from bot.library_map import LibraryMap
from bot.ui.track_links import LinkChoice
from genrec.types import Track


async def test_map_is_put_together_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    ids = np.arange(1, 31)
    tracks = {n: Track(n, f"Song {n}", f"Band {n}", "jazz", "x", "") for n in ids.tolist()}
    found = LibraryMap(
        ids,
        rng.uniform(-1, 1, (30, 2)).astype(np.float32),
        rng.normal(size=(30, 8)).astype(np.float32),
    )
    threads: dict[str, threading.Thread] = {}
    for name in ("map_tracks", "places_of", "places_of_answer", "map_alt", "drawn_marks"):
        whole = getattr(map_answers, name)

        def noted(*args: Any, name: str = name, whole: Any = whole, **options: Any) -> Any:
            threads[name] = threading.current_thread()
            return whole(*args, **options)

        monkeypatch.setattr(map_answers, name, noted)
    monkeypatch.setattr(map_answers, "read_tracks", AsyncMock(return_value=(tracks, {})))
    maps: Any = SimpleNamespace(of=AsyncMock(return_value=found))
    recommender: Any = SimpleNamespace(catalogue=None, preset=SimpleNamespace(model_id="m"))
    progress: Any = SimpleNamespace(now=lambda stage: None)
    response = await map_answers.MapAnswers(maps=maps, recommender=recommender).respond(
        progress,
        Localizer(Translations.load(), "de"),
        scopes=("library",),
        heading="Karte",
        colour="genre",
        links=LinkChoice(),
        last=LastAnswer(found.matrix[3], (tracks[5], tracks[9])),
    )
    assert response.view is not None
    assert len(response.files) == 2  # the picture and the page
    assert len(threads) == 5
    assert threading.current_thread() not in threads.values()
