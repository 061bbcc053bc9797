"""Table beside a starter catalogue: album, year and published ids of its tracks, where known."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from genrec.errors import PresetError
from genrec.files import atomic_write

STARTER_TABLE = "starter.csv"
FIELDS = ("album", "year", "isrc", "recording_id", "release_id", "artist_id", "page")
_MAX_BYTES = 8 * 2**20

StarterTable = Mapping[str, Mapping[str, str]]
"""Fields that are not empty, by the name of the training excerpt."""


def read_starter_table(folder: Path) -> StarterTable:
    """Return the table of a preset; empty without one.

    Parameters
    ----------
    folder
        A models/NAME folder.

    Raises
    ------
    PresetError
        The table is too large or no table, or lacks the column ``excerpt``.
    """
    path = folder / STARTER_TABLE
    try:
        if not path.exists():
            return {}
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it has {path.stat().st_size:,} bytes, expected {_MAX_BYTES:,}")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            if "excerpt" not in (rows.fieldnames or ()):
                raise ValueError("it has no column excerpt")
            return {
                row["excerpt"]: {field: row[field] for field in FIELDS if row.get(field)}
                for row in rows
            }
    except (OSError, ValueError, csv.Error) as error:
        raise PresetError(
            f"The table {path} cannot be read: {error}. Run `genrec starter` again, or remove it."
        ) from error


def write_starter_table(folder: Path, table: StarterTable, names: Iterable[str]) -> None:
    """Write the table of a preset, with a row for each of the ``names``.

    Parameters
    ----------
    folder
        A models/NAME folder.
    table
        The known fields, by the name of the excerpt.
    names
        Names of the starter catalogue's excerpts.
    """
    with (
        atomic_write(folder / STARTER_TABLE) as path,
        path.open("w", encoding="utf-8", newline="") as file,
    ):
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("excerpt", *FIELDS))
        for name in names:
            out.writerow((name, *(table.get(name, {}).get(field, "") for field in FIELDS)))
