"""The Listen button: excerpts of the operator's files, for the person who presses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.local_discord import LocalDiscord, buttons, visible_text
from db.folders import register
from db.generations import NewTrack
from genrec.errors import SilentAudio, WorkerCrashed
from tests.bot.end_to_end.conftest import World, bot_on, clip, details, wait_response, wait_text
from tests.bot.end_to_end.fakes import MP3, unit

V2 = 1 << 15


@asynccontextmanager
async def music_bot(
    discord: LocalDiscord, folder: Path, names: Sequence[str] = ("1.flac", "2.flac#t=10,20"),
    *, registered: bool = True, songs: int = 1, **settings: object,
) -> AsyncIterator[World]:  # fmt: skip
    """Run a bot whose library has some files, and one starter track."""
    music = folder / "secret"
    music.mkdir()
    async with bot_on(discord, folder, songs=songs, excerpts=True, **settings) as world:
        resources = world.app.resources
        tracks = [
            NewTrack(
                title=f"Tune /{number}\\", artist=f"Bänd {number}", genre="jazz",
                embedding=unit(50 + number, near=1), source=str(music / name),
                content=f"{number:064x}",
            )
            for number, name in enumerate(names)
        ]  # fmt: skip
        for name in names:
            (music / name.partition("#")[0]).write_bytes(b"sound")
        await resources.recommender.catalogue.add("library", resources.preset.model_id, tracks)
        if registered:
            async with resources.db.transaction() as tx:
                await register(tx, "library", str(music))
        await resources.recommender.reload()
        yield world


def listen_id(answer: dict[str, Any]) -> str:
    """Return the custom id of Listen; "" if the response has no such button."""
    ids = [b["custom_id"] for b in buttons(answer) if b["custom_id"].startswith("listen:")]
    return ids[0] if ids else ""


async def listen(world: World, answer: dict[str, Any]) -> dict[str, Any]:
    """Press Listen and return the message with the excerpts."""
    pressed = await world.you.press(answer, listen_id(answer))
    message: dict[str, Any] = await pressed.wait_until(lambda m: m["attachments"])
    assert pressed.ephemeral
    return message


async def ask(world: World) -> dict[str, Any]:
    return await wait_response(await world.you.slash("recommend", {"clip": clip()}))


async def test_listen_sends_one_even_excerpt_for_each_file(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with music_bot(discord, tmp_path) as world:
        answer = await ask(world)
        message = await listen(world, answer)
        # Discord plays no sound of a Components V2 layout.
        assert not message["flags"] & V2
        assert "Excerpts of up to 15 s" in message["content"]
        assert len(message["content"].splitlines()) == 4
        assert "no sound file here" in message["content"]
        names = sorted(file["filename"][2:] for file in message["attachments"])
        assert names == ["Tune 0 - Bänd 0.mp3", "Tune 1 - Bänd 1.mp3"]
        for file in message["attachments"]:
            assert file["content_type"] == "audio/mpeg"
            assert world.discord.cdn.read(file["url"]) == MP3
        assert "secret" not in str(message)
        assert sorted(path.name for path in world.pool.cut) == ["1.flac", "2.flac"]
        again = await listen(world, await details(world, answer))
        assert len(again["attachments"]) == 2
        assert len(world.pool.cut) == 2, "excerpts are kept"
        world.discord.assert_clean()


async def test_answer_without_files_or_permission_has_no_listen_button(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with music_bot(discord, tmp_path, ()) as world:
        assert listen_id(await ask(world)) == ""


async def test_excerpts_are_off_by_default(discord: LocalDiscord, tmp_path: Path) -> None:
    async with music_bot(discord, tmp_path) as world:
        answer = await ask(world)
    (tmp_path / "other").mkdir()
    async with bot_on(discord, tmp_path) as world:
        assert listen_id(await ask(world)) == ""
        # The button of an older answer.
        pressed = await world.you.press(answer, listen_id(answer))
        await wait_text(pressed, "sound file here that can be played")
        assert world.pool.cut == []


async def test_file_that_is_gone_or_unreadable_is_said(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with music_bot(discord, tmp_path, ("1.flac", "2.flac", "3.flac")) as world:
        answer = await ask(world)
        (tmp_path / "secret" / "1.flac").unlink()
        message = await listen(world, answer)
        assert len(message["attachments"]) == 2
        world.pool.error = SilentAudio("silent")
        (tmp_path / "secret" / "2.flac").write_bytes(b"changed")
        message = await listen(world, answer)
        assert len(message["attachments"]) == 1
        assert "no sound file here" in message["content"]
        world.pool.error = WorkerCrashed("crashed")
        (tmp_path / "secret" / "3.flac").write_bytes(b"changed")
        pressed = await world.you.press(answer, listen_id(answer))
        await wait_text(pressed, "crashed")


async def test_all_files_gone_is_one_sentence_in_the_users_language(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with music_bot(discord, tmp_path, ("1.flac",)) as world:
        answer = await ask(world)
        world.pool.error = SilentAudio("silent")
        world.you.locale = "fr"
        pressed = await world.you.press(answer, listen_id(answer))
        assert "liens de leurs titres" in await wait_text(pressed, "fichier audio")


@pytest.mark.parametrize("registered", [True, False])
async def test_only_indexed_folders_are_read(
    discord: LocalDiscord, tmp_path: Path, registered: bool
) -> None:
    async with music_bot(discord, tmp_path, ("1.flac",), registered=registered) as world:
        answer = await ask(world)
        pressed = await world.you.press(answer, listen_id(answer))
        if registered:
            await pressed.wait_until(lambda m: m["attachments"])
        else:
            await wait_text(pressed, "sound file here that can be played")
        assert bool(world.pool.cut) is registered


async def test_tracks_of_servers_are_never_read(discord: LocalDiscord, tmp_path: Path) -> None:
    async with music_bot(discord, tmp_path, ("1.flac",)) as world:
        resources = world.app.resources
        private = tmp_path / "secret" / "private.flac"
        private.write_bytes(b"sound")
        track = NewTrack(
            title="Private", artist="Guild", genre="jazz", embedding=unit(70, near=1),
            source=str(private), content="f" * 64,
        )  # fmt: skip
        scope = f"guild:{discord.guild.id}"
        await resources.recommender.catalogue.add(scope, resources.preset.model_id, [track])
        await resources.recommender.reload()
        answer = await ask(world)
        assert "Private" in visible_text(answer)
        assert len((await listen(world, answer))["attachments"]) == 1
        assert [path.name for path in world.pool.cut] == ["1.flac"]


async def test_role_that_may_use_the_bot_is_needed(discord: LocalDiscord, tmp_path: Path) -> None:
    async with music_bot(discord, tmp_path) as world:
        answer = await ask(world)
        role = discord.edit.role("fans").id
        await wait_text(await world.you.slash("settings access", {"role": role}), "Saved")
        guest = discord.person("guest")
        pressed = await guest.press(answer, listen_id(answer))
        assert "Only some roles" in visible_text(await pressed.wait_edited())
        assert world.pool.cut == []
