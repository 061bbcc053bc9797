"""Make the pictures of docs/foryou.md again: ``python -m tests.site.rating_pictures``.

The real bot runs on the local Discord with the shipped preset. A person rates the tracks of two
answers on the chat page and uses /foryou.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import Locator, Page, async_playwright, expect

from tests.conftest import browser as installed
from tests.repository import ROOT
from tests.site.pictures import save
from tests.site.walk import DESKTOP, LANGUAGES, WAIT_MS, AdminWalk, Shown
from tests.trace_upload import bot_on_local_discord

FOLDER = ROOT / "docs" / "pictures"
SONGS = ("Bob Marley - Is This Love", "Iron Maiden - Flight of Icarus")


class RatingWalk(AdminWalk):
    """A person who rates tracks."""

    async def steps(self) -> AsyncIterator[Shown]:
        """Rate the tracks of two answers, then use /foryou."""
        async for name, what in self._join():
            assert name == "welcome", what
        for song in SONGS:
            await self._open("recommend")
            await self._fill("recommend", "track", song)
            await self._send()
            answer = await self._answer(song.partition(" - ")[2])
            await self._with_tracks(answer)
            await answer.locator("[data-custom-id^='thumb:up']").click()
            panel = await self._answer(self.text("votes.each"))
            await self._choose(panel, "up", [0, 1, 2])
            await self._choose(panel, "down", [4])
            if song == SONGS[-1]:
                yield Shown("ratings", panel)
            await self._dismiss()
        await self._open("foryou")
        await self._send()
        asked = await self._answer(self.text("for_you.allow"))
        yield Shown("foryou-ask", asked)
        await asked.get_by_role("button", name=self.text("for_you.allow")).click()
        found = await self._answer(self.text("for_you.title"))
        await self._with_tracks(found)
        yield Shown("foryou", found)

    async def _choose(self, panel: Locator, name: str, places: list[int]) -> None:
        menu = panel.get_by_role("listbox", name=self.text(f"votes.{name}"))
        await menu.select_option(index=places)
        chosen = menu.locator("option:checked")
        await expect(chosen).to_have_count(len(places), timeout=WAIT_MS)
        await asyncio.sleep(1)  # the bot edits the message


async def make(out: Path, language: str) -> None:
    """Write the pictures."""
    failures: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(installed()))
        page: Page = await (await browser.new_context(**DESKTOP)).new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: failures.append(str(error)))
        with tempfile.TemporaryDirectory(prefix="genrec-pictures-") as folder:
            async with bot_on_local_discord(Path(folder)) as discord:
                await page.goto(discord.page_url)
                status = page.locator("#status")
                await expect(status).to_have_text("genrec is online", timeout=WAIT_MS)
                if language != "en":
                    await page.locator("#locale").evaluate(
                        "(box, value) => { box.value = value;"
                        " box.dispatchEvent(new Event('change')); }",
                        LANGUAGES[language],
                    )
                async for step in RatingWalk(discord, page, language, Path(folder)).steps():
                    await save(step, out / f"{step.name}.webp")
        await browser.close()
    if failures:
        raise SystemExit(f"The page failed: {failures}")


def main() -> None:
    """Write the pictures of ratings and /foryou."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    parser.add_argument("--language", default="en", choices=("en", "de"))
    given = parser.parse_args()
    asyncio.run(make(given.out, given.language))


if __name__ == "__main__":
    main()
