"""Read the rows of an exported file: CSV, also as spreadsheets save it, or JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping

from genrec.errors import InputRefused

# Spreadsheets run cells with these first characters as formulas; an apostrophe makes them text.
FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
# A spreadsheet of a country with a decimal comma saves a CSV file with semicolons.
_DELIMITERS = ",;\t"


def read_rows(text: str, columns: Collection[str]) -> Iterator[Mapping[str, object]]:
    """Yield the rows of an export, by column; raise InputRefused for anything else.

    ``columns`` are those that a CSV file must have. Rows without any text are left out.
    """
    body = text.lstrip("\ufeff \t\r\n")
    if body.startswith("#EXTM3U"):
        raise InputRefused(
            "A playlist has no embeddings, so it cannot be imported: export the tracks as CSV or"
            " JSON."
        )
    if body.startswith("{"):
        yield from _read_json(body)
        return
    try:
        reader = csv.DictReader(
            io.StringIO(body, newline=""), delimiter=_delimiter(body, columns), strict=True
        )
        missing = set(columns) - set(reader.fieldnames or ())
        if missing:
            raise InputRefused(
                f"The table lacks the columns {', '.join(sorted(missing))}: import a CSV or JSON"
                " file that genrec exported."
            )
        for row in reader:
            if any(row.values()):
                yield {column: _unescape_formula(cell) for column, cell in row.items()}
    except csv.Error as error:
        raise InputRefused(f"The table cannot be read ({error}): export it again.") from error


def _delimiter(body: str, columns: Collection[str]) -> str:
    """Return the delimiter that splits the head of a table into the most of the columns."""
    head = body.partition("\n")[0].strip()

    def found(delimiter: str) -> int:
        names = {name.strip('"') for name in head.split(delimiter)}
        return len(names & set(columns))

    return max(_DELIMITERS, key=found)


def _read_json(body: str) -> Iterator[Mapping[str, object]]:
    try:
        whole = json.loads(body)
        tracks = whole["tracks"]
    except (ValueError, KeyError, RecursionError) as error:
        raise InputRefused(
            "The file is not a JSON export of genrec, or is incomplete: export it again."
        ) from error
    if not isinstance(tracks, list) or not all(isinstance(row, dict) for row in tracks):
        raise InputRefused("The file's tracks are not a list of objects: export it again.")
    for row in tracks:
        yield {**row, "model_id": whole.get("model_id")}


def _unescape_formula(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith("'") and FORMULA.match(cell):
        return cell[1:]
    return cell
