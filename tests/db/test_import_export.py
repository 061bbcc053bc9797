"""Tests of export and import: round trips are exact, and imported rows are validated."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from db import import_export
from db.connection import Database
from db.details import TrackDetails, load_details
from db.import_export import ImportResult, export_tracks, import_tracks
from db.list_writers import Format
from db.tags import clean
from db.tracks import Catalogue
from db.vectors import pack_vector
from genrec.description_codec import description_row
from genrec.errors import InputRefused, ModelMismatch
from tests.db.fakes import DIMENSION, MODEL, description, fingerprint, new_track, unit

HOSTILE = [
    '=HYPERLINK("http://evil.example","x")', "+1", "-1", "@SUM(A1)", "'=1", "''+1",
    "'Round Midnight", 'quote " and, comma; semi', "Jóga 音楽", "\\u0000 {} %s",
    "\U0001f468\u200d\U0001f469 می\u200cخواهم", "\uff1d1", "two\r\n=lines\x00",
]  # fmt: skip


IDS = [f"{n:08}-0000-0000-0000-{n:012}" for n in range(3)]
DETAILS = TrackDetails("=Álbum", 1999, "GBAYE6900123", *IDS, "https://band.example/ü?a=1")


async def test_export_of_an_earlier_version_leaves_details(catalogue: Catalogue) -> None:
    await catalogue.add("guild:9", MODEL, [new_track(1, source="1", details=DETAILS)])
    text = json.dumps({"model_id": MODEL, "tracks": [_row(source="1")]})
    ids = (await _import(catalogue, text)).ids
    async with catalogue.db.snapshot() as session:
        assert await load_details(session, ids) == {ids[0]: DETAILS}


async def _export(catalogue: Catalogue, form: Format, scope: str | None = None) -> str:
    pieces = export_tracks(catalogue, MODEL, form, scope=scope)
    return "".join([piece async for piece in pieces])


async def _import(catalogue: Catalogue, text: str, scope: str = "guild:9") -> ImportResult:
    return await import_tracks(catalogue, text, scope=scope, model_id=MODEL, dimension=DIMENSION)


@pytest.mark.parametrize("form", ["csv", "json", "jspf"])
async def test_exported_tracks_are_imported_unchanged(
    catalogue: Catalogue, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_export, "BATCH", 4)  # so that the export has several pages
    tracks = [
        new_track(
            seed,
            title=title,
            artist=HOSTILE[-seed],
            fingerprint=fingerprint(seed) if seed else None,
            details=DETAILS if seed % 2 else None,
        )
        for seed, title in enumerate(HOSTILE)
    ]
    await catalogue.add("library", MODEL, tracks)
    text = await _export(catalogue, form, "library")
    imported = await _import(catalogue, text)
    assert (len(imported.ids), imported.refused) == (len(tracks), ())
    before = await catalogue.browse(MODEL, "library")
    after = await catalogue.browse(MODEL, "guild:9")
    assert [(t.title, t.artist, t.genre, t.source) for t in after] == [
        (t.title, t.artist, t.genre, t.source)
        for t in [replace(t, title=clean(t.title), artist=clean(t.artist)) for t in before]
    ]
    rows = await catalogue.load(MODEL)
    assert np.array_equal(rows.matrix[: len(tracks)], rows.matrix[len(tracks) :])
    described = rows.descriptions[: len(tracks)]
    assert np.array_equal(described, rows.descriptions[len(tracks) :])
    assert described[2].tolist() == pytest.approx(description_row(description(2)))
    prints = await catalogue.fingerprints(MODEL, imported.ids)
    assert len(prints) == len(tracks) - 1
    async with catalogue.db.snapshot() as session:
        details = await load_details(session, imported.ids)
    assert [details.get(track_id) for track_id in imported.ids[:4]] == [None, DETAILS] * 2
    again = await _export(catalogue, form, "guild:9")
    assert again.replace("guild:9", "library") == text


async def test_csv_export_has_no_formula_cell(catalogue: Catalogue) -> None:
    await catalogue.add(
        "library", MODEL, [new_track(seed, title=title) for seed, title in enumerate(HOSTILE)]
    )
    for row in csv.reader(io.StringIO(await _export(catalogue, "csv"))):
        assert not any(cell.startswith(tuple("=+-@\t\r\n\uff1d")) for cell in row)


async def test_export_of_an_empty_catalogue_is_a_valid_file(catalogue: Catalogue) -> None:
    assert await _export(catalogue, "m3u8") == "#EXTM3U\n"
    assert json.loads(await _export(catalogue, "json")) == {"model_id": MODEL, "tracks": []}
    assert (await _import(catalogue, await _export(catalogue, "csv"))).ids == ()


async def test_playlist_lists_playable_tracks_only(catalogue: Catalogue) -> None:
    await catalogue.add(
        "library",
        MODEL,
        [
            new_track(1, title="Jóga", artist="Björk", duration_s=29.6),
            new_track(2, source="starter:rock.00001"),
            new_track(3, source="", content="ab"),
            new_track(4, source="https://a.example/x", duration_s=0.0),
            new_track(5, source="/music/5\n/etc/passwd"),
            new_track(6, title="Two\nLines", source="/music/6.mp3"),
        ],
    )
    assert await _export(catalogue, "m3u8") == (
        "#EXTM3U\n#EXTINF:30,Björk - Jóga\n/music/1.mp3\n"
        "#EXTINF:-1,Artist 4 - Song 4\nhttps://a.example/x\n"
        "#EXTINF:30,Artist 6 - Two Lines\n/music/6.mp3\n"
    )


async def test_export_of_ids_keeps_their_order_and_skips_absent_ones(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_export, "BATCH", 2)
    ids = await catalogue.add("library", MODEL, [new_track(seed) for seed in range(5)])
    wanted = [ids[4], 999, 998, 997, ids[0], ids[2]]
    pieces = export_tracks(catalogue, MODEL, "json", ids=wanted)
    rows = json.loads("".join([piece async for piece in pieces]))["tracks"]
    assert [row["title"] for row in rows] == ["Song 4", "Song 0", "Song 2"]


async def test_second_import_of_tracks_without_source_adds_nothing(catalogue: Catalogue) -> None:
    clips = [new_track(seed, source="", content=f"{seed:064}") for seed in range(3)]
    ids = await catalogue.add("guild:9", MODEL, clips)
    rows = [
        _row(source="", embedding=base64.b64encode(pack_vector(clip.embedding)).decode())
        for clip in [*clips, new_track(7)]
    ]
    text = json.dumps({"model_id": MODEL, "tracks": rows})
    for _ in range(2):
        assert (await _import(catalogue, text)).ids[:3] == tuple(ids)
        assert await catalogue.count(MODEL, "guild:9") == 4
    assert len(await catalogue.fingerprints(MODEL, ids)) == 3, "the stored analysis is reused"


async def test_export_of_another_model_is_refused(catalogue: Catalogue, db: Database) -> None:
    await catalogue.add("library", "other@1", [new_track(1)])
    for form in ("csv", "json"):
        pieces = [piece async for piece in export_tracks(catalogue, "other@1", form)]
        with pytest.raises(ModelMismatch, match="other@1"):
            await _import(catalogue, "".join(pieces))
    assert await db.number("SELECT count(*) FROM generation") == 1


def _row(**changes: object) -> dict[str, object]:
    row: dict[str, object] = {
        "title": "A", "artist": "B", "genre": "rock", "label": "rock", "source": "s",
        "duration_s": 1, "fingerprint": "",
        "embedding": base64.b64encode(pack_vector(unit(1))).decode(),
    }  # fmt: skip
    return {**row, **changes}


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": " \u202e"}, "no title"),
        ({"title": None}, "no title"),
        ({"embedding": "not base64!"}, "embedding is not base64"),
        ({"embedding": "é"}, "embedding is not base64"),
        ({"fingerprint": "?"}, "fingerprint is not base64"),
        ({"embedding": None}, "0 numbers instead of 8"),
        ({"embedding": _packed(unit(1, 16))}, "16 numbers instead of 8"),
        ({"embedding": "AAAA"}, "dimensions"),
        ({"embedding": _packed(np.full(8, np.nan))}, "instead of 1"),
        ({"embedding": _packed(unit(1) * 2)}, "instead of 1"),
        ({"fingerprint": "AAAA"}, "damaged"),
        ({"fingerprint": "AQABAAA="}, "1 bands and 1 columns"),
    ],
)
async def test_invalid_row_is_rejected_with_its_reason(
    catalogue: Catalogue, changes: dict[str, object], reason: str
) -> None:
    rows = [_row(source="1"), _row(source="2", **changes), _row(source="3")]
    imported = await _import(catalogue, json.dumps({"model_id": MODEL, "tracks": rows}))
    assert len(imported.ids) == 2
    (refused,) = imported.refused
    assert refused.startswith("Row 2: ")
    assert reason in refused


async def test_hostile_values_are_cleaned_or_ignored(catalogue: Catalogue) -> None:
    row = _row(
        title="two\nlines", artist=["list"], genre=7, duration_s="NaN", source="a\nb",
        content="c" * 64, scope="library", id=1, added_by=5,
    )  # fmt: skip
    imported = await _import(catalogue, json.dumps({"model_id": MODEL, "tracks": [row]}))
    track = (await catalogue.tracks(MODEL, imported.ids))[imported.ids[0]]
    assert (track.title, track.artist, track.genre, track.source, track.scope) == (
        "two lines", "Unknown artist", "", "a b", "guild:9",
    )  # fmt: skip
    ((content, duration_s),) = await catalogue.db.all("SELECT content, duration_s FROM embedding")
    assert content != "c" * 64, "a forged content hash must not stand for a file"
    assert duration_s == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"model_id": "x"}',
        '{"tracks": 7}',
        '{"tracks": [7]}',
        "[1, 2]",
        "titel,artist\na,b\n",
        '{"a":' * 100_000,
        'model_id,"title',
    ],
    ids=["empty", "cut", "no tracks", "number", "numbers", "list", "columns", "deep", "quote"],
)
async def test_other_text_than_an_export_is_refused(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(InputRefused, match="export"):
        await _import(catalogue, text)
