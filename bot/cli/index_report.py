"""The report of ``genrec index``: as JSON, and as a table of counts for the terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from db.ingest.file_kinds import SENTENCES, LeftOutReason
from db.ingest.report import FileCount, FileResult, count_files, file_rows

if TYPE_CHECKING:
    from db.ingest.run import IngestReport


def report_as_json(report: IngestReport) -> dict[str, Any]:
    """Return the report of an indexing run as the JSON object of docs/cli.md."""
    names = ("tracks", "analyzed", "reused", "moved", "unchanged", "resumed", "removed", "switched")
    counts = count_files(report)
    return {
        **{name: getattr(report, name) for name in names},
        "absent": [{"folder": path, "tracks": count} for path, count in report.absent.items()],
        "seconds": round(report.seconds, 3),
        "music_s": round(report.music_s, 1),
        "files": {
            result.value: sum(count.files for count in counts if count.result is result)
            for result in FileResult
        },
        "kinds": [
            {
                "result": count.result.value,
                "kind": count.kind,
                "code": count.code or None,
                "files": count.files,
                "example": count.example,
            }
            for count in counts
        ],
        "failures": [
            {"path": failure.path, "code": failure.code, "reason": failure.reason}
            for failure in report.failures
            if failure.code != LeftOutReason.NO_MUSIC
        ],
        "left_out": [
            {"path": row.path, "kind": row.kind, "code": row.code, "reason": row.reason}
            for row in file_rows(report)
            if row.result is FileResult.LEFT_OUT and not row.quiet
        ],
    }


def folder_sentences(report: IngestReport) -> list[str]:
    """Return a sentence for each folder that an indexing run found missing or empty."""
    return [
        f"{folder} is missing or empty, so its {count} tracks are not recommended. Mount its disk"
        " and index it again, or run `genrec library move` or `genrec library forget`."
        for folder, count in report.absent.items()
    ]


def show_report(report: IngestReport) -> None:
    """Print the failures to stderr; the counts by kind and a summary to stdout."""
    for failure in report.failures:
        print(f"{failure.path}: {failure.reason}", file=sys.stderr)
    counts = count_files(report)
    _print_table(counts)
    for reason in LeftOutReason:
        if any(count.code == reason and not count.quiet for count in counts):
            print(f"{_words(reason)}: {SENTENCES[reason]}")
    speed = ""
    if report.analyzed and report.seconds:
        speed = (
            f", {report.analyzed / report.seconds:.1f} files/s,"
            f" {report.music_s / report.seconds:.0f} times real time"
        )
    left_out = sum(count.files for count in counts if count.result is FileResult.LEFT_OUT)
    refused = sum(count.files for count in counts if count.result is FileResult.REFUSED)
    moved = f" ({report.moved} moved)" if report.moved else ""
    print(
        f"{report.tracks} tracks in the catalogue: {report.analyzed} analysed,"
        f" {report.unchanged} unchanged, {report.reused + report.resumed} reused{moved},"
        f" {report.removed} removed, {refused} failed, {left_out} left out;"
        f" {report.seconds:.1f} s{speed}."
    )
    for sentence in folder_sentences(report):
        print(sentence, file=sys.stderr)


def _print_table(counts: list[FileCount]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Files", "Result", "Kind", "Reason", "Example"):
        table.add_column(
            heading,
            justify="right" if heading == "Files" else "left",
            overflow="ellipsis" if heading == "Example" else "fold",
            no_wrap=heading == "Example",
        )
    for count in counts:
        example = count.example.rpartition("/")[2] if count.code else ""
        cells = (_words(count.result), count.kind, _words(count.code), example)
        table.add_row(str(count.files), *(escape(cell) for cell in cells))
    if counts:
        Console(highlight=False).print(table)


def _words(name: str) -> str:
    return name.replace("_", " ")
