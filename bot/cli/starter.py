"""``genrec starter``: album, year and published ids of the starter catalogue, from a table."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrec.errors import DataError

if TYPE_CHECKING:
    from genrec.preset import StarterCatalogue

_SHOWN = 20


def starter(
    table: Annotated[
        Path, typer.Argument(help="CSV with excerpt, or artist and title, and album, year, ids.")
    ],
    preset: Annotated[
        Path | None, typer.Option("--preset", help="Preset folder; default: GENREC_PRESET.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fill album, year, ISRC and MusicBrainz ids of a preset's starter catalogue."""
    import json

    from bot.config import load_settings
    from bot.locations import find_preset
    from db.details import TrackDetails
    from genrec.preset import Preset
    from genrec.starter_table import FIELDS, write_starter_table

    loaded = Preset.load(find_preset(preset or load_settings().preset))
    catalogue = loaded.starter()
    if catalogue is None:
        raise DataError(f"{loaded.folder} has no starter catalogue: name another preset.")
    by_name = _names(catalogue)
    found: dict[str, dict[str, str]] = {}
    unknown: list[str] = []
    for row in _rows(table):
        name = by_name.get(row.get("excerpt", "")) or by_name.get(_key(row))
        if name is None:
            unknown.append(row.get("excerpt") or f"{row.get('artist')} - {row.get('title')}")
            continue
        details = TrackDetails.of(row)
        fields = {field: str(getattr(details, field) or "") for field in FIELDS}
        found[name] = {field: value for field, value in fields.items() if value}
    write_starter_table(loaded.folder, found, catalogue.names)
    counts = {field: sum(field in row for row in found.values()) for field in FIELDS}
    if as_json:
        result = {"tracks": len(catalogue.names), "found": len(found), "unknown": unknown}
        print(json.dumps(result | {"fields": counts}, ensure_ascii=False, indent=2))
        return
    for name in unknown[:_SHOWN]:
        print(f"not in the starter catalogue: {name}", file=sys.stderr)
    print(f"{len(found)} of {len(catalogue.names)} tracks found, {len(unknown)} rows not.")
    print(", ".join(f"{field} {count}" for field, count in counts.items()))


def _names(catalogue: StarterCatalogue) -> dict[str, str]:
    """Return the names of the excerpts by name, and by folded artist and title."""
    from genrec.names import fold

    keys = {name: name for name in catalogue.names}
    columns = zip(catalogue.names, catalogue.artists, catalogue.titles, strict=True)
    return {fold(f"{artist} {title}"): name for name, artist, title in columns} | keys


def _key(row: Mapping[str, str]) -> str:
    from genrec.names import fold

    return fold(f"{row.get('artist', '')} {row.get('title', '')}")


def _rows(table: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of the table; raise DataError if it cannot be read."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            columns = set(rows.fieldnames or ())
            if "excerpt" not in columns and not {"artist", "title"} <= columns:
                raise DataError(
                    f"{table} has neither a column excerpt nor columns artist and title: add one of"
                    " them."
                )
            for row in rows:
                yield {column: value or "" for column, value in row.items() if column}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read ({error}): name a readable CSV file.") from error
