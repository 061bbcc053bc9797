"""The steps of the guide for operators, at a terminal and against the local Discord."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import soundfile

from bot.local_discord import LocalDiscord, visible_text
from tests.bot.setup.typist import Typist
from tests.synth import music

STEPS = ("setup", "run")
SONGS = (("The Locals", "First Single"), ("Nora Quill", "Paper Boats"), ("Oak & Ash", "Low Tide"))
SHOWN_FOLDER = "/srv/genrec"
TOKEN = "a-secret.of-the.local-discord"


@dataclass(frozen=True)
class Said:
    """A finished step: its name, the command, and what the terminal shows."""

    name: str
    command: str
    shown: str


def make_music(folder: Path) -> None:
    """Write a folder with three songs."""
    for number, (artist, title) in enumerate(SONGS):
        song = folder / artist / f"{title}.flac"
        song.parent.mkdir(parents=True)
        with soundfile.SoundFile(song, "w", 22050, 1, format="FLAC") as file:
            file.title, file.artist = title, artist
            file.write(music(number, 12, 22050))


async def walk(folder: Path) -> AsyncIterator[Said]:
    """Set genrec up in an empty folder, run it, use a command, and yield each step."""
    make_music(folder / "music")
    async with LocalDiscord(token=TOKEN) as discord:
        shown = await _set_up(discord, folder)
        yield Said("setup", "genrec setup", _tidy(shown, folder))
        shown = await _run(discord, folder)
        yield Said("run", "genrec run", _tidy(shown, folder))


async def _set_up(discord: LocalDiscord, folder: Path) -> str:
    person = Typist(discord.url, "setup", "--no-service", folder=folder, COLUMNS="100")
    try:
        await person.answers("without Discord)", TOKEN)
        await person.answers("Music folder", "music")
        await person.answers("Index it now?", "y")
        assert await person.ends() == 0, person.shown
    finally:
        person.leave()
    assert TOKEN not in person.shown, "the token is never shown"
    return person.shown


async def _run(discord: LocalDiscord, folder: Path) -> str:
    person = Typist(discord.url, "run", folder=folder, COLUMNS="100", GENREC_HTTP_PORT="0")
    try:
        await person.reads("connected as")
        await discord.wait_commands("about", timeout_s=30)
        used = await discord.you.slash("about")
        assert "genrec" in visible_text(await used.wait_edited(30))
        await person.presses_ctrl_c()
        assert await person.ends() == 0, person.shown
    finally:
        person.leave()
    return person.shown


def _tidy(shown: str, folder: Path) -> str:
    """Return a terminal's text with a folder that is not temporary."""
    return shown.replace(str(folder), SHOWN_FOLDER)
