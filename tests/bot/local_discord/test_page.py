"""The chat page in a browser: uploads, commands, responses, buttons and forms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright, expect

from bot.local_discord import LocalDiscord, Upload
from bot.local_discord.chat_page import EXAMPLES
from tests.bot.local_discord.small_bot import SmallBot

pytestmark = pytest.mark.browser

PICTURES = Path(__file__).resolve().parents[3] / "artefacts" / "page"
expect.set_options(timeout=20_000)  # rendering is slow on a busy machine
CLIP = {"name": "my clip.wav", "mimeType": "audio/wav", "buffer": b"RIFF" + bytes(2_000)}
DESKTOP = {"viewport": {"width": 1180, "height": 820}, "color_scheme": "dark"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "light",
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=str(chromium))
        yield launched
        await launched.close()


async def visit(browser: Browser, discord: LocalDiscord, **options: object) -> Page:
    """Open the page and record console errors; an uncaught error fails the test."""
    page = await (await browser.new_context(**options)).new_page()
    page.set_default_timeout(20_000)
    page.on("pageerror", lambda error: pytest.fail(f"the page failed: {error}"))
    page.on("console", lambda line: line.type == "error" and console_errors.append(line.text))
    console_errors.clear()
    await page.goto(discord.page_url)
    await expect(page.locator("#status")).to_have_text("genrec is online")
    return page


console_errors: list[str] = []


async def picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.wait_for_timeout(250)
    await page.screenshot(path=str(PICTURES / f"{name}.png"))


@pytest.mark.parametrize(("name", "options"), [("desktop", DESKTOP), ("phone", PHONE)])
@pytest.mark.usefixtures("bot")
async def test_upload_command_and_button_in_the_browser(
    discord: LocalDiscord, browser: Browser, name: str, options: dict[str, object]
) -> None:
    page = await visit(browser, discord, **options)
    await page.set_input_files("#file", CLIP)
    await page.get_by_role("textbox", name="Message #music").fill("what is **this**?")
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message .sound")).to_contain_text("my clip.wav")
    await expect(page.locator(".message .text > p > strong").first).to_be_visible()
    await expect(page.locator(".container")).to_contain_text("2004 bytes")

    await page.get_by_role("textbox", name="Message #music").fill("/iden")
    await page.keyboard.press("Enter")
    await page.set_input_files("#command input[type=file]", CLIP)
    await page.get_by_role("combobox", name="genre").fill("me")
    await page.get_by_role("option", name="Metal").click()
    await page.get_by_label("count").fill("3")
    await picture(page, f"{name}-command")
    await page.locator("#command").get_by_role("button", name="Send").click()
    answer = page.locator(".message", has_text="my clip.wav 2004 metal")
    await expect(answer.locator(".lead")).to_have_text("you used /identify")
    await expect(answer.get_by_alt_text("Spectrogram of the clip")).to_be_visible()
    await expect(answer.get_by_role("button", name="More like this")).to_have_count(3)
    await answer.get_by_role("button", name="Like 0").click()
    again = page.locator(".message", has_text="again is jazz")
    await expect(again.get_by_role("button", name="Like 1")).to_be_visible()
    await again.get_by_role("button", name="More like this").first.click()
    private = page.locator(".message.ephemeral")
    await expect(private).to_contain_text("Only you can see this")
    await picture(page, f"{name}-answer")
    await private.get_by_role("button", name="Dismiss message").click()
    await expect(private).to_have_count(0)
    width = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0, "the page is wider than the window"
    assert console_errors == []


@pytest.mark.parametrize(("name", "options"), [("desktop", DESKTOP), ("phone", PHONE)])
@pytest.mark.usefixtures("bot")
async def test_example_clip_is_sent_with_one_click(
    discord: LocalDiscord, browser: Browser, name: str, options: dict[str, object]
) -> None:
    page = await visit(browser, discord, **options)
    await expect(
        page.get_by_role("group", name="Clips to try").get_by_role("button")
    ).to_have_count(len(EXAMPLES))
    await picture(page, f"{name}-examples")
    await page.get_by_role("button", name="Clip 2").click()
    await expect(page.locator(".message .sound")).to_contain_text(EXAMPLES[1])
    await expect(page.locator(".container")).to_contain_text("bytes")
    sound = page.locator(".message audio")
    await sound.evaluate(
        "a => new Promise((ok, no) => { a.onloadedmetadata = ok; a.onerror = no; a.load(); })"
    )
    assert 14 < await sound.evaluate("a => a.duration") < 16
    assert console_errors == []


@pytest.mark.usefixtures("bot")
async def test_times_that_no_calendar_has_are_shown_as_typed(
    discord: LocalDiscord, browser: Browser
) -> None:
    page = await visit(browser, discord, **DESKTOP)
    typed = [f"<t:{seconds}:R>" for seconds in ("9" * 17, "-" + "9" * 17, "9" * 400)]
    for text in (*typed, "<t:0:R>", "the page lives"):
        await page.get_by_role("textbox", name="Message #music").fill(text)
        await page.keyboard.press("Enter")
        shown = page.locator(".message .text").last
        await expect(shown).to_contain_text("ago" if text == "<t:0:R>" else text)
    assert console_errors == []


@pytest.mark.usefixtures("bot")
async def test_message_menu_and_form_in_the_browser(
    discord: LocalDiscord, browser: Browser
) -> None:
    posted = await discord.you.say("listen", uploads=[Upload("a.wav", b"RIFF")], channel="general")
    page = await visit(browser, discord, **DESKTOP)
    await page.get_by_role("button", name="general").click()
    await page.locator(f"#m{posted['id']}").click(button="right")
    await picture(page, "desktop-menu")
    await page.get_by_role("menuitem", name="What genre is this?").click()
    await expect(page.locator(".message").last).to_contain_text("I see a.wav")

    await page.get_by_role("textbox").fill("/note")
    await page.keyboard.press("Enter")
    await page.locator("#command").get_by_role("button", name="Send").click()
    await page.get_by_label("What is wrong?").fill("too loud")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator(".message").last).to_contain_text("Noted: too loud")
    # The form closes after its submission, which the response may precede.
    await expect(page.get_by_label("What is wrong?")).to_be_hidden()
    await page.get_by_role("textbox").fill("/pick")
    await page.keyboard.press("Enter")
    await page.locator("#command").get_by_role("button", name="Send").click()
    await page.get_by_label("Make a selection").select_option("jazz")
    await expect(page.locator(".message").last).to_contain_text("You like jazz")
    assert console_errors == []


@pytest.mark.usefixtures("bot")
async def test_message_is_forwarded_in_the_browser(discord: LocalDiscord, browser: Browser) -> None:
    await discord.you.say("listen", uploads=[Upload("my clip.wav", CLIP["buffer"])])
    page = await visit(browser, discord, **DESKTOP)
    await page.locator(".message").first.click(button="right", position={"x": 300, "y": 10})
    await page.get_by_role("menuitem", name="#general").click()
    await page.get_by_role("button", name="general").click()
    forward = page.locator(".message blockquote")
    await expect(forward).to_contain_text("Forwarded")
    await expect(forward).to_contain_text("listen")
    await expect(forward.locator(".sound")).to_contain_text("my clip.wav")
    assert not console_errors


@pytest.mark.usefixtures("bot")
async def test_message_menu_waits_for_the_commands_of_its_channel(
    discord: LocalDiscord, browser: Browser
) -> None:
    posted = await discord.you.say("listen", uploads=[Upload("a.wav", b"RIFF")], channel="general")
    page = await visit(browser, discord, **DESKTOP)
    requested, answered = asyncio.Event(), asyncio.Event()

    async def slowly(route: Route) -> None:
        requested.set()
        await answered.wait()
        await route.continue_()

    await page.route("**/api/commands", slowly)
    await page.get_by_role("button", name="general").click()
    await requested.wait()
    await page.locator(f"#m{posted['id']}").click(button="right")
    await expect(page.locator("#menu")).to_be_hidden()
    answered.set()
    await page.get_by_role("menuitem", name="What genre is this?").click()
    await expect(page.locator(".message").last).to_contain_text("I see a.wav")
    assert console_errors == []


@pytest.mark.usefixtures("bot")
async def test_dropped_file_is_sent(discord: LocalDiscord, browser: Browser) -> None:
    page = await visit(browser, discord, **DESKTOP)
    script = """() => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(99)], "dropped.ogg", {type: "audio/ogg"}));
        for (const kind of ["dragenter", "dragover", "drop"]) {
            const options = {dataTransfer: data, bubbles: true, cancelable: true};
            document.body.dispatchEvent(new DragEvent(kind, options));
        }
    }"""
    await page.evaluate(script)
    await expect(page.locator("#files")).to_contain_text("dropped.ogg")
    await expect(page.locator("#drop")).to_be_hidden()
    await page.get_by_role("button", name="Send").click()
    await expect(page.locator(".message .sound").first).to_contain_text("dropped.ogg")
    assert console_errors == []


async def test_page_reports_unresponsive_and_disconnected_bot(
    discord: LocalDiscord, bot: SmallBot, browser: Browser
) -> None:
    discord.interactions.ack_deadline_s = 0.3
    page = await visit(browser, discord, **DESKTOP)
    await page.get_by_role("textbox").fill("/sleepy")
    await page.keyboard.press("Enter")
    await page.locator("#command").get_by_role("button", name="Send").click()
    await expect(page.get_by_role("alert").last).to_contain_text("did not respond in time")
    await bot.close()
    await expect(page.locator("#status")).to_have_text("genrec is offline")


@pytest.mark.usefixtures("bot")
async def test_hostile_text_is_rendered_as_text(discord: LocalDiscord, browser: Browser) -> None:
    text = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) `<b>` **<i>bold</i>** __proto__"
    sam = discord.person("sam")
    await sam.say(text)
    await sam.say(uploads=[Upload("<script>.svg", b"<svg onload='alert(1)'/>", "image/svg+xml")])
    page = await visit(browser, discord, **DESKTOP)
    body = page.locator(".message .text").first
    await expect(body).to_contain_text("<img src=x onerror=alert(1)> [x](javascript:alert(1))")
    assert await body.locator("img, a, i").count() == 0
    await expect(page.locator("a.file")).to_contain_text("<script>.svg")
    assert console_errors == []
