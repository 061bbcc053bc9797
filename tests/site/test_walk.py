"""The guide for admins, done on the local Discord in two languages and on two screens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright

from tests.repository import ROOT
from tests.site import operator_walk, terminal
from tests.site.pictures import FOLDER, MAX_BYTES, ON_PHONE, screenshot, webp
from tests.site.walk import DESKTOP, PHONE, STEPS, walk
from tests.trace_upload import bot_on_local_discord


def pictures_of(page: str) -> set[str]:
    """Return the names of the guide's pictures that a page shows."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return set(re.findall(r"!\[[^\]]+\]\(pictures/guides/([\w-]+)\.webp\)", text))


PAGES = ("admins.md", "path.md", "mix.md", "radio.md")


def test_guides_show_every_step_and_no_other_picture() -> None:
    names = {*STEPS, *(f"{name}-phone" for name in ON_PHONE)}
    assert set().union(*map(pictures_of, PAGES)) == names
    assert pictures_of("operators.md") == set(operator_walk.STEPS)
    assert {path.stem for path in FOLDER.iterdir()} == names | set(operator_walk.STEPS)


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


@pytest.mark.slow
async def test_operator_sets_the_bot_up_and_runs_it(tmp_path: Path) -> None:
    done = {step.name: step.shown async for step in operator_walk.walk(tmp_path)}
    assert tuple(done) == operator_walk.STEPS
    assert "Message Content Intent is on" in done["setup"]
    assert "scope=bot+applications.commands" in done["setup"]
    assert "3 tracks" in done["setup"]
    assert "connected as" in done["run"]
    assert "stopped" in done["run"]


def test_terminal_text_is_escaped_wrapped_and_coloured() -> None:
    text = "plain <b>\x1b[33mwarning\x1b[0m end\n" + "word " * 30
    page = terminal.page("genrec doctor", text, width=40)
    assert "$ genrec doctor" in page
    assert 'plain &lt;b&gt;<span style="color: #e8b84a">warning</span> end' in page
    assert max(len(line) for line in page.splitlines()[-3:]) < 60
    assert "\x1b" not in page
