"""The bot, its pool and the shipped preset on the chat page, in a browser."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import soundfile
from playwright.async_api import async_playwright, expect

from bot.demo.clip_audio import music
from bot.local_discord import LocalDiscord
from tests.trace_upload import bot_on_local_discord

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).resolve().parents[3] / "artefacts" / "page"
WAIT_MS = 60_000
ONE_LINE_PX = 30
TYPED, NAMED = "jehtro long song", "Jethro Tull - Life Is A Long Song"
SCREENS = {
    "desktop": {"viewport": {"width": 1180, "height": 1000}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "is_mobile": True,
        "has_touch": True,
        "device_scale_factor": 2,
    },
}


def clip() -> dict[str, object]:
    file = io.BytesIO()
    soundfile.write(file, music(0, 20, 44100), 44100, format="FLAC")
    return {"name": "band.flac", "mimeType": "audio/flac", "buffer": file.getvalue()}


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[LocalDiscord]:
    """Start the bot as `genrec run` does without a token."""
    async with bot_on_local_discord(tmp_path) as discord:
        yield discord


@pytest.mark.parametrize("screen", SCREENS)
async def test_upload_and_more_like_this_in_the_browser(
    local: LocalDiscord, chromium: Path, screen: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        page = await (await browser.new_context(**SCREENS[screen])).new_page()
        page.set_default_timeout(WAIT_MS)
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto(local.page_url)
        await expect(page.locator("#status")).to_have_text("genrec is online", timeout=WAIT_MS)

        await page.set_input_files("#file", clip())
        await page.get_by_role("button", name="Send").click()
        short = page.locator(".message", has=page.locator(".container")).first
        await expect(short).to_contain_text("Similar to band", timeout=WAIT_MS)
        heights = await short.locator("ol li").evaluate_all("all => all.map(li => li.clientHeight)")
        assert len(heights) == 5
        assert max(heights) < 1.5 * min(heights), "a track takes more than one line"
        assert max(heights) < ONE_LINE_PX
        await page.screenshot(path=str(PICTURES / f"genrec-{screen}-short.png"))
        await short.get_by_role("button", name="Details").click()
        answer = page.locator(".message.ephemeral")
        more = answer.get_by_role("button", name="More like this")
        await expect(more).to_have_count(5, timeout=WAIT_MS)
        await expect(answer).to_contain_text("5 similar tracks")
        picture = answer.locator("img[alt^='Spectrogram']")
        await expect(picture).to_be_visible()
        assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 99
        await page.screenshot(path=str(PICTURES / f"genrec-{screen}-answer.png"))
        await answer.evaluate("message => message.scrollIntoView()")
        await page.screenshot(path=str(PICTURES / f"genrec-{screen}-genre.png"))

        await more.first.click()
        second = page.locator(".message", has_text="Like ").last
        await expect(second.get_by_role("button", name="More like this").first).to_be_visible()
        await page.screenshot(path=str(PICTURES / f"genrec-{screen}-more.png"))
        await browser.close()
    assert failures == []
    local.assert_clean()


@pytest.mark.parametrize("screen", SCREENS)
async def test_song_is_named_from_the_list_while_typing(
    local: LocalDiscord, chromium: Path, screen: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        page = await (await browser.new_context(**SCREENS[screen])).new_page()
        page.set_default_timeout(WAIT_MS)
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto(local.page_url)
        await expect(page.locator("#status")).to_have_text("genrec is online", timeout=WAIT_MS)

        await page.locator("#text").fill("/recommend")
        await page.keyboard.press("Enter")
        field = page.locator("[aria-controls='list-track']")
        await field.fill(TYPED)
        offered = page.get_by_role("option", name=NAMED)
        await expect(offered.first).to_be_visible(timeout=WAIT_MS)
        assert all(len(name) <= 100 for name in await page.get_by_role("option").all_inner_texts())
        await page.screenshot(path=str(PICTURES / f"genrec-{screen}-typed-name.png"))
        await offered.first.click()
        await page.locator("#command").get_by_role("button", name="Send").click()
        answer = page.locator(".message", has=page.locator(".container")).first
        await expect(answer).to_contain_text(NAMED.partition(" - ")[2], timeout=WAIT_MS)
        await expect(answer.locator("ol li")).to_have_count(5)
        await page.screenshot(path=str(PICTURES / f"genrec-{screen}-named.png"))
        await browser.close()
    assert failures == []
    local.assert_clean()
