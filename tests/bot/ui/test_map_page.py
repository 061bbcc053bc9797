"""The page of a map in a browser: from the disk, by mouse, keyboard and touch, with odd titles."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Page, async_playwright, expect

from bot.i18n import Localizer, Translations
from bot.ui.map_drawing import MapMark
from bot.ui.map_page import MapTracks, map_page
from bot.ui.track_links import LinkChoice, TrackLinks
from genrec.types import Track

TRANSLATIONS = Translations.load()
PICTURES = Path(__file__).resolve().parents[3] / "artefacts" / "map"
HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=https://attack.example/x onerror=alert(1)>",
    "\u202egnp.exe\u202c {data} {script}",
    "שלום עולם",
    "x" * 5_000,
    "'; alert(1); '",
    "",
)
DESKTOP = {"viewport": {"width": 1000, "height": 700}, "color_scheme": "dark"}
PHONE = {
    "viewport": {"width": 390, "height": 800}, "color_scheme": "light",
    "is_mobile": True, "has_touch": True, "device_scale_factor": 2,
}  # fmt: skip


def tracks(titles: Sequence[str]) -> MapTracks:
    """Return tracks in a row from left to right, of two genres."""
    shown = [
        Track(n, title, f"Artist {n % 3}", "jazz" if n % 2 else "rock", f"/secret/{n}.flac")
        for n, title in enumerate(titles, start=1)
    ]
    places = np.stack([np.linspace(-1, 1, len(titles)), np.zeros(len(titles))], axis=1)
    return MapTracks(
        shown,
        places.astype(np.float32),
        {
            "genre": ["Jazz" if track.genre == "jazz" else "Rock" for track in shown],
            "artist": [track.artist for track in shown],
        },
    )


def page_of(
    shown: MapTracks,
    language: str = "en",
    links: TrackLinks | None = None,
    marks: Sequence[MapMark] = (MapMark(0.5, 0.5, "", "1"),),
) -> bytes:
    return map_page(
        Localizer(TRANSLATIONS, language),
        shown,
        title="Map </title><script>alert(2)</script>",
        alt="Map of tracks",
        links=links or TrackLinks(),
        marks=marks,
    )


@asynccontextmanager
async def opened(
    content: bytes, folder: Path, chromium: Path, options: dict[str, object]
) -> AsyncIterator[Page]:
    """Open the page from the disk; fail on an error, a message in the console or a request."""
    file = folder / "map.html"
    file.write_bytes(content)
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        page = await (await browser.new_context(**options)).new_page()
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda message: wrong.append(f"console: {message.text}"))
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: request.url == file.as_uri() or wrong.append(f"request: {request.url}"),
        )
        await page.goto(file.as_uri())
        await page.wait_for_selector("html[data-ready]")
        yield page
        await page.wait_for_timeout(100)
        await browser.close()
    assert wrong == []


async def painted(page: Page) -> int:
    """Return the number of pixels that are not empty."""
    return await page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done("
        "context.getImageData(0, 0, canvas.width, canvas.height).data"
        ".filter((value, i) => i % 4 === 3 && value).length))))"
    )


async def view(page: Page) -> dict[str, float]:
    return await page.evaluate("({...view})")


async def point(page: Page, row: int) -> tuple[float, float]:
    """Return where a track's point is on the page."""
    x, y = await page.evaluate(
        f"(() => {{ const box = canvas.getBoundingClientRect();"
        f" return [box.left + across({row}), box.top + down({row})]; }})()"
    )
    return x, y


@pytest.mark.browser
async def test_page_is_moved_zoomed_and_searched_by_mouse(tmp_path: Path, chromium: Path) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    content = page_of(tracks([f"Song {n}" for n in range(40)]))
    async with opened(content, tmp_path, chromium, DESKTOP) as page:
        assert await painted(page) > 500
        await page.screenshot(path=str(PICTURES / "desktop.png"))
        await page.mouse.click(*await point(page, 7))
        await expect(page.locator("#shown strong")).to_have_text("Song 7")
        await expect(page.locator("#shown small")).to_have_text("Jazz" if 8 % 2 else "Rock")
        link = page.locator("#shown a")
        assert await link.get_attribute("href") == (
            "https://www.youtube.com/results?search_query=Artist+2+Song+7"
        )
        await page.mouse.move(500, 350)
        await page.mouse.down()
        await page.mouse.move(600, 300, steps=4)
        await page.mouse.up()
        moved = await view(page)
        assert moved["x"] < 0
        assert moved["y"] < 0
        before = await point(page, 20)
        await page.mouse.move(*before)
        await page.mouse.wheel(0, -300)
        await page.wait_for_timeout(100)
        assert (await view(page))["zoom"] > 2
        assert await point(page, 20) == pytest.approx(before, abs=3)
        await page.fill("#search", "sóng 31")
        await expect(page.locator("#count")).to_have_text("Tracks found: 1")
        await page.locator("#list button").click()
        await expect(page.locator("#shown strong")).to_have_text("Song 31")
        assert (await view(page))["x"] == pytest.approx(2 * 31 / 39 - 1, abs=0.01)
        await page.fill("#search", "nothing like this")
        await expect(page.locator("#count")).to_have_text("No tracks found.")


@pytest.mark.browser
@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("corner", [(0.2, 0.1), (1.0, 1.0)], ids=["middle", "corner"])
async def test_marks_at_one_place_can_all_be_read(
    tmp_path: Path, chromium: Path, options: dict[str, object], corner: tuple[float, float]
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    marks = [MapMark(*corner, "", text) for text in "+123456789"]
    content = page_of(tracks([f"Song {n}" for n in range(40)]), marks=marks)
    async with opened(content, tmp_path, chromium, options) as page:
        assert await painted(page) > 500
        kind = "phone" if options is PHONE else "desktop"
        await page.screenshot(path=str(PICTURES / f"marks-{kind}.png"))
        shown = await page.evaluate("spreadMarks()")
        width, height = await page.evaluate("[size.width, size.height]")
    assert "".join(mark["text"] for mark in shown) == "+123456789"
    places = np.array([mark["at"] for mark in shown])
    away = np.linalg.norm(places[:, None] - places[None], axis=2)
    assert away[~np.eye(10, dtype=bool)].min() >= 22  # a mark is 22 wide
    assert (places >= 10).all()
    assert (places <= np.array([width, height]) - 10).all()


@pytest.mark.browser
async def test_page_is_used_by_keyboard(tmp_path: Path, chromium: Path) -> None:
    content = page_of(tracks([f"Song {n}" for n in range(41)]))
    async with opened(content, tmp_path, chromium, DESKTOP) as page:
        await page.keyboard.press("/")
        await page.keyboard.type("song 12")
        await page.keyboard.press("Enter")
        await expect(page.locator("#shown strong")).to_have_text("Song 12")
        await page.keyboard.press("Escape")
        await expect(page.locator("#shown")).to_be_hidden()
        await page.focus("#map")
        await page.keyboard.press("0")
        assert await view(page) == {"x": 0, "y": 0, "zoom": 1}
        await page.keyboard.press("Enter")
        await expect(page.locator("#shown strong")).to_have_text("Song 20")
        for key in ("+", "ArrowRight", "ArrowUp"):
            await page.keyboard.press(key)
        now = await view(page)
        assert now["zoom"] > 1
        assert now["x"] > 0
        assert now["y"] > 0
        await page.keyboard.press("-")
        assert (await view(page))["zoom"] == pytest.approx(1)


@pytest.mark.browser
async def test_page_is_moved_and_zoomed_by_touch_in_german(tmp_path: Path, chromium: Path) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    content = page_of(tracks([f"Song {n}" for n in range(40)]), "de")
    async with opened(content, tmp_path, chromium, PHONE) as page:
        await expect(page.locator("#find span")).to_have_text("Suche")
        assert await painted(page) > 500
        await page.screenshot(path=str(PICTURES / "phone.png"))
        wide = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide
        await page.touchscreen.tap(*await point(page, 3))
        await expect(page.locator("#shown strong")).to_have_text("Song 3")
        touch = await page.context.new_cdp_session(page)

        async def fingers(kind: str, *xs: float) -> None:
            points = [{"x": x, "y": 300, "id": i} for i, x in enumerate(xs)]
            await touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        await fingers("touchStart", 150)
        for x in (160, 180, 200):
            await fingers("touchMove", x)
        await fingers("touchEnd")
        moved = await view(page)
        assert moved["x"] < 0
        await fingers("touchStart", 150, 200)
        for spread in (20, 40, 60):
            await fingers("touchMove", 150 - spread, 200 + spread)
        await fingers("touchEnd")
        assert (await view(page))["zoom"] > 2


@pytest.mark.browser
async def test_page_colours_by_artist_and_shows_one_group(tmp_path: Path, chromium: Path) -> None:
    content = page_of(tracks([f"Song {n}" for n in range(12)]))
    async with opened(content, tmp_path, chromium, DESKTOP) as page:
        await expect(page.locator("#legend button")).to_have_text(["Jazz", "Rock"])
        await page.select_option("#colour", label="Artist")
        await expect(page.locator("#legend button")).to_have_count(3)
        first = page.locator("#legend button").first
        await first.click()
        await expect(first).to_have_attribute("aria-pressed", "true")
        await first.click()
        await expect(first).to_have_attribute("aria-pressed", "false")


@pytest.mark.browser
async def test_hostile_titles_are_only_text(tmp_path: Path, chromium: Path) -> None:
    content = page_of(tracks([*HOSTILE, *(f"Song {n}" for n in range(9))]))
    assert b"alert(1)" not in content  # the data are deflated
    async with opened(content, tmp_path, chromium, DESKTOP) as page:
        await expect(page.locator("h1")).to_have_text("Map </title><script>alert(2)</script>")
        for row, title in enumerate(HOSTILE):
            await page.evaluate(f"go({row})")
            shown = await page.locator("#shown strong").text_content() or ""
            assert shown == (title[:199] + "…" if len(title) > 200 else shown)
            assert "\u202e" not in shown
            assert await page.locator("#shown strong *").count() == 0
        await expect(page.locator("#shown strong")).to_have_text("Untitled")
        await page.fill("#search", "artist")
        assert await page.locator("#list button").count() == 16
        assert await page.locator("img, iframe, #list *:not(li):not(button)").count() == 0
        wide = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert wide


@pytest.mark.browser
async def test_policy_of_the_page_stops_requests(tmp_path: Path, chromium: Path) -> None:
    (tmp_path / "map.html").write_bytes(page_of(tracks([f"Song {n}" for n in range(12)])))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        page = await browser.new_page()
        asked: list[str] = []
        page.on("requestfailed", lambda request: asked.append(str(request.failure)))
        await page.goto((tmp_path / "map.html").as_uri())
        await page.wait_for_selector("html[data-ready]")
        outcome = await page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', String)")
        assert outcome.startswith("TypeError")
        assert all("csp" in reason.lower() for reason in asked)
        ran = await page.evaluate(
            "(() => { const made = document.createElement('script'); made.textContent ="
            " 'window.ran = 1'; document.body.append(made); return window.ran; })()"
        )
        assert ran is None
        await browser.close()


def test_page_has_no_paths_and_no_links_where_they_are_off() -> None:
    shown = tracks([f"Song {n}" for n in range(12)])
    content = page_of(shown, links=TrackLinks(LinkChoice.of("off")))
    assert b"secret" not in content
    assert content.count(b"https://") == 0


def test_page_of_fifty_thousand_tracks_takes_a_few_megabytes() -> None:
    rng = np.random.default_rng(4)
    words = [f"{word}{n}" for n in range(300) for word in ("blue", "night", "river", "love")]
    titles = [" ".join(rng.choice(words, 3)) for _ in range(50_000)]
    artists = [" ".join(rng.choice(words, 2)) for _ in range(8_000)]
    shown = [
        Track(n, title, artists[n % len(artists)], "jazz", f"/secret/{n}.flac")
        for n, title in enumerate(titles)
    ]
    places = rng.uniform(-1, 1, size=(50_000, 2)).astype(np.float32)
    content = page_of(MapTracks(shown, places, {"genre": ["Jazz"] * 50_000}))
    assert 500_000 < len(content) < 2_000_000


def test_page_needs_a_place_for_each_track() -> None:
    shown = tracks(["a", "b", "c"])
    with pytest.raises(ValueError, match="tracks: 3"):
        page_of(MapTracks(shown.tracks, shown.positions[:2], shown.groups))
