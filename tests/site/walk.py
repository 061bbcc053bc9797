"""The steps of the guide for admins, on the chat page of the local Discord.

Each step does what the guide says with the mouse and the keyboard, waits for the text that the
reader should see, and yields its name and what to show. Names are those of the pictures.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from playwright.async_api import Browser, Locator, Page, expect

from bot.demo.clip_audio import flac, music
from bot.i18n import Translations
from bot.local_discord import LocalDiscord

WAIT_MS = 60_000
GENRE = "Night Drive"
MIX_SEEDS = ("Iron Maiden - Flight of Icarus", "Jethro Tull - Bungle In The Jungle")
RADIO_SEED = "Dexter Gordon - Broadway"
PATH_ENDS = ("Bob Marley - Is This Love", "Iron Maiden - Flight of Icarus")
STEPS = (
    "welcome", "help", "recommend-form", "answer", "details", "path", "mix", "mix-basket", "radio",
    "uploads-form", "uploads-on", "upload-answered", "menu", "access-form", "settings-panel",
    "library-form", "library-added", "library-list", "library-export", "library-import",
    "library-duplicates", "genres-form", "genres-taught", "genres-list", "genre-own", "privacy",
)  # fmt: skip
DESKTOP = {"viewport": {"width": 900, "height": 660}, "color_scheme": "dark"}
PHONE = {
    "viewport": {"width": 390, "height": 780},
    "color_scheme": "light",
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
LANGUAGES = {"en": "en-US", "de": "de"}


@dataclass(frozen=True)
class Shown:
    """A finished step: its name and the part of the page that shows it."""

    name: str
    what: Page | Locator


def clip(name: str, seed: int) -> dict[str, Any]:
    """Return a synthetic clip as a file for the page."""
    return {"name": name, "mimeType": "audio/flac", "buffer": flac(seed)}


def mp3(name: str, seed: int) -> dict[str, Any]:
    """Return 30 s of synthetic music as an MP3 file for the page."""
    file = io.BytesIO()
    soundfile.write(file, music(seed, 30, 44100), 44100, format="MP3")
    return {"name": name, "mimeType": "audio/mpeg", "buffer": file.getvalue()}


class AdminWalk:
    """The admin of a server, at the page."""

    def __init__(self, discord: LocalDiscord, page: Page, language: str, folder: Path) -> None:
        self._discord = discord
        self._page = page
        self._language = language
        self._folder = folder
        self._translations = Translations.load()

    def text(self, key: str, **values: object) -> str:
        """Return a text of the bot in the reader's language."""
        return self._translations.text(key, self._language, **values)

    async def steps(self) -> AsyncIterator[Shown]:
        """Do each step of the guide."""
        parts = (
            self._join, self._ask, self._path, self._mix, self._radio, self._uploads,
            self._settings, self._library, self._genres, self._privacy,
        )  # fmt: skip
        for part in parts:
            async for name, what in part():
                yield Shown(name, what)

    async def _join(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        # In the server's language, which is English.
        button = self._translations.text("button.uploads_on", "en")
        message = self._page.locator(".message", has=self._page.get_by_role("button", name=button))
        async with asyncio.timeout(WAIT_MS / 1000):
            while not await message.count():
                # discord.py waits 2 s for further servers, and sends no event before.
                await asyncio.sleep(3)
                self._discord.edit.add_bot(self._discord.guild)
                await asyncio.sleep(1)
        yield "welcome", message

    async def _ask(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("help")
        await self._send()
        yield "help", await self._answer(self.text("help.title"))
        await self._dismiss()
        await self._open("recommend")
        await self._attach(clip("evening jam.flac", 0))
        yield "recommend-form", self._page
        await self._send()
        answer = await self._answer("evening jam")
        await self._with_tracks(answer)
        yield "answer", answer
        await answer.get_by_role("button", name=self.text("button.details")).click()
        full = await self._answer("evening jam")
        await expect(full.get_by_role("button", name=self.text("button.more"))).to_have_count(
            5, timeout=WAIT_MS
        )
        await self._with_picture(full)
        yield "details", full
        await self._dismiss()

    async def _path(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("path")
        for option, song in zip(("start", "goal"), PATH_ENDS, strict=True):
            await self._fill("path", option, song)
        await self._send()
        start, goal = (song.partition(" - ")[2] for song in PATH_ENDS)
        answer = await self._answer(self.text("way.heading", start=start, goal=goal))
        await self._with_tracks(answer)
        await self._with_picture(answer)
        yield "path", answer

    async def _mix(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("mix")
        for option, song in zip(("track", "track2"), MIX_SEEDS, strict=True):
            await self._fill("mix", option, song)
        await self._choose("mix", "private", "true")
        await self._send()
        titles = [song.partition(" - ")[2] for song in MIX_SEEDS]
        answer = await self._answer(*titles)
        await self._with_tracks(answer)
        yield "mix", answer
        await self._dismiss()
        for number, name in enumerate(("morning loop.mp3", "evening loop.mp3"), start=11):
            await self._page.set_input_files("#file", mp3(name, number))
            await self._page.locator("#send").click()
            # The answer to the upload comes first, or it would follow the basket as last message.
            await self._with_tracks(await self._answer(name))
            upload = self._page.locator(".message", has_text=f"♪ {name}")
            await upload.get_by_role("button", name="Apps and more").click()
            await self._page.get_by_role("menuitem", name=self.text("menus.mix.name")).click()
            basket = await self._answer(self.text("mix.basket"), name)
            if number == 12:
                yield "mix-basket", basket
            await self._dismiss()

    async def _radio(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("radio")
        await self._fill("radio", "track", RADIO_SEED)
        await self._send()
        answer = await self._answer(RADIO_SEED.partition(" - ")[2], "radio.jspf")
        await self._with_tracks(answer)
        yield "radio", answer

    async def _uploads(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("settings uploads")
        yield "uploads-form", self._page
        await self._send()
        yield "uploads-on", await self._answer(self.text("notices.uploads_on"))
        await self._dismiss()
        await self._page.set_input_files("#file", mp3("demo take 3.mp3", 2))
        await self._page.locator("#send").click()
        answer = await self._answer("demo take 3", button=True)
        await self._with_tracks(answer)
        await self._page.locator(".message").nth(-2).evaluate("one => one.scrollIntoView()")
        yield "upload-answered", self._page
        upload = self._page.locator(".message", has_text="demo take 3").nth(-2)
        await upload.get_by_role("button", name="Apps and more").click()
        entry = self._page.get_by_role("menuitem", name=self.text("menus.recommend.name"))
        await expect(entry).to_be_visible()
        yield "menu", self._page
        await self._page.keyboard.press("Escape")

    async def _settings(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("settings access")
        await self._page.locator("#command select").select_option(label="fans")
        yield "access-form", self._page
        await self._send()
        await self._answer(self.text("notices.settings_saved"))
        await self._dismiss()
        await self._open("settings show")
        await self._send()
        yield "settings-panel", await self._answer(self.text("settings.title"))
        await self._dismiss()

    async def _library(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("library add")
        await self._attach(clip("first single.flac", 5))
        await self._fill("library.add", "title", "First Single")
        await self._fill("library.add", "artist", "The Locals")
        yield "library-form", self._page
        await self._send()
        yield "library-added", await self._answer("First Single", "The Locals")
        await self._dismiss()
        await self._open("library list")
        await self._send()
        yield "library-list", await self._answer(self.text("library.title"))
        await self._dismiss()
        table = await self._export()
        yield "library-export", self._page.locator(".message").last
        await self._dismiss()
        await self._open("library import")
        await self._page.set_input_files("#command input[type=file]", table)
        await self._send()
        known = self.text("notices.imported_known", count=1)
        yield "library-import", await self._answer(known)
        await self._dismiss()
        await self._open("library duplicates")
        await self._send()
        yield "library-duplicates", await self._answer(self.text("library.no_duplicates"))
        await self._dismiss()

    async def _genres(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("genres teach")
        await self._fill("genres.teach", "name", GENRE)
        for number, seed in enumerate((1, 6, 11)):
            file = self._page.locator("#command input[type=file]").nth(number)
            await file.set_input_files(clip(f"set {number + 1}.flac", seed))
        yield "genres-form", self._page
        await self._send()
        yield "genres-taught", await self._answer(GENRE, self.text("own_genres.ready"))
        await self._dismiss()
        await self._open("genres list")
        await self._send()
        yield "genres-list", await self._answer(self.text("own_genres.title"), GENRE)
        await self._dismiss()
        await self._open("genre")
        await self._attach(clip("opening.flac", 16))
        await self._send()
        answer = await self._answer("opening", GENRE)
        await self._with_picture(answer)
        yield "genre-own", answer

    async def _privacy(self) -> AsyncIterator[tuple[str, Page | Locator]]:
        await self._open("privacy show")
        await self._send()
        yield "privacy", await self._answer(self.text("privacy.title"))
        await self._dismiss()

    async def _export(self) -> Path:
        """Export the server's tracks as a table and return the downloaded file."""
        await self._open("library export")
        await self._page.locator("#command select").first.select_option(value="csv")
        await self._send()
        answer = await self._answer(self.text("notices.exported", count=1))
        address = await answer.locator("a.file").get_attribute("href")
        response = await self._page.request.get(str(address))
        table = self._folder / "tracks.csv"
        table.write_bytes(await response.body())
        return table

    # What a person does

    async def _open(self, command: str) -> None:
        """Type a command and choose it from the list."""
        await self._page.locator("#text").fill(f"/{command}")
        await expect(self._page.locator("#picker li").first).to_be_visible()
        await self._page.keyboard.press("Enter")
        await expect(self._page.locator("#command")).to_be_visible()

    async def _attach(self, file: Mapping[str, Any]) -> None:
        await self._page.set_input_files("#command input[type=file]", dict(file))

    async def _fill(self, command: str, option: str, value: str) -> None:
        label = self.text(f"commands.{command}.options.{option}.name")
        label_of_field = self._page.locator(".label", has_text=re.compile(rf"^{label}\b"))
        field = self._page.locator("#command .field").filter(has=label_of_field)
        await field.locator("input").fill(value)

    async def _choose(self, command: str, option: str, value: str) -> None:
        label = self.text(f"commands.{command}.options.{option}.name")
        label_of_field = self._page.locator(".label", has_text=re.compile(rf"^{label}\b"))
        field = self._page.locator("#command .field").filter(has=label_of_field)
        await field.locator("select").select_option(value)

    async def _send(self) -> None:
        await self._page.locator("#command").get_by_role("button", name="Send").click()

    async def _answer(self, *words: str, button: bool = False) -> Locator:
        """Wait until the last message shows the words, and return it."""
        message = self._page.locator(".message").last
        for part in words:
            await expect(message).to_contain_text(_plain(part), timeout=WAIT_MS)
        if button:
            await expect(message.get_by_role("button").first).to_be_visible(timeout=WAIT_MS)
        return message

    async def _with_tracks(self, answer: Locator) -> None:
        """Wait until an answer is complete: then it has thumbs."""
        more = answer.locator("[data-custom-id^='thumb:']")
        await expect(more.first).to_be_visible(timeout=WAIT_MS)

    async def _with_picture(self, answer: Locator) -> None:
        """Wait for the spectrogram of a full answer."""
        picture = answer.locator("img[alt]").last
        await expect(picture).to_be_visible(timeout=WAIT_MS)
        await picture.evaluate("image => image.decode()")

    async def _dismiss(self) -> None:
        """Dismiss the private message, as the chat of a reader would be too long otherwise."""
        await self._page.get_by_role("button", name="Dismiss message").last.click()


def _plain(text: str) -> str:
    """Return a text as the page shows it, without Discord's Markdown."""
    return text.replace("**", "").replace("`", "")


async def walk(
    discord: LocalDiscord, browser: Browser, folder: Path, *, language: str = "en",
    options: Mapping[str, Any] = DESKTOP, failed: Callable[[str], None],
) -> AsyncIterator[Shown]:  # fmt: skip
    """Open the page in a language, do the steps and yield each; ``failed`` gets page errors."""
    discord.edit.role("fans")
    page = await (await browser.new_context(**options)).new_page()
    page.set_default_timeout(WAIT_MS)
    page.on("pageerror", lambda error: failed(str(error)))
    await page.goto(discord.page_url)
    await expect(page.locator("#status")).to_have_text("genrec is online", timeout=WAIT_MS)
    locale = page.locator("#locale")
    if language != "en":
        await locale.evaluate(
            "(box, value) => { box.value = value; box.dispatchEvent(new Event('change')); }",
            LANGUAGES[language],
        )
    async for step in AdminWalk(discord, page, language, folder).steps():
        yield step
