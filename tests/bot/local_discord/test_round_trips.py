"""Round trips between a person and a discord.py bot through the local Discord."""

from __future__ import annotations

import asyncio

import pytest

from bot.local_discord import LocalDiscord, NotOffered, Upload, buttons, selects, visible_text
from bot.local_discord.permissions import EVERYONE_PERMISSIONS, MANAGE_GUILD
from tests.bot.local_discord.small_bot import SmallBot, running

CLIP = Upload("clip.wav", b"RIFF" + bytes(5_000))
V2 = 1 << 15


@pytest.mark.usefixtures("bot")
async def test_slash_command_is_deferred_then_edited_with_components_v2(
    discord: LocalDiscord,
) -> None:
    used = await discord.you.slash("identify", {"clip": CLIP, "genre": "jazz", "count": 3})
    assert await used.wait_ack() < 20
    assert used.ack_type == 5
    answer = await used.wait_edited()
    assert "**clip.wav 5004 jazz** is *jazz*" in visible_text(answer)
    assert answer["flags"] & V2
    assert [b["label"] for b in buttons(answer)][:3] == ["More like this"] * 3
    container = answer["components"][0]
    assert container["accent_color"] == 0x8A5CF6
    media = container["components"][1]["items"][0]
    assert media["description"] == "Spectrogram of the clip"
    assert media["media"]["width"] == 480
    assert discord.cdn.read(media["media"]["url"]).startswith(b"\x89PNG")
    assert discord.you.messages()[-1] is answer
    discord.assert_clean()


async def test_buttons_keep_their_state_after_a_restart(discord: LocalDiscord) -> None:
    async with running(discord):
        used = await discord.you.slash("identify", {"clip": CLIP})
        answer = await used.wait_edited()
    assert not discord.online
    async with running(discord):
        pressed = await discord.you.press(answer, "more:1")
        response = await pressed.wait_edited()
        assert response["content"] == "More like track 1"
        assert pressed.ephemeral
        liked = await discord.you.press(answer, "like:0")
        assert "again" in visible_text(await liked.wait_edited())
        assert liked.original is answer
        assert liked.ack_type == 7
        assert "like:1" in [b.get("custom_id") for b in buttons(answer)]


@pytest.mark.usefixtures("bot")
async def test_ephemeral_response_is_visible_to_one_person(discord: LocalDiscord) -> None:
    sam = discord.person("sam")
    used = await sam.slash("identify", {"clip": CLIP, "private": True})
    answer = await used.wait_edited()
    assert used.ephemeral
    assert answer in sam.messages()
    assert answer not in discord.you.messages()
    with pytest.raises(NotOffered, match="cannot read message"):
        await discord.you.press(answer, "more:0")


@pytest.mark.usefixtures("bot")
async def test_message_command_receives_the_attachments(
    discord: LocalDiscord,
) -> None:
    posted = await discord.you.say("listen", uploads=[CLIP], channel="general")
    used = await discord.you.menu("What genre is this?", posted)
    assert (await used.wait_edited())["content"] == "I see clip.wav"
    discord.assert_clean()


@pytest.mark.usefixtures("bot")
async def test_upload_in_channel_gets_a_reply(discord: LocalDiscord) -> None:
    posted = await discord.you.say("what is this?", uploads=[CLIP])
    answer = await discord.you.wait_message(lambda m: m["author"]["bot"])
    assert answer["message_reference"]["message_id"] == posted["id"]
    assert "5004 bytes" in visible_text(answer)
    assert answer["mentions"] == []


@pytest.mark.usefixtures("bot")
async def test_direct_message_and_command_reach_the_bot(discord: LocalDiscord) -> None:
    await discord.you.say("", uploads=[CLIP], channel="dm")
    answer = await discord.you.wait_message(lambda m: m["author"]["bot"], channel="dm")
    assert "5004 bytes" in visible_text(answer)
    used = await discord.you.slash("identify", {"clip": CLIP}, channel="dm")
    await used.wait_edited()
    with pytest.raises(NotOffered, match="not available in direct messages"):
        await discord.you.slash("reindex", channel="dm")


async def test_content_without_intent_is_hidden_unless_the_bot_is_mentioned(
    discord: LocalDiscord,
) -> None:
    async with running(discord, message_content=False) as bot:
        await discord.you.say("secret", uploads=[CLIP])
        await discord.you.say(f"<@{discord.state.bot.id}> open", uploads=[CLIP])
        answer = await discord.you.wait_message(lambda m: m["author"]["bot"])
        assert "5004 bytes" in visible_text(answer)
        hidden, mentioned = bot.messages
        assert (hidden.content, hidden.attachments) == ("", [])
        assert mentioned.content.endswith("open")
        assert len(mentioned.attachments) == 1


@pytest.mark.usefixtures("bot")
async def test_autocomplete_returns_choices(discord: LocalDiscord) -> None:
    choices = await discord.you.autocomplete("identify", "genre", "me")
    assert choices == [{"name": "Metal", "value": "metal"}]
    with pytest.raises(NotOffered, match="does not autocomplete"):
        await discord.you.autocomplete("identify", "count", "1")


@pytest.mark.usefixtures("bot")
async def test_modal_is_opened_and_submitted(discord: LocalDiscord) -> None:
    used = await discord.you.slash("note")
    form = await used.wait_modal()
    assert form["title"] == "A note"
    field = form["components"][0]["component"]["custom_id"]
    with pytest.raises(NotOffered, match="is required and empty"):
        await discord.you.submit(used, {})
    sent = await discord.you.submit(used, {field: "too loud"})
    assert (await sent.wait_edited())["content"] == "Noted: too loud"


@pytest.mark.usefixtures("bot")
async def test_select_menu_edits_its_message(discord: LocalDiscord) -> None:
    used = await discord.you.slash("pick")
    shown = await used.wait_edited()
    assert [len(s["options"]) for s in selects(shown)] == [6]
    with pytest.raises(NotOffered, match="takes 1 to 1"):
        await discord.you.select(shown, "genre-menu", ["polka"])
    chosen = await discord.you.select(shown, "genre-menu", ["jazz"])
    answer = await chosen.wait_until(lambda m: m["content"] == "You like jazz")
    assert chosen.ack_type == 6
    assert answer["components"] == []


@pytest.mark.usefixtures("bot")
async def test_first_followup_after_deferral_becomes_the_original_response(
    discord: LocalDiscord,
) -> None:
    used = await discord.you.slash("library add", {"title": "So What"})
    assert (await used.wait_edited())["content"] == "Added So What"
    assert used.followups == []


@pytest.mark.usefixtures("bot")
async def test_command_permissions_hide_it_and_reach_the_bot(discord: LocalDiscord) -> None:
    sam = discord.person("sam")
    with pytest.raises(NotOffered, match="hidden from sam"):
        await sam.slash("reindex")
    forced = await sam.slash("reindex", force=True)
    assert (await forced.wait_edited())["content"] == "You may not do that."
    ann = discord.person("ann", permissions=EVERYONE_PERMISSIONS | MANAGE_GUILD)
    allowed = await ann.slash("reindex")
    assert (await allowed.wait_edited())["content"] == "Reindexing."
    followed = await allowed.wait_followup()
    assert not followed["mention_everyone"], "allowed_mentions were none"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "required option clip is missing"),
        ({"clip": CLIP, "count": 11}, "outside 1 to 10"),
        ({"clip": CLIP, "count": "3"}, "wrong type"),
        ({"clip": CLIP, "pace": 1}, "no such option"),
    ],
)
@pytest.mark.usefixtures("bot")
async def test_invalid_options_are_not_sent(
    discord: LocalDiscord, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(NotOffered, match=sentence):
        await discord.you.slash("identify", options)
    assert discord.calls("POST", "callback") == []


async def test_user_installed_command_works_in_other_guilds(discord: LocalDiscord) -> None:
    away = discord.add_guild("Elsewhere", with_bot=False).channel("music")
    async with running(discord) as bot:
        assert [guild.name for guild in bot.guilds] == ["Local Discord"]
        used = await discord.you.slash("identify", {"clip": CLIP}, channel=away)
        assert "clip.wav" in visible_text(await used.wait_edited())
        assert used.user_installed
        with pytest.raises(NotOffered, match="hidden from sam"):
            await discord.person("sam").slash("reindex", channel=away)


@pytest.mark.usefixtures("bot")
async def test_hundred_concurrent_commands_are_all_completed(discord: LocalDiscord) -> None:
    used = [await discord.you.slash("identify", {"clip": CLIP}) for _ in range(100)]
    await asyncio.gather(*(one.wait_edited(60) for one in used))
    assert all(one.acked_at for one in used)
    discord.assert_clean()


async def test_voice_message_has_the_voice_flag(discord: LocalDiscord, bot: SmallBot) -> None:
    await discord.you.say(uploads=[Upload("voice-message.ogg", b"OggS")], voice=True)
    await discord.wait_for(lambda: bot.messages)
    assert bot.messages[0].flags.voice
    assert bot.messages[0].attachments[0].is_voice_message()
