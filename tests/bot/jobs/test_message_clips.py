"""The number of answers to one message."""

from __future__ import annotations

from bot.i18n import Translations
from bot.jobs.message_clips import MAX_CLIPS
from bot.local_discord.interaction_routes import MAX_USER_INSTALL_FOLLOWUPS


def test_limit_leaves_a_follow_up_for_the_clips_without_an_answer() -> None:
    assert MAX_CLIPS == MAX_USER_INSTALL_FOLLOWUPS
    text = Translations.load().text("refusals.clips_left_out", "en-US", count=2)
    assert "the first five clips" in text
