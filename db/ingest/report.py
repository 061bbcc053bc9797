"""Account for every file of an indexing run: one row for each file, and counts by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from db.ingest.file_kinds import QUIET_REASONS, SENTENCES, LeftOutReason, kind_of
from db.ingest.run import IngestReport
from db.list_writers import csv_text
from db.sections import file_of

COLUMNS = ("file", "result", "kind", "code", "reason")


class FileResult(StrEnum):
    """Result of an indexing run for one file."""

    INDEXED = "indexed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of the folder; ``code`` and ``reason`` are empty if it is in the catalogue.

    ``quiet`` is True for a file in which nobody expects music, such as a picture.
    """

    path: str
    result: FileResult
    kind: str
    code: str = ""
    reason: str = ""
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class FileCount:
    """Number of files with one result, kind and code; ``example`` is the path of one of them."""

    result: FileResult
    kind: str
    code: str
    files: int
    example: str
    quiet: bool


def file_rows(report: IngestReport) -> Iterator[FileRow]:
    """Yield every file below the indexed folder: sound files, unreadable paths, files left out.

    An album file has one row for its songs, and one for each of them that is refused.
    """
    failed = {failure.path: failure for failure in report.failures}
    albums: dict[str, FileResult] = {}
    for source in report.scan.files:
        path = file_of(source)
        unchanged = source in report.unchanged_paths
        result = FileResult.UNCHANGED if unchanged else FileResult.INDEXED
        if (failure := failed.get(source)) is not None:
            no_music = failure.code == LeftOutReason.NO_MUSIC
            refused = FileResult.LEFT_OUT if no_music else FileResult.REFUSED
            yield FileRow(source, refused, kind_of(path), failure.code, failure.reason)
        elif source not in report.scan.songs:
            yield FileRow(path, result, kind_of(path))
        elif albums.get(path) is not FileResult.INDEXED:
            albums[path] = result
    for path, result in albums.items():
        yield FileRow(path, result, f"{kind_of(path)} with CUE sheet")
    for path, failure in failed.items():
        if path not in report.scan.files:
            yield FileRow(path, FileResult.REFUSED, "unreadable", failure.code, failure.reason)
    for file in report.scan.left_out:
        yield FileRow(
            file.path,
            FileResult.LEFT_OUT,
            file.kind,
            file.reason.value,
            SENTENCES[file.reason],
            quiet=file.reason in QUIET_REASONS,
        )


def count_files(report: IngestReport) -> list[FileCount]:
    """Return the files counted by result, kind and code, the most numerous first."""
    counts: Counter[tuple[FileResult, str, str]] = Counter()
    examples: dict[tuple[FileResult, str, str], FileRow] = {}
    for row in file_rows(report):
        key = (row.result, row.kind, row.code)
        counts[key] += 1
        examples.setdefault(key, row)
    order = list(FileResult)
    ranked = sorted(counts.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0]))
    return [
        FileCount(*key, files, examples[key].path, examples[key].quiet) for key, files in ranked
    ]


def report_csv(report: IngestReport) -> Iterator[str]:
    """Yield a CSV table with a row for every file, in pieces."""
    yield csv_text(COLUMNS, ())
    for row in file_rows(report):
        yield csv_text(None, [(row.path, row.result.value, row.kind, row.code, row.reason)])
