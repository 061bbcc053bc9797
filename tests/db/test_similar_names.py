"""Tracks with names like a song's, found with the full-text index."""

from __future__ import annotations

import pytest

import db.similar_names
from db.similar_names import similar_names
from db.tracks import Catalogue
from genrec.page_titles import SongName
from genrec.types import Track
from tests.db.fakes import MODEL, new_track

HELD = (
    ("Some Band", "A Long Story"),
    ("Some Band", "Halo"),
    ("Motörhead", "Ace of Spades"),
    ("周杰伦", "青花瓷"),
    ("宇多田ヒカル", "夜に駆ける人"),
    ("방탄소년단", "봄날"),
    ("Группа", "Спокойная ночь"),
    ("U2", "One"),
)
FOUND = (
    ("Some Band", "A Long Story", "A Long Story"),
    ("some band", "long story", "A Long Story"),
    ("Some Bnad", "A Logn Stroy", "A Long Story"),
    ("Somme Band", "A Long Storry", "A Long Story"),
    ("Some Band", "A Very Long Story", "A Long Story"),
    ("Other Name", "A Long Story", "A Long Story"),
    ("", "A Long Story", "A Long Story"),
    ("Some Band", "Hallo", "Halo"),
    ("Motorhead", "Ace Of Spade", "Ace of Spades"),
    ("Motorhaed", "The Ace of Spades", "Ace of Spades"),
    ("周杰倫", "青花瓷", "青花瓷"),
    ("宇多田ヒカル", "夜に駆ける", "夜に駆ける人"),
    ("BTS", "봄날", "봄날"),
    ("Группа", "Спокойная нчоь", "Спокойная ночь"),
    ("U2", "One", "One"),
)


async def lists(
    catalogue: Catalogue, names: list[SongName], scopes: tuple[str, ...] = ("library",)
) -> list[list[Track]]:
    return [found async for found in similar_names(catalogue.db, MODEL, scopes, names)]


@pytest.mark.parametrize(("artist", "title", "expected"), FOUND)
async def test_similar_name_is_found(
    catalogue: Catalogue, artist: str, title: str, expected: str
) -> None:
    await catalogue.add(
        "library",
        MODEL,
        [new_track(n, artist=a, title=t, source=str(n)) for n, (a, t) in enumerate(HELD)],
    )
    found = await lists(catalogue, [SongName(title, artist)])
    assert expected in {track.title for tracks in found for track in tracks}


async def test_exact_name_comes_first(catalogue: Catalogue) -> None:
    names = ("A Long Story", "A Long Stori", "A Long Story (Live)")
    await catalogue.add(
        "library",
        MODEL,
        [new_track(n, artist="Some Band", title=t, source=t) for n, t in enumerate(names)],
    )
    first, second, *_ = await lists(catalogue, [SongName("A Long Story", "Some Band")])
    assert {track.title for track in first} == {"A Long Story", "A Long Story (Live)"}
    assert {track.title for track in second} == set(names)


async def test_only_the_scopes_are_searched(catalogue: Catalogue) -> None:
    for scope in ("library", "starter", "guild:1", "guild:2"):
        await catalogue.add(scope, MODEL, [new_track(1, artist="Band", title="Song", source=scope)])
    await catalogue.add(
        "library", "other@1", [new_track(2, artist="Band", title="Song", source="o")]
    )
    scopes = ("library", "guild:1")
    for found in await lists(catalogue, [SongName("Song", "Band")], scopes):
        assert {track.scope for track in found} == set(scopes)
        assert {track.source for track in found} == set(scopes)


@pytest.mark.parametrize("title", ["", "!!!", '"', "a" * 500, "x " * 300, "* OR NOT NEAR("])
async def test_odd_names_are_searched(catalogue: Catalogue, title: str) -> None:
    await catalogue.add("library", MODEL, [new_track(1)])
    names = [SongName(title, title), SongName(title)]
    assert await lists(catalogue, names) == []


async def test_number_of_candidates_is_limited(catalogue: Catalogue, monkeypatch) -> None:
    monkeypatch.setattr(db.similar_names, "MAX_MATCHES", 5)
    tracks = [new_track(n, artist="Band", title=f"Song {n}", source=str(n)) for n in range(20)]
    await catalogue.add("library", MODEL, tracks)
    first, *_ = await lists(catalogue, [SongName("Song", "Band")])
    assert len(first) == 5
