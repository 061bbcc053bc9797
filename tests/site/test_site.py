"""The site of the documentation: every page, link and heading, without a network."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import async_playwright, expect

from tests.repository import ROOT
from tests.site.build import CONFIG, build, pages, rewritten
from tests.site.links import broken, foreign, read


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once."""
    return build(tmp_path_factory.mktemp("docs"))


def listed(nav: Any) -> Iterator[str]:
    """Yield the pages of a navigation tree."""
    for entry in nav:
        for goal in entry.values():
            if isinstance(goal, str):
                yield goal
            else:
                yield from listed(goal)


def test_navigation_lists_every_page_once() -> None:
    nav = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["project"]["nav"]
    found = sorted(listed(nav))
    wanted = sorted(page for page in pages().values() if page.endswith(".md"))
    assert found == wanted, f"list each page of docs/ once in {CONFIG.relative_to(ROOT)}"


def test_links_and_headings_of_the_site_exist(site: Path) -> None:
    assert len(list(site.rglob("*.html"))) > 15
    assert list(broken(site)) == []


def test_pages_load_no_file_from_elsewhere(site: Path) -> None:
    assert any("search" in file or "bundle" in file for file in read(site / "index.html").loaded)
    assert list(foreign(site)) == []


def test_broken_link_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "[no page](missing.md) and [no heading](settings.md#no-such-heading)"
    monkeypatch.setattr("tests.site.build.rewritten", lambda *_: f"# Page\n\n{wrong}\n")
    with pytest.raises(SystemExit, match=r"missing\.md"):
        build(tmp_path)


def test_links_between_folders_become_links_between_pages() -> None:
    text = "[how](docs/asking.md#languages), [page](genrec/pipeline.py), [x](https://a.example/b)"
    assert rewritten(text, "README.md") == (
        "[how](asking.md#languages), page, [x](https://a.example/b)"
    )
    card = rewritten("[card](../models/vgg16/README.md)", "docs/cli.md")
    assert card == "[card](models/vgg16.md)"
    page = rewritten("[page](../../docs/training.md)", "models/vgg16/README.md")
    assert page == "[page](../training.md)"


def test_links_to_code_lead_to_the_repository_if_its_address_is_given() -> None:
    link = "[pipeline](../genrec/pipeline.py)"
    page = rewritten(link, "docs/architecture.md", "https://code.example/genrec/")
    assert page == "[pipeline](https://code.example/genrec/blob/main/genrec/pipeline.py)"


def test_code_blocks_keep_their_text() -> None:
    block = "```text\n[a](b.md)\n```"
    assert rewritten(block, "docs/cli.md") == block


@pytest.mark.browser
async def test_search_works_from_a_file_and_nothing_is_fetched(site: Path, chromium: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        page = await browser.new_page()
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto((site / "index.html").as_uri())
        await page.keyboard.press("Control+k")
        await page.keyboard.type("GENREC_COOLDOWN_S")
        await expect(page.get_by_role("link", name="Settings").first).to_be_visible()
        await browser.close()
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
    assert failures == []
