"""Tests of lists that only name tracks: playlists, texts and tables of other programs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import listed_tracks
from db.connection import Database
from db.details import TrackDetails
from db.import_export import MAX_LISTED, ImportResult, export_tracks, import_tracks
from db.import_rows import Row, read_rows
from db.list_writers import FORMATS, Format
from db.listed_tracks import Places
from db.tracks import Catalogue
from genrec.errors import ClipTooLarge
from tests.db.fakes import DIMENSION, MODEL, new_track

RECORDING = "0d1e2f3a-0000-4000-8000-123456789abc"
ISRC = "GBAYE6900123"
ROOT = Path("/music")
EVERYWHERE = Places(scopes=("guild:1", "library", "starter"), roots=(ROOT,), absolute=True)
SONGS = [
    new_track(1, title="Jóga", artist="Björk", source="/music/Björk/#1 Jóga.flac"),
    new_track(2, title="A - B", artist="C - D", source="/music/ a%20b?.mp3"),
    new_track(3, title="=1+1", artist="Unknown artist", source="/music/x.wav#t=10,1234.567"),
    new_track(4, title="音楽", artist="坂本", source="https://band.example/4?a=b#c"),
    new_track(5, title="#EXTM3U", artist="Five", source="/elsewhere/5.mp3"),
    new_track(6, title="Song 6", artist="Six", source="starter:rock.6"),
]  # fmt: skip


async def export(catalogue: Catalogue, form: Format, root: Path | None = None) -> str:
    pieces = export_tracks(catalogue, MODEL, form, scope="library", root=root)
    return "".join([piece async for piece in pieces])


async def read(
    catalogue: Catalogue, text: str, *, scope: str = "guild:1", places: Places = EVERYWHERE,
    suffix: str = "",
) -> ImportResult:  # fmt: skip
    return await import_tracks(
        catalogue, text, scope=scope, model_id=MODEL, dimension=DIMENSION, places=places,
        suffix=suffix,
    )  # fmt: skip


async def titles(catalogue: Catalogue, scope: str = "guild:1") -> list[str]:
    return sorted(track.title for track in await catalogue.browse(MODEL, scope))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("root", [None, ROOT], ids=["absolute", "relative"])
async def test_every_format_is_imported_into_the_same_scope_as_known(
    catalogue: Catalogue, form: Format, root: Path | None
) -> None:
    ids = await catalogue.add("library", MODEL, SONGS)
    before = await catalogue.browse(MODEL, "library")
    text = await export(catalogue, form, root)
    result = await read(catalogue, text, scope="library", suffix=f".{form}")
    assert (result.refused, result.unknown) == ((), ())
    # A playlist has the tracks that a player can open.
    assert sorted(result.ids) == sorted(ids[:5] if form == "m3u8" else ids)
    assert await catalogue.browse(MODEL, "library") == before


@pytest.mark.parametrize("form", FORMATS)
async def test_every_format_copies_tracks_to_another_scope(
    catalogue: Catalogue, form: Format
) -> None:
    await catalogue.add("library", MODEL, SONGS)
    result = await read(catalogue, await export(catalogue, form), suffix=f".{form}")
    assert result.unknown == ()
    assert await titles(catalogue) == sorted(t.title for t in SONGS[: 5 if form == "m3u8" else 6])
    fingerprints = await catalogue.fingerprints(MODEL, result.ids)
    assert len(fingerprints) == len(result.ids)


async def test_playlist_is_relative_to_its_root_and_no_path_is_a_comment(
    catalogue: Catalogue,
) -> None:
    await catalogue.add("library", MODEL, [*SONGS, new_track(7, source="/music/#7.mp3")])
    lines = (await export(catalogue, "m3u8", ROOT)).splitlines()
    assert [line for line in lines if not line.startswith("#EXT")] == [
        "Björk/#1 Jóga.flac",
        " a%20b?.mp3",
        "x.wav",
        "https://band.example/4?a=b#c",
        "/elsewhere/5.mp3",
        "./#7.mp3",
    ]
    assert "#EXTVLCOPT:stop-time=1234.567" in lines
    assert (await read(catalogue, "\n".join(lines), suffix=".m3u8")).unknown == ()


async def test_jspf_has_the_fields_of_xspf(catalogue: Catalogue) -> None:
    details = TrackDetails(album="Homogenic", isrc=ISRC, recording_id=RECORDING)
    await catalogue.add("library", MODEL, [new_track(1, source=SONGS[0].source, details=details)])
    (track,) = json.loads(await export(catalogue, "jspf"))["playlist"]["track"]
    own = track.pop("extension")["urn:x-genrec:track"]
    assert track == {
        "title": "Song 1",
        "creator": "Artist 1",
        "album": "Homogenic",
        "duration": 30_000,
        "location": ["file:///music/Bj%C3%B6rk/%231%20J%C3%B3ga.flac"],
        "identifier": [f"https://musicbrainz.org/recording/{RECORDING}"],
    }
    assert own["isrc"] == ISRC
    assert own["embedding"]


async def test_jspf_of_another_model_finds_tracks_by_their_names(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, SONGS)
    text = (await export(catalogue, "jspf")).replace(MODEL, "other@1")
    assert (await read(catalogue, text)).unknown == ()
    assert len(await titles(catalogue)) == len(SONGS)


@pytest.mark.parametrize("row", [
    {"title": "x", "identifier": f"https://musicbrainz.org/recording/{RECORDING}"},
    {"title": "x", "identifier": [7, f"https://musicbrainz.org/recording/{RECORDING}"]},
    {"title": "song 1", "creator": "ARTIST 1"},
    {"location": ["file:///music/1.mp3"]},
    {"location": "1.mp3"},
    {"location": "/music/sub/../1.mp3"},
])  # fmt: skip
async def test_track_of_a_jspf_playlist_is_found(catalogue: Catalogue, row: dict) -> None:
    details = TrackDetails(recording_id=RECORDING)
    await catalogue.add("library", MODEL, [new_track(1, details=details), new_track(2)])
    await read(catalogue, json.dumps({"playlist": {"track": [row]}}))
    assert await titles(catalogue) == ["Song 1"]


@pytest.mark.parametrize("line", [
    "Björk - Jóga", "bjork - joga", "BJÖRK – Jóga", "Jóga - Björk", "12. Björk - Jóga",
    "- Björk - Jóga", "Björk: Jóga",
])  # fmt: skip
async def test_line_of_a_text_finds_its_track(catalogue: Catalogue, line: str) -> None:
    await catalogue.add("library", MODEL, SONGS)
    await read(catalogue, f"\n{line}\n\n", suffix=".txt")
    assert await titles(catalogue) == ["Jóga"]


async def test_table_of_another_program_is_read_by_names_and_isrc(catalogue: Catalogue) -> None:
    song = new_track(8, details=TrackDetails(isrc=ISRC))
    await catalogue.add("library", MODEL, [*SONGS, song])
    table = f"Track Name;Artist Name(s);ISRC\nJóga;Björk;\nOther;Name;{ISRC}\nNo;One;\n;;\n"
    result = await read(catalogue, table)
    assert await titles(catalogue) == ["Jóga", "Song 8"]
    assert result.unknown == ("Row 3: no track is known as 'One - No': index its file, or add it.",)


async def test_first_scope_counts_and_others_are_not_searched(catalogue: Catalogue) -> None:
    for scope in ("library", "guild:1", "guild:2"):
        await catalogue.add(scope, MODEL, [new_track(1), new_track(9, source=f"x{scope}")])
    await catalogue.add("guild:2", MODEL, [new_track(3)])
    both = Places(scopes=("guild:1", "library"))
    result = await read(
        catalogue, "Artist 1 - Song 1\nArtist 3 - Song 3", suffix=".txt", places=both
    )
    (known,) = result.ids
    assert (await catalogue.tracks(MODEL, [known]))[known].scope == "guild:1"
    assert len(result.unknown) == 1


@pytest.mark.parametrize("location", [
    "/music/1.mp3", "file:///music/1.mp3", "../music/1.mp3", "../../music/1.mp3", "music/1.mp3",
])  # fmt: skip
async def test_paths_are_probed_only_below_the_roots(catalogue: Catalogue, location: str) -> None:
    await catalogue.add("library", MODEL, [new_track(1)])
    public = Places(scopes=("guild:1", "library"), roots=(Path("/music/open"),))
    result = await read(catalogue, f"#EXTM3U\n{location}\n", places=public)
    assert (result.ids, len(result.unknown)) == ((), 1)


def test_playlist_with_times_names_a_section() -> None:
    text = "#EXTM3U\n#EXTVLCOPT:start-time=10\n#EXTVLCOPT:stop-time=20.5\na.flac\nb.flac\n"
    rows = list(read_rows(text, ("title",)))
    assert [row["location"] for row in rows] == ["a.flac#t=10,20.5", "b.flac"]


async def test_large_list_is_matched_in_few_queries(catalogue: Catalogue) -> None:
    await catalogue.add("library", MODEL, [new_track(n) for n in range(50)])
    lines = "\n".join(f"Artist {n % 7} - Song {n}" for n in range(5_000))
    result = await read(catalogue, lines, suffix=".txt")
    assert (len(result.ids), len(result.unknown)) == (50, 4_950)


async def test_list_of_too_many_names_is_refused_with_a_sentence(db: Database) -> None:
    text = "\n".join(f"Artist {i} - Title {i}" for i in range(MAX_LISTED + 1))
    with pytest.raises(ClipTooLarge, match=r"names 20,001 tracks .* at most 20,000 .* split"):
        await import_tracks(
            Catalogue(db), text, scope="guild:1", model_id=MODEL, dimension=DIMENSION, suffix=".txt"
        )


async def test_names_of_a_list_are_folded_outside_of_the_event_loop(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()
    names = listed_tracks._names

    def recorded(row: Row) -> Iterator[str]:
        threads.add(threading.current_thread())
        return names(row)

    monkeypatch.setattr(listed_tracks, "_names", recorded)
    text = "Ann - One\nBen - Two"
    found = await import_tracks(
        Catalogue(db), text, scope="guild:1", model_id=MODEL, dimension=DIMENSION, suffix=".txt"
    )
    assert len(found.unknown) == 2
    assert threads
    assert threading.main_thread() not in threads
