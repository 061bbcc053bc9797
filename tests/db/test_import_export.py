"""Export and import: nothing is lost on the way, and a stranger's file is judged."""

from __future__ import annotations

import base64
import csv
import io
import json

import numpy as np
import pytest

from db import import_export
from db.connection import Database
from db.import_export import Format, ImportResult, export_tracks, import_tracks
from db.tracks import Catalogue
from db.vectors import pack_vector
from genrec.errors import InputRefused, ModelMismatch
from tests.db.fakes import DIMENSION, MODEL, fingerprint, new_track, unit

HOSTILE = [
    '=HYPERLINK("http://evil.example","x")', "+1", "-1", "@SUM(A1)", "'=1", "''+1",
    "'Round Midnight", 'quote " and, comma; semi', "Jóga 音楽", "\\u0000 {} %s",
]  # fmt: skip


async def _export(catalogue: Catalogue, form: Format, scope: str | None = None) -> str:
    return "".join([piece async for piece in export_tracks(catalogue, MODEL, form, scope)])


async def _import(catalogue: Catalogue, text: str, scope: str = "guild:9") -> ImportResult:
    return await import_tracks(catalogue, text, scope=scope, model_id=MODEL, dimension=DIMENSION)


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_goes_out_comes_in(
    catalogue: Catalogue, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_export, "BATCH", 4)  # several pages
    tracks = [
        new_track(
            seed,
            title=title,
            artist=HOSTILE[-seed],
            fingerprint=fingerprint(seed) if seed else None,
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
        (t.title, t.artist, t.genre, t.source) for t in before
    ]
    rows = await catalogue.load(MODEL)
    assert np.array_equal(rows.matrix[: len(tracks)], rows.matrix[len(tracks) :])
    prints = await catalogue.fingerprints(MODEL, imported.ids)
    assert len(prints) == len(tracks) - 1
    again = await _export(catalogue, form, "guild:9")
    assert again.replace("guild:9", "library") == text


async def test_no_cell_is_a_formula(catalogue: Catalogue) -> None:
    await catalogue.add(
        "library", MODEL, [new_track(seed, title=title) for seed, title in enumerate(HOSTILE)]
    )
    for row in csv.reader(io.StringIO(await _export(catalogue, "csv"))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


async def test_an_empty_catalogue_goes_out(catalogue: Catalogue) -> None:
    assert await _export(catalogue, "m3u8") == "#EXTM3U\n"
    assert json.loads(await _export(catalogue, "json")) == {"model_id": MODEL, "tracks": []}
    assert (await _import(catalogue, await _export(catalogue, "csv"))).ids == ()


async def test_a_playlist_holds_what_can_be_played(catalogue: Catalogue) -> None:
    await catalogue.add(
        "library",
        MODEL,
        [
            new_track(1, title="Jóga", artist="Björk", duration_s=29.6),
            new_track(2, source="starter:rock.00001"),
            new_track(3, source="", content="ab"),
            new_track(4, source="https://a.example/x", duration_s=0.0),
        ],
    )
    assert await _export(catalogue, "m3u8") == (
        "#EXTM3U\n#EXTINF:30,Björk - Jóga\n/music/1.mp3\n"
        "#EXTINF:-1,Artist 4 - Song 4\nhttps://a.example/x\n"
    )


async def test_another_models_export_is_refused(catalogue: Catalogue, db: Database) -> None:
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
        ({"embedding": "not base64!"}, "garbled"),
        ({"embedding": None}, "0 numbers instead of 8"),
        ({"embedding": _packed(unit(1, 16))}, "16 numbers instead of 8"),
        ({"embedding": "AAAA"}, "dimensions"),
        ({"embedding": _packed(np.full(8, np.nan))}, "length 1"),
        ({"embedding": _packed(unit(1) * 2)}, "length 1"),
        ({"fingerprint": "AAAA"}, "damaged"),
        ({"fingerprint": "AQABAAA="}, "1 bands and 1 columns"),
    ],
)
async def test_a_bad_row_is_left_out_with_its_reason(
    catalogue: Catalogue, changes: dict[str, object], reason: str
) -> None:
    rows = [_row(source="1"), _row(source="2", **changes), _row(source="3")]
    imported = await _import(catalogue, json.dumps({"model_id": MODEL, "tracks": rows}))
    assert len(imported.ids) == 2
    (refused,) = imported.refused
    assert refused.startswith("Row 2: ")
    assert reason in refused


async def test_hostile_values_are_made_harmless(catalogue: Catalogue) -> None:
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
    assert content != "c" * 64, "a stranger must not say what a file sounds like"
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
        "title,artist\na,b\n",
        '{"a":' * 100_000,
        'model_id,"title',
    ],
    ids=["empty", "cut", "no tracks", "number", "numbers", "list", "columns", "deep", "quote"],
)
async def test_what_is_no_export_is_refused(catalogue: Catalogue, text: str) -> None:
    with pytest.raises(InputRefused, match="export"):
        await _import(catalogue, text)
