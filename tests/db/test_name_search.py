"""Tracks by names that somebody types."""

from __future__ import annotations

from functools import partial

import pytest

from db.name_search import NameSearch
from db.tracks import Catalogue
from genrec.names import fold
from genrec.typed_names import NameFit
from tests.db.costs import count_steps, fill_catalogue
from tests.db.fakes import MODEL, new_track

HELD = (
    ("The Beatles", "Come Together"),
    ("The Beatles", "Hey Jude"),
    ("Motörhead", "Ace of Spades"),
    ("周杰伦", "青花瓷"),
    ("宇多田ヒカル", "夜に駆ける人"),
    ("방탄소년단", "봄날"),
    ("Группа", "Спокойная ночь"),
    ("U2", "One"),
    ("AC/DC", "Thunderstruck"),
    ("", "Nameless"),
)


async def _fill(catalogue: Catalogue) -> None:
    tracks = [new_track(n, artist=a, title=t, source=str(n)) for n, (a, t) in enumerate(HELD)]
    await catalogue.add("library", MODEL, tracks)


async def _steps_to_complete(catalogue: Catalogue, tracks: int) -> dict[str, int]:
    """Return the database's steps for each common word of a catalogue of this many tracks."""
    await fill_catalogue(catalogue.db, tracks)
    search = NameSearch(catalogue, MODEL)
    return {
        typed: await count_steps(catalogue.db, partial(search.complete, typed, ["library"]))
        for typed in ("song", "s", "song artist", "song 00001")
    }


async def _titles(search: NameSearch, typed: str, *scopes: str) -> list[str]:
    return [each.entry.title for each in await search.complete(typed, scopes or ("library",))]


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("come tog", "Come Together"),
        ("together beatles", "Come Together"),
        ("beatels jude", "Hey Jude"),
        ("hye jude", "Hey Jude"),
        ("bettles come togther", "Come Together"),
        ("motorhead", "Ace of Spades"),
        ("ACE OF SPÁDES", "Ace of Spades"),
        ("motohread", "Ace of Spades"),
        ("青花", "青花瓷"),
        ("花瓷", "青花瓷"),
        ("夜に駆", "夜に駆ける人"),
        ("봄", "봄날"),
        ("спокойна", "Спокойная ночь"),
        ("спокйоная ночь", "Спокойная ночь"),
        ("u2 one", "One"),
        ("o u", "One"),
        ("ac/dc", "Thunderstruck"),
        ("acdc", "Thunderstruck"),
        ("thunder struck", "Thunderstruck"),
        ("name", "Nameless"),
    ],
)
async def test_typed_name_is_completed(catalogue: Catalogue, typed: str, title: str) -> None:
    await _fill(catalogue)
    assert (await _titles(NameSearch(catalogue, MODEL), typed))[0] == title


async def test_nothing_typed_lists_the_first_names(catalogue: Catalogue) -> None:
    await _fill(catalogue)
    search = NameSearch(catalogue, MODEL)
    ordered = sorted(HELD, key=lambda pair: fold(f"{pair[0] or 'Unknown artist'} {pair[1]}"))
    assert await _titles(search, " ") == [title for _, title in ordered]
    assert len(await search.complete("", ["library"], limit=3)) == 3


async def test_only_the_given_scopes_are_searched(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(1, title="Secret Place")])
    await catalogue.add("guild:1", MODEL, [new_track(2, title="Secret Garden")])
    await catalogue.add("guild:2", MODEL, [new_track(3, title="Secret Smile")])
    search = NameSearch(catalogue, MODEL)
    for typed in ("secret", "sercet", ""):
        found = await _titles(search, typed, "library", "guild:1")
        assert sorted(found) == ["Secret Garden", "Secret Place"]
    near = await search.near("sercet place of mine", ["guild:2"])
    assert [entry.title for entry in near] in ([], ["Secret Smile"])


async def test_removed_and_new_tracks(catalogue: Catalogue) -> None:
    await _fill(catalogue)
    search = NameSearch(catalogue, MODEL)
    assert await _titles(search, "beatels jude") == ["Hey Jude"]  # reads the words
    (jude,) = [each.id for each in await search.complete("hey jude", ["library"])]
    await catalogue.remove("library", [jude])
    assert await _titles(search, "beatels jude") == []
    await catalogue.add("library", MODEL, [new_track(99, title="Zanzibar Nights")])
    assert await _titles(search, "zanizbar") == ["Zanzibar Nights"]


async def test_whole_word_comes_before_longer_words(catalogue: Catalogue) -> None:
    names = [("New Bomb Turks", "Bachelor's High"), ("Burt Bacharach", "A"), ("JS Bach", "Trio")]
    tracks = [new_track(n, artist=a, title=t, source=str(n)) for n, (a, t) in enumerate(names)]
    await catalogue.add("library", MODEL, tracks)
    found = await NameSearch(catalogue, MODEL).complete("bach", ["library"])
    assert [each.entry.artist for each in found] == ["JS Bach", "New Bomb Turks", "Burt Bacharach"]


async def test_names_without_typos_come_first(catalogue: Catalogue) -> None:
    names = [("Lowe", "First"), ("Artist", "Love"), ("Other", "My Love"), ("Glovers", "Last")]
    tracks = [new_track(n, artist=a, title=t, source=str(n)) for n, (a, t) in enumerate(names)]
    await catalogue.add("library", MODEL, tracks)
    found = await NameSearch(catalogue, MODEL).complete("love", ["library"])
    assert [(each.fit, each.entry.artist) for each in found] == [
        (NameFit.WHOLE, "Artist"),
        (NameFit.WHOLE_WORDS, "Other"),
        (NameFit.PARTS, "Glovers"),
        (NameFit.TYPOS, "Lowe"),
    ]


async def test_near_names_of_an_unknown_one(catalogue: Catalogue) -> None:
    await _fill(catalogue)
    search = NameSearch(catalogue, MODEL)
    near = await search.near("beatles come togetherness", ["library"])
    assert near[0].title == "Come Together"
    assert await search.near("zzyzx qwrt", ["library"]) == []
    assert await search.near(" ", ["library"]) == []


@pytest.mark.parametrize("typed", ['"', "' OR 1", "* AND", "NEAR(", "\x00", "%", "a" * 9_000, "🎵"])
async def test_odd_texts_are_only_names(catalogue: Catalogue, typed: str) -> None:
    await _fill(catalogue)
    search = NameSearch(catalogue, MODEL)
    assert len(await search.complete(typed, ["library"])) <= len(HELD)
    await search.near(typed, ["library"])


async def test_cost_is_bounded_for_common_words(catalogue: Catalogue) -> None:
    # PostgreSQL takes the plan of a large catalogue only above some 10,000 tracks; SQLite has one.
    sizes = (16_000, 32_000) if catalogue.db.engine == "postgres" else (2_000, 8_000)
    small = await _steps_to_complete(catalogue, sizes[0])
    await catalogue.remove_scope("library")
    await catalogue.remove_scope("guild:1")
    large = await _steps_to_complete(catalogue, sizes[1])
    assert all(large[typed] < 1.5 * small[typed] for typed in small), (small, large)
