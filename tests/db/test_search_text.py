"""Tests of the full-text index: parts of words in any script, and beginnings of words."""

from __future__ import annotations

import pytest

from db import browse
from db.tracks import Catalogue
from genrec.names import fold
from tests.db.fakes import MODEL, new_track

NAMES = (
    ("Beyoncé", "Halo"),
    ("Björk", "Jóga"),
    ("周杰伦", "青花瓷"),
    ("宇多田ヒカル", "First Love"),
    ("방탄소년단", "봄날"),
    ("คาราบาว", "บัวลอย"),
    ("Кино", "Группа крови"),
    ("فيروز", "نسم علينا الهوى"),
    ("U2", "One"),
    ("AC/DC", 'The "Jack"'),
)
FOUND = (
    ("halo beyonce", {"Halo"}),
    ("yonc", {"Halo"}),
    ("jo bj", {"Jóga"}),
    ("杰伦", {"青花瓷"}),
    ("花", {"青花瓷"}),
    ("周杰伦 青花", {"青花瓷"}),
    ("伦杰", set()),
    ("ひか", set()),
    ("ヒカル lov", {"First Love"}),
    ("소년", {"봄날"}),
    ("บาว", {"บัวลอย"}),
    ("руп", {"Группа крови"}),
    ("к", {"Группа крови"}),
    ("علي", {"نسم علينا الهوى"}),
    ("u", {"One"}),
    ("u2", {"One"}),
    ("2", set()),
    ('"jack', {'The "Jack"'}),
    ("jack AND OR NOT NEAR(", set()),
    ("*", {title for _, title in NAMES}),
)


@pytest.mark.parametrize("max_sorted", [5_000, 0])
@pytest.mark.parametrize(("text", "expected"), FOUND, ids=[text for text, _ in FOUND])
async def test_words_are_found_in_any_script(
    catalogue: Catalogue,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    expected: set[str],
    max_sorted: int,
) -> None:
    """Both ways to read: by the index, and in sorted order."""
    monkeypatch.setattr(browse, "MAX_SORTED", max_sorted)
    tracks = [
        new_track(seed, artist=artist, title=title) for seed, (artist, title) in enumerate(NAMES)
    ]
    await catalogue.add("library", MODEL, tracks)
    found = await catalogue.browse(MODEL, "library", text=text)
    assert {track.title for track in found} == expected
    assert await catalogue.count(MODEL, "library", text=text) == len(expected)
    keys = [fold(f"{track.artist} {track.title}") for track in found]
    assert keys == sorted(keys)


async def test_new_name_replaces_the_old_one_in_the_index(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(1, title="Before")])
    await catalogue.add("library", MODEL, [new_track(1, title="After")])
    assert await catalogue.count(MODEL, text="before") == 0
    (track,) = await catalogue.browse(MODEL, text="after")
    await catalogue.remove("library", [track.id])
    assert await catalogue.count(MODEL, text="after") == 0
    assert await catalogue.db.number("SELECT count(*) FROM entry_words") == 0


async def test_pages_after_a_track_make_up_the_whole_list(catalogue: Catalogue) -> None:
    for scope in ("library", "guild:1"):
        tracks = [new_track(seed, title="Same", artist=f"A {seed % 3}") for seed in range(11)]
        await catalogue.add(scope, MODEL, tracks)
    for scope in (None, "library"):
        whole = await catalogue.browse(MODEL, scope, limit=100)
        for text in ("", "same"):
            pages = [await catalogue.browse(MODEL, scope, text=text, limit=4)]
            while pages[-1]:
                after = pages[-1][-1].id
                pages.append(await catalogue.browse(MODEL, scope, text=text, limit=4, after=after))
            assert [track for page in pages for track in page] == whole
            for number, page in enumerate(pages[1:-1]):
                before = page[0].id
                found = await catalogue.browse(MODEL, scope, text=text, limit=4, before=before)
                assert found == pages[number]
            assert await catalogue.browse(MODEL, scope, text=text, before=whole[0].id) == []
            assert await catalogue.browse(MODEL, scope, text=text, after=9_999) == []
