"""A user is told once on each server that too much is waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bot.client import error_handler
from bot.client.error_handler import REPEAT_S, ErrorHandler
from bot.i18n import Translations


def message(user: int, guild: int | None) -> Any:
    place = None if guild is None else SimpleNamespace(id=guild)
    return SimpleNamespace(author=SimpleNamespace(id=user), guild=place)


def test_refusal_is_told_once_for_each_user_and_server(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(error_handler.time, "monotonic", lambda: now)
    limits: Any = None  # no message is made here
    handler = ErrorHandler(translations=Translations.load(), limits=limits)
    assert not handler._was_told(message(1, guild=7))
    assert handler._was_told(message(1, guild=7))
    assert not handler._was_told(message(1, guild=8))
    assert not handler._was_told(message(2, guild=7))
    assert not handler._was_told(message(1, guild=None))
    assert not handler._was_told(message(1, guild=None))
    now += REPEAT_S
    assert not handler._was_told(message(1, guild=7))
