"""``genrec library duplicates``: table, JSON and CSV."""

from __future__ import annotations

import base64
import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.bot.cli.test_library import Run, genrec

__all__ = ["genrec"]


@pytest.fixture
def doubled(genrec: Run, tmp_path: Path) -> Run:
    """Return the command with a library of three songs that are copied from the starter scope."""
    listed = tmp_path / "out" / "tracks.json"
    genrec("library", "export", listed)
    exported = json.loads(listed.read_text(encoding="utf-8"))
    tracks = exported["tracks"][:3]
    for number, (track, like) in enumerate(
        zip(tracks, (tracks[0], tracks[0], tracks[2]), strict=True)
    ):
        fingerprint = bytearray(base64.b64decode(like["fingerprint"]))
        fingerprint[-1] = number  # other content, so that each copy has its own row
        track |= {
            "embedding": like["embedding"],
            "fingerprint": base64.b64encode(fingerprint).decode(),
            "source": f"/m/{number}.mp3",
        }
    listed.write_text(json.dumps({**exported, "tracks": tracks}), encoding="utf-8")
    assert genrec("library", "import", listed)[0] == 0
    with closing(sqlite3.connect(tmp_path / "genrec.db")) as database, database:
        database.execute(
            "UPDATE embedding SET lossless = 1, bit_rate = 900000 WHERE id IN (SELECT embedding_id"
            " FROM entry JOIN track ON track.id = track_id WHERE source = '/m/1.mp3')"
        )
    return genrec


def test_json_has_the_groups_best_copy_first(doubled: Run) -> None:
    code, out, _ = doubled("library", "duplicates", "--json")
    assert code == 0
    (group,) = json.loads(out)["groups"]
    assert [copy["source"] for copy in group] == ["/m/1.mp3", "/m/0.mp3"]
    assert set(group[0]) == {
        "id", "title", "artist", "source", "duration_s", "lossless", "bit_rate",
    }  # fmt: skip
    assert (group[0]["lossless"], group[1]["lossless"]) == (True, None)


def test_csv_has_one_line_a_copy(doubled: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(doubled("library", "duplicates", "--csv")[1])))
    assert [(row["group"], row["place"]) for row in rows] == [("1", "1"), ("1", "2")]
    assert rows[0]["coding"] == "lossless, 900 kbit/s"


def test_table_counts_groups_and_spare_tracks(doubled: Run) -> None:
    out = doubled("library", "duplicates")[1]
    assert "/m/1.mp3" in out
    assert "1 group of duplicates; tracks beside the best copies: 1" in out
    assert "0 groups" in doubled("library", "duplicates", "--scope", "guild:5")[1]


def test_json_and_csv_together_are_a_usage_error(genrec: Run) -> None:
    assert genrec("library", "duplicates", "--json", "--csv")[0] == 2
