"""The files of a public response that only the user gets."""

from __future__ import annotations

import io
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import discord
import pytest
from discord import ui

from bot.client.responders import InteractionResponder, PrivateFilesResponder


def responder(monkeypatch: pytest.MonkeyPatch, *, minutes_left: float) -> Any:
    monkeypatch.setattr(InteractionResponder, "finish", AsyncMock())
    user = SimpleNamespace(id=7, send=AsyncMock())
    interaction: Any = SimpleNamespace(
        user=user, guild_id=1, channel_id=2, locale="de", id=3, token="t", application_id=4,
        expires_at=discord.utils.utcnow() + timedelta(minutes=minutes_left),
        context=SimpleNamespace(dm_channel=False), followup=SimpleNamespace(send=AsyncMock()),
        client=SimpleNamespace(get_user=lambda _: user),
    )  # fmt: skip
    return PrivateFilesResponder(interaction, files_view=ui.LayoutView), interaction


def file() -> discord.File:
    return discord.File(io.BytesIO(b"x"), "failures.csv")


async def test_files_follow_up_privately(monkeypatch: pytest.MonkeyPatch) -> None:
    used, interaction = responder(monkeypatch, minutes_left=10)
    await used.finish(ui.LayoutView(), [file])
    assert interaction.followup.send.await_args.kwargs["ephemeral"] is True
    interaction.user.send.assert_not_awaited()


async def test_files_are_a_direct_message_after_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    used, interaction = responder(monkeypatch, minutes_left=0)
    await used.finish(ui.LayoutView(), [file])
    interaction.followup.send.assert_not_awaited()
    (sent,) = interaction.user.send.await_args.kwargs["files"]
    assert sent.filename == "failures.csv"


async def test_closed_direct_messages_cost_only_the_files(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    used, interaction = responder(monkeypatch, minutes_left=0)
    refused: Any = SimpleNamespace(status=403, reason="Forbidden")
    interaction.user.send.side_effect = discord.Forbidden(refused, {"code": 50007, "message": ""})
    await used.finish(ui.LayoutView(), [file])
    assert "private files not sent" in caplog.text


async def test_response_without_files_sends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    used, interaction = responder(monkeypatch, minutes_left=10)
    await used.finish(ui.LayoutView())
    interaction.followup.send.assert_not_awaited()
    interaction.user.send.assert_not_awaited()
