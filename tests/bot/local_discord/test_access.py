"""Permissions on the local Discord: overwrites, threads, and the error codes of refusals."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from bot.local_discord import LocalDiscord, NotOffered, Upload
from bot.local_discord.permissions import (
    ADMINISTRATOR,
    ALL_PERMISSIONS,
    ATTACH_FILES,
    CONNECT,
    CREATE_PUBLIC_THREADS,
    EMBED_LINKS,
    EVERYONE_PERMISSIONS,
    MANAGE_THREADS,
    READ_MESSAGE_HISTORY,
    SEND_MESSAGES,
    SEND_MESSAGES_IN_THREADS,
    VIEW_CHANNEL,
)
from bot.local_discord.state import CATEGORY, FORUM, VOICE, Channel

HELLO: dict[str, Any] = {"content": "hello"}
EMBED: dict[str, Any] = {"embeds": [{"title": "x"}]}


async def call(
    discord: LocalDiscord, method: str, path: str, body: Any = None, *, file: bool = False
) -> tuple[int, Any]:
    """Make a REST call as the bot; return its status with the error code or the reply."""
    headers = {"Authorization": f"Bot {discord.token}"}
    about: dict[str, Any] = {"json": body} if body is not None else {}
    if file:
        form = aiohttp.FormData()
        form.add_field("payload_json", json.dumps(body))
        form.add_field("files[0]", b"x", filename="x.png")
        about = {"data": form}
    async with aiohttp.ClientSession(headers=headers) as session:
        answer = await session.request(method, f"{discord.url}/api/v10{path}", **about)
        reply = await answer.json() if answer.status != 204 else None
    return answer.status, reply["code"] if answer.status >= 400 else reply


def deny(discord: LocalDiscord, channel: Channel, permissions: int) -> None:
    discord.edit.overwrite(channel, discord.state.bot, deny=permissions)


@pytest.mark.parametrize(
    ("denied", "body", "file", "code"),
    [
        (VIEW_CHANNEL, HELLO, False, 50001),
        (SEND_MESSAGES, HELLO, False, 50013),
        (ATTACH_FILES, HELLO, True, 50013),
        (SEND_MESSAGES, HELLO, True, 50013),
        (EMBED_LINKS, EMBED, False, 50013),
        (ATTACH_FILES, HELLO, False, None),
        (EMBED_LINKS, HELLO, True, None),
        (READ_MESSAGE_HISTORY, HELLO, False, None),
    ],
)
async def test_missing_permission_refuses_a_message(
    discord: LocalDiscord, denied: int, body: dict[str, Any], file: bool, code: int | None
) -> None:
    music = discord.channel("music")
    deny(discord, music, denied)
    status, found = await call(discord, "POST", f"/channels/{music.id}/messages", body, file=file)
    assert (status, found) == (403, code) if code else status == 200


async def test_components_need_no_embed_links(discord: LocalDiscord) -> None:
    music = discord.channel("music")
    deny(discord, music, EMBED_LINKS)
    body = {"flags": 1 << 15, "components": [{"type": 10, "content": "https://example.com"}]}
    assert (await call(discord, "POST", f"/channels/{music.id}/messages", body))[0] == 200


async def test_reply_without_read_history_is_refused_with_its_own_code(
    discord: LocalDiscord,
) -> None:
    music = discord.channel("music")
    asked = await discord.you.say("hi")
    reply = HELLO | {"message_reference": {"message_id": asked["id"]}}
    address = f"/channels/{music.id}/messages"
    assert (await call(discord, "POST", address, reply))[0] == 200
    deny(discord, music, READ_MESSAGE_HISTORY)
    assert await call(discord, "POST", address, reply) == (400, 160002)
    assert (await call(discord, "POST", address, HELLO))[0] == 200
    assert await call(discord, "GET", address) == (200, [])
    assert await call(discord, "GET", f"{address}/{asked['id']}") == (403, 50013)


async def test_edit_needs_view_channel_and_attach_files_only(discord: LocalDiscord) -> None:
    music = discord.channel("music")
    address = f"/channels/{music.id}/messages"
    _, sent = await call(discord, "POST", address, HELLO)
    mine = f"{address}/{sent['id']}"
    deny(discord, music, SEND_MESSAGES)
    assert (await call(discord, "PATCH", mine, HELLO))[0] == 200
    assert await call(discord, "PATCH", mine, HELLO, file=True) == (403, 50013)
    deny(discord, music, VIEW_CHANNEL)
    for method in ("PATCH", "DELETE", "GET"):
        body = HELLO if method == "PATCH" else None
        assert await call(discord, method, mine, body) == (403, 50001)
    assert await call(discord, "GET", address) == (403, 50001)
    assert await call(discord, "GET", f"/channels/{music.id}") == (403, 50001)


async def test_message_starts_one_thread_only(discord: LocalDiscord) -> None:
    music = discord.channel("music")
    asked = await discord.you.say("hi")
    address = f"/channels/{music.id}/messages/{asked['id']}/threads"
    deny(discord, music, CREATE_PUBLIC_THREADS)
    assert await call(discord, "POST", address, {"name": "a"}) == (403, 50013)
    discord.edit.overwrite(music, discord.state.bot)
    status, thread = await call(discord, "POST", address, {"name": "a"})
    assert (status, thread["type"], thread["parent_id"]) == (200, 11, music.id)
    assert await call(discord, "POST", address, {"name": "b"}) == (400, 160004)
    with pytest.raises(NotOffered, match="one thread"):
        discord.edit.thread("c", music, message=discord.state.message(music.id, asked["id"]))


async def test_thread_needs_its_own_permission_and_refuses_when_locked(
    discord: LocalDiscord,
) -> None:
    music = discord.channel("music")
    thread = discord.edit.thread("demos", music)
    address = f"/channels/{thread.id}/messages"
    deny(discord, music, SEND_MESSAGES)
    status, sent = await call(discord, "POST", address, HELLO, file=True)
    assert status == 200
    deny(discord, music, SEND_MESSAGES_IN_THREADS)
    assert await call(discord, "POST", address, HELLO) == (403, 50013)
    discord.edit.overwrite(music, discord.state.bot)
    thread.archived = True
    assert await call(discord, "PATCH", f"{address}/{sent['id']}", HELLO) == (400, 50083)
    thread.locked = True
    assert await call(discord, "POST", address, HELLO) == (400, 160005)


async def test_private_thread_is_hidden_from_those_who_are_not_in_it(
    discord: LocalDiscord,
) -> None:
    thread = discord.edit.thread("secret", discord.channel("music"), private=True)
    address = f"/channels/{thread.id}/messages"
    assert await call(discord, "POST", address, HELLO) == (403, 50001)
    with pytest.raises(NotOffered):
        await discord.person("sam").say("hi", channel=thread)
    await discord.you.say("an administrator sees it", channel=thread)
    discord.edit.change_own_role(discord.state.bot, EVERYONE_PERMISSIONS | MANAGE_THREADS)
    assert (await call(discord, "POST", address, HELLO))[0] == 200


async def test_channels_without_messages_and_closed_direct_messages_refuse(
    discord: LocalDiscord,
) -> None:
    forum = discord.edit.channel("forum", FORUM)
    assert await call(discord, "POST", f"/channels/{forum.id}/messages", HELLO) == (400, 50008)
    sam = discord.person("sam")
    direct = discord.dm(sam)
    sam.user.accepts_direct_messages = False
    assert await call(discord, "POST", f"/channels/{direct.id}/messages", HELLO) == (403, 50007)


async def test_voice_channel_needs_connect(discord: LocalDiscord) -> None:
    voice = discord.edit.channel("stage door", VOICE)
    deny(discord, voice, CONNECT)
    assert await call(discord, "POST", f"/channels/{voice.id}/messages", HELLO) == (403, 50001)


def test_overwrites_apply_to_everyone_then_roles_then_the_member(discord: LocalDiscord) -> None:
    edit, state, music = discord.edit, discord.state, discord.channel("music")
    one, two = edit.role("one"), edit.role("two")

    def may_send() -> bool:
        return bool(state.permissions(state.bot, music) & SEND_MESSAGES)

    edit.overwrite(music, discord.guild.everyone, deny=SEND_MESSAGES)
    assert not may_send()
    edit.give(state.bot, one)
    edit.overwrite(music, one, allow=SEND_MESSAGES)
    assert may_send()
    edit.give(state.bot, two)
    edit.overwrite(music, two, deny=SEND_MESSAGES)
    assert may_send(), "an allow of one role wins over a deny of another"
    edit.take(state.bot, one)
    assert not may_send()
    edit.overwrite(music, state.bot, allow=SEND_MESSAGES)
    assert may_send()
    edit.overwrite(music, state.bot, deny=SEND_MESSAGES)
    assert not state.permissions(state.bot, music) & (ATTACH_FILES | EMBED_LINKS)
    edit.overwrite(music, state.bot, deny=VIEW_CHANNEL)
    assert state.permissions(state.bot, music) == 0
    edit.change_own_role(state.bot, ADMINISTRATOR)
    assert state.permissions(state.bot, music) == ALL_PERMISSIONS


def test_category_passes_its_overwrites_to_the_channels_that_have_the_same(
    discord: LocalDiscord,
) -> None:
    edit, state = discord.edit, discord.state
    staff = edit.channel("staff", CATEGORY)
    synced, own = edit.channel("synced", parent=staff), edit.channel("own", parent=staff)
    edit.overwrite(own, discord.guild.everyone, allow=VIEW_CHANNEL)
    edit.overwrite(staff, discord.guild.everyone, deny=VIEW_CHANNEL)
    assert not state.permissions(state.bot, synced)
    assert state.permissions(state.bot, own)
    assert not state.permissions(state.bot, edit.channel("later", parent=staff))


async def test_timeout_leaves_reading_only(discord: LocalDiscord) -> None:
    state, music = discord.state, discord.channel("music")
    discord.guild.members[state.bot.id].timed_out_until = "2099-01-01T00:00:00+00:00"
    assert state.permissions(state.bot, music) == VIEW_CHANNEL | READ_MESSAGE_HISTORY


async def test_person_without_attach_files_uploads_nothing(discord: LocalDiscord) -> None:
    sam, music = discord.person("sam"), discord.channel("music")
    discord.edit.overwrite(music, sam.user, deny=ATTACH_FILES)
    with pytest.raises(NotOffered, match="attach files"):
        await sam.say("mine", uploads=[Upload("a.wav", b"x")])
