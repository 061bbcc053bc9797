"""Columns of the music description in exported lists."""

from __future__ import annotations

import pytest

from db.music_columns import MUSIC, music_cells, music_of
from genrec.description_codec import pack_description
from genrec.errors import InputRefused
from tests.db.fakes import description


def test_cells_name_the_key_and_are_read_again() -> None:
    cells = music_cells(pack_description(description(21)))
    assert cells["key"] == "A minor"
    assert music_of(cells) == description(21)


@pytest.mark.parametrize("blob", [None, b"", b"x" * 36])
def test_an_absent_or_damaged_description_has_empty_cells(blob: bytes | None) -> None:
    cells = music_cells(blob)
    assert set(cells.values()) == {""}
    assert music_of(cells) is None
    assert music_of({}) is None


@pytest.mark.parametrize(
    "changes", [{"bpm": "fast"}, {"bpm": ""}, {"key": "H major"}, {"bass": "7"}, {"bpm": "nan"}]
)
def test_a_wrong_cell_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(InputRefused, match="description"):
        music_of(music_cells(pack_description(description(1))) | changes)


def test_a_decimal_comma_is_read() -> None:
    cells = music_cells(pack_description(description(1)))
    german = {name: str(cells[name]).replace(".", ",") for name in MUSIC}
    assert music_of(german) == description(1)
