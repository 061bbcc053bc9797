"""No path and no name of a file outside the library stands in a message or a file on Discord."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bot.local_discord import LocalDiscord, buttons, visible_text
from db.generations import NewTrack
from genrec.errors import CatalogueError, GenrecError, LinkRefused, UnreadableAudio
from tests.bot.end_to_end.conftest import (
    WAV,
    World,
    bot_on,
    clip,
    details,
    wait_response,
    wait_text,
)
from tests.bot.end_to_end.fakes import unit

SECRET = "/srv/private folder/secret.wav"


def music(folder: Path) -> Path:
    """Make a library with a linked folder, and a file with a name outside of it."""
    library, outside = folder / "music", folder / "outside"
    library.mkdir()
    outside.mkdir()
    for n in range(3):
        (library / f"file{n}.wav").write_bytes(WAV + bytes([n]))
    (outside / "track.wav").write_bytes(WAV + b"9")
    (library / "linked").symlink_to(outside)
    (library / "broken").symlink_to(folder / "secret-target")
    return library


def texts(discord: LocalDiscord, message: dict[str, Any]) -> str:
    """Return a message's text and the text of its files."""
    files = (discord.cdn.read(a["url"]).decode() for a in message["attachments"])
    return "\n".join([json.dumps(message), visible_text(message), *files])


@pytest.mark.parametrize(
    "reason",
    [
        f"The file {SECRET} cannot be read.",
        "cannot open ../outside/secret.wav",
        "decoder: '/proc/self/fd/9' of secret.wav",
    ],
)
async def test_reindex_shows_no_path_in_progress_result_and_failures(
    discord: LocalDiscord, tmp_path: Path, reason: str
) -> None:
    library = music(tmp_path)
    async with bot_on(discord, tmp_path, library=library, progress_every_s=0.05) as world:
        world.pool.delay_s = 0.1

        def fail(path: Path) -> None:
            inside = UnreadableAudio(f"{path} is damaged.")
            error = UnreadableAudio(reason) if path.name == "file1.wav" else inside
            world.pool.error = error if path.name != "file2.wav" else None

        world.pool.on_analyze = fail
        used = await world.you.slash("reindex")
        done = await used.wait_until(lambda m: "up to date" in visible_text(m), 30)
        listed = await used.wait_followup()
        shown = "\n".join(texts(discord, message) for message in [*used.history, done, listed])
        assert "file0.wav is damaged." in shown
        assert "linked/track.wav" in shown
        for private in (str(tmp_path), "secret", "outside/", "/proc"):
            assert private not in shown, private


@pytest.mark.parametrize("locale", ["en-US", "fr"])
@pytest.mark.parametrize(
    "error",
    [
        UnreadableAudio(f"{SECRET} is damaged."),
        LinkRefused(f"yt-dlp wrote {SECRET} and failed."),
        CatalogueError(f"The catalogue {SECRET} is damaged."),
        GenrecError(f"{SECRET}: unexpected."),
        OSError(2, "No such file", SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_error_of_a_request_shows_no_path(
    world: World, error: Exception, locale: str
) -> None:
    world.pool.error = error
    world.you.locale = locale
    message = await (await world.you.slash("recommend", {"clip": clip()})).wait_until(
        lambda m: not m["flags"] & (1 << 7) and "\u2026" not in visible_text(m)
    )
    assert visible_text(message)
    assert "secret" not in json.dumps(message)


async def test_exports_of_files_and_about_show_no_path(world: World) -> None:
    catalogue = world.app.resources.recommender.catalogue
    model_id = world.app.resources.preset.model_id
    guild = f"guild:{world.discord.guild.id}"
    for scope, seed in (("library", 1), (guild, 2)):
        track = NewTrack(
            title=f"Song of {scope[:5]}", artist="Band", genre="jazz", embedding=unit(seed),
            source=SECRET, content=f"{seed:064x}",
        )  # fmt: skip
        await catalogue.add(scope, model_id, [track])
    await world.app.resources.recommender.reload()
    seen = [await (await world.you.slash(path)).wait_edited() for path in ("about", "library list")]
    for form in ("csv", "json", "jspf", "txt"):
        used = await world.you.slash("library export", {"format": form})
        seen.append(await used.wait_until(lambda m: m["attachments"]))
    playlist = await world.you.slash("library export", {"format": "m3u8"})
    await wait_text(playlist, "a player could open")
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip(), "count": 10}))
    full = await details(world, answer)
    assert any(b["custom_id"].startswith("export:") for b in buttons(full))
    exported = await world.you.press(full, "Export")
    offered = await exported.wait_until(lambda m: "Choose a format" in visible_text(m))
    seen += [answer, full, offered]
    for label in ("playlist (JSPF)", "table (CSV)"):
        chosen = await world.you.press(offered, label)
        seen.append(await chosen.wait_until(lambda m: m["attachments"]))
    for message in seen:
        assert "secret" not in texts(world.discord, message)
        assert "/srv" not in texts(world.discord, message)


async def test_reindex_of_an_unreadable_library_shows_no_path(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    async with bot_on(discord, tmp_path, library=tmp_path / "secret") as world:
        used = await world.you.slash("reindex")
        await wait_text(used, "can't be read")
        assert "secret" not in json.dumps(used.original)
