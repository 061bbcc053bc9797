"""Limits on message bodies, allowed mentions, nonces and component ids."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.local_discord import LocalDiscord
from bot.local_discord.permissions import SEND_MESSAGES

V2 = 1 << 15
TEXT = {"type": 10, "content": "x"}
BUTTON = {"type": 2, "style": 2, "label": "x", "custom_id": "x"}


def row(*inside: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(inside)}


async def post(discord: LocalDiscord, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Post a message as the bot."""
    headers = {"Authorization": f"Bot {discord.token}"}
    channel = discord.channel("music").id
    async with aiohttp.ClientSession(headers=headers) as session:
        address = f"{discord.url}/api/v10/channels/{channel}/messages"
        answer = await session.post(address, json=body)
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"flags": V2, "content": "x", "components": [TEXT]}, "content"),
        ({"flags": V2, "components": [{"type": 10, "content": "x" * 4001}]}, "components"),
        ({"flags": V2, "components": [TEXT] * 41}, "components"),
        ({"flags": V2, "components": [{"type": 10, "content": " "}]}, "components"),
        ({"components": [TEXT]}, "components"),
        ({"components": [row(BUTTON, BUTTON)]}, "components"),
        ({"components": [row(*({**BUTTON, "custom_id": str(n)} for n in range(6)))]}, "components"),
        ({"components": [row({**BUTTON, "custom_id": "x" * 101})]}, "custom_id"),
        ({"components": [row({**BUTTON, "label": "x" * 81})]}, "label"),
        ({"components": [row({**BUTTON, "label": ""})]}, "label"),
        ({"components": [row({**BUTTON, "style": 5})]}, "url"),
        ({"components": [row({"type": 3, "custom_id": "x", "options": []})]}, "options"),
        ({"flags": V2, "components": [{"type": 12, "items": []}]}, "items"),
        (
            {
                "flags": V2,
                "components": [{"type": 12, "items": [{"media": {"url": "attachment://a.png"}}]}],
            },
            "url",
        ),
        ({"embeds": [{"description": "x" * 4000}] * 2}, "embeds"),
        ({"embeds": [{"fields": [{"name": " ", "value": "x"}]}]}, "embeds"),
        ({"content": "x", "message_reference": {"message_id": "1"}}, "message_reference"),
    ],
)
async def test_invalid_body_is_refused_with_its_field(
    discord: LocalDiscord, body: dict[str, Any], field: str
) -> None:
    status, answer = await post(discord, body)
    assert (status, answer["code"]) == (400, 50035)
    assert list(answer["errors"]) == [field]


async def test_empty_message_is_refused(discord: LocalDiscord) -> None:
    status, answer = await post(discord, {})
    assert (status, answer["code"]) == (400, 50006)


async def test_missing_permission_is_refused(discord: LocalDiscord) -> None:
    music = discord.channel("music")
    discord.edit.overwrite(music, discord.state.bot, deny=SEND_MESSAGES)
    status, answer = await post(discord, {"content": "x"})
    assert (status, answer["code"]) == (403, 50013)


async def test_repeated_nonce_returns_the_same_message(discord: LocalDiscord) -> None:
    body = {"content": "once", "nonce": "n1", "enforce_nonce": True}
    first, second = (await post(discord, body))[1], (await post(discord, body))[1]
    assert first["id"] == second["id"]
    assert len(discord.you.messages()) == 1


@pytest.mark.parametrize(
    ("allowed", "pinged"), [(None, True), ({"parse": []}, False), ({"parse": ["everyone"]}, True)]
)
async def test_allowed_mentions(
    discord: LocalDiscord, allowed: dict[str, Any] | None, pinged: bool
) -> None:
    text = f"@everyone <@{discord.you.id}>"
    body: dict[str, Any] = {"flags": V2, "components": [{"type": 10, "content": text}]}
    if allowed is not None:
        body["allowed_mentions"] = allowed
    _, message = await post(discord, body)
    assert message["mention_everyone"] is pinged
    assert bool(message["mentions"]) is (allowed is None)


async def test_component_ids_follow_reading_order(discord: LocalDiscord) -> None:
    body = {"flags": V2, "components": [{"type": 17, "components": [TEXT, row(BUTTON)]}]}
    _, message = await post(discord, body)
    container = message["components"][0]
    inner = container["components"]
    assert [container["id"], inner[0]["id"], inner[1]["id"]] == [1, 2, 3]
    assert inner[1]["components"][0]["id"] == 4
