"""Make the pictures of the guides again: ``python -m tests.site.pictures``.

The real bot runs on the local Discord with the shipped preset, and Chromium does the steps of
``tests.site.walk``. Each picture is a WebP file of at most 60 kB.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import sys
import tempfile
from itertools import product
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Locator, Page, async_playwright

from tests.conftest import browser as installed
from tests.repository import ROOT
from tests.site import operator_walk, terminal
from tests.site.walk import DESKTOP, PHONE, Shown, walk
from tests.trace_upload import bot_on_local_discord

FOLDER = ROOT / "docs" / "pictures" / "guides"
MAX_BYTES = 60_000
CHROME_HEIGHT = 240  # of the page's heading and text field, and some space
ON_PHONE = ("answer", "details", "uploads-on")


def webp(png: bytes) -> bytes:
    """Return a picture in WebP, in the largest size and best quality that fit."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for scale, quality in product((1, 0.75, 0.5, 0.4), (90, 75, 60, 45)):
        size = round(picture.width * scale), round(picture.height * scale)
        file = io.BytesIO()
        picture.resize(size, Image.Resampling.LANCZOS).save(file, "WEBP", quality=quality, method=6)
        if file.tell() <= MAX_BYTES:
            return file.getvalue()
    raise SystemExit(f"A picture takes {file.tell()} bytes; {MAX_BYTES} are allowed.")


async def screenshot(what: Page | Locator) -> bytes:
    """Return a picture of a page, or of one message in a window that is high enough for it."""
    if isinstance(what, Page):
        return await what.screenshot(animations="disabled", caret="hide")
    before, box = what.page.viewport_size, await what.bounding_box()
    assert before, "the page has a size"
    assert box, "a step shows a visible part of a page"
    height = max(before["height"], round(box["height"]) + CHROME_HEIGHT)
    await what.page.set_viewport_size({"width": before["width"], "height": height})
    try:
        return await what.screenshot(animations="disabled", caret="hide")
    finally:
        await what.page.set_viewport_size(before)


async def save(step: Shown, path: Path) -> None:
    """Write the picture of a step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(webp(await screenshot(step.what)))
    sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")


async def record(browser: Browser, out: Path, language: str, *, phone: bool) -> None:
    """Do the walk once and write its pictures."""
    failures: list[str] = []
    with tempfile.TemporaryDirectory(prefix="genrec-pictures-") as folder:
        async with bot_on_local_discord(Path(folder)) as discord:
            steps = walk(
                discord, browser, Path(folder), language=language,
                options=PHONE if phone else DESKTOP, failed=failures.append,
            )  # fmt: skip
            async for step in steps:
                name = f"{step.name}-phone" if phone else step.name
                if not phone or out != FOLDER or step.name in ON_PHONE:
                    await save(step, out / f"{name}.webp")
    if failures:
        raise SystemExit(f"The page failed: {failures}")


async def record_terminal(browser: Browser, out: Path) -> None:
    """Do the walk of the guide for operators and write its pictures."""
    page = await browser.new_page(viewport={"width": 1000, "height": 400})
    with tempfile.TemporaryDirectory(prefix="genrec-pictures-") as folder:
        async for step in operator_walk.walk(Path(folder)):
            await page.set_content(terminal.page(step.command, step.shown))
            await save(Shown(step.name, page.locator("pre")), out / f"{step.name}.webp")


async def make(out: Path, language: str) -> None:
    """Write the pictures of all steps."""
    chromium = installed()
    if chromium is None:
        raise SystemExit("The pictures need Chromium. Debian: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        for phone in (False, True):
            await record(browser, out, language, phone=phone)
        await record_terminal(browser, out)
        await browser.close()


def main() -> None:
    """Write the pictures of the guides."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures")
    parser.add_argument("--language", default="en", choices=("en", "de"))
    given = parser.parse_args()
    asyncio.run(make(given.out, given.language))


if __name__ == "__main__":
    main()
