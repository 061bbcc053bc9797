"""The guide for admins, done on the local Discord in two languages and on two screens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from tests.repository import ROOT
from tests.site.pictures import FOLDER, MAX_BYTES, ON_PHONE, screenshot, webp
from tests.site.walk import DESKTOP, PHONE, STEPS, walk
from tests.trace_upload import bot_on_local_discord


def test_guide_shows_every_step_and_no_other_picture() -> None:
    page = (ROOT / "docs" / "admins.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(pictures/guides/([\w-]+)\.webp\)", page)
    names = {*STEPS, *(f"{name}-phone" for name in ON_PHONE)}
    assert set(shown) == names
    assert {path.stem for path in FOLDER.iterdir()} == names


def test_pictures_of_the_guide_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert not {name: size for name, size in sizes.items() if size > MAX_BYTES}
    assert 0 < sum(sizes.values()) < 1_500_000


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize(("language", "options"), [("en", DESKTOP), ("de", PHONE)])
async def test_every_step_of_the_guide_works(
    chromium: Path, tmp_path: Path, language: str, options: dict[str, Any]
) -> None:
    failures: list[str] = []
    done: dict[str, int] = {}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        async with bot_on_local_discord(tmp_path) as discord:
            steps = walk(
                discord, browser, tmp_path, language=language, options=options,
                failed=failures.append,
            )  # fmt: skip
            async for step in steps:
                done[step.name] = len(webp(await screenshot(step.what)))
            discord.assert_clean()
        await browser.close()
    assert tuple(done) == STEPS
    assert failures == []
