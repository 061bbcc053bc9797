"""``genrec library duplicates``: groups of tracks that are one recording, best copy first."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.library import AsJson, _catalogue, known_scope
from bot.cli.library_folders import library

__all__ = ["library"]  # with this command

if TYPE_CHECKING:
    from db.duplicates import Copy

HEAD = ("group", "place", "id", "artist", "title", "coding", "seconds", "source")


@library.command()
def duplicates(
    scope: Annotated[
        str, typer.Option(help="Scope of the tracks.", metavar="SCOPE", callback=known_scope)
    ] = "library",
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List tracks that are the same recording, the best copy of each group first."""
    if as_json and as_csv:
        raise typer.BadParameter("pass either --json or --csv")
    groups = asyncio.run(_find(scope))
    if as_json:
        listed = [[_as_json(copy) for copy in group] for group in groups]
        print(json.dumps({"groups": listed}, ensure_ascii=False, indent=2))
    elif as_csv:
        from db.list_writers import csv_text

        print(csv_text(HEAD, _rows(groups)), end="")
    else:
        _show(groups)


def coding(copy: Copy) -> str:
    """Return a copy's coding as words: "lossless, 912 kbit/s"; "" if it is unknown."""
    kind = {True: "lossless", False: "lossy", None: ""}[copy.lossless]
    rate = f"{copy.bit_rate / 1000:.0f} kbit/s" if copy.bit_rate else ""
    return ", ".join(filter(None, (kind, rate)))


def _as_json(copy: Copy) -> dict[str, Any]:
    track = copy.track
    return {
        "id": track.id,
        "title": track.title,
        "artist": track.artist,
        "source": track.source,
        "duration_s": round(copy.duration_s, 3),
        "lossless": copy.lossless,
        "bit_rate": copy.bit_rate,
    }


def _rows(groups: list[tuple[Copy, ...]]) -> list[tuple[str, ...]]:
    return [
        (
            str(number), str(place), str(copy.track.id), copy.track.artist, copy.track.title,
            coding(copy), f"{copy.duration_s:.0f}", copy.track.source,
        )
        for number, group in enumerate(groups, start=1)
        for place, copy in enumerate(group, start=1)
    ]  # fmt: skip


def _show(groups: list[tuple[Copy, ...]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("Group", "Id", "Artist", "Title", "Coding", "Source"):
        is_number = heading in ("Group", "Id")
        table.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for number, place, track_id, artist, title, words, _, source in _rows(groups):
        cells = (number if place == "1" else "", track_id, artist, title, words, source)
        table.add_row(*(escape(cell) for cell in cells))
    spare = sum(len(group) - 1 for group in groups)
    console = Console(highlight=False)
    if groups:
        console.print(table)
    noun = "group" if len(groups) == 1 else "groups"
    console.print(f"{len(groups)} {noun} of duplicates; tracks beside the best copies: {spare}")


async def _find(scope: str) -> list[tuple[Copy, ...]]:
    from db.duplicates import find_duplicates
    from genrec.fingerprint import RecordingMatcher

    async with _catalogue() as (catalogue, preset):
        rows = await catalogue.load(preset.model_id)
        return await find_duplicates(catalogue, rows, scope, RecordingMatcher(preset.spectrogram))
