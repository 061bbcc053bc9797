"""``genrec move``: the database to another place, such as a PostgreSQL server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli.stopped import says_what_is_kept

if TYPE_CHECKING:
    from db.address import PostgresAddress
    from db.move import MoveReport

_KEPT = "Nothing is moved, and the old database is as it was."


def move(
    destination: Annotated[
        str,
        typer.Argument(
            help="File that does not exist, or address of an empty PostgreSQL database:"
            " postgresql://USER@HOST/DATABASE. - reads it from standard input.",
            metavar="FILE|ADDRESS|-",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Move the database to PostgreSQL, or back to a file, while the bot is stopped."""
    from bot.config import load_settings

    source = load_settings().database
    target = _place(_first_line() if destination == "-" else destination)
    with says_what_is_kept(lambda: _KEPT):
        report = asyncio.run(_move(source, target))
    if as_json:
        print(json.dumps(_as_json(report, source, target), ensure_ascii=False, indent=2))
    else:
        _show(report, source, target)


def _first_line() -> str:
    line = sys.stdin.readline().strip()
    if not line:
        raise typer.BadParameter("standard input is empty: write the destination there")
    return line


def _place(text: str) -> Path | PostgresAddress:
    from db.address import database_place, given_as_argument

    if not text:
        raise typer.BadParameter(
            "the destination is empty: name a file, or an address that begins with postgresql://"
        )
    with given_as_argument():
        return database_place(text)


async def _move(source: Path | PostgresAddress, destination: Path | PostgresAddress) -> MoveReport:
    """Move while no bot uses either database, and show a bar at a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from bot.runtime.instance_lock import instance_lock
    from db.move import move, refuse_places

    refuse_places(source, destination)
    with contextlib.ExitStack() as stack:
        # Bots on PostgreSQL hold leases, which `move` itself looks at.
        for place in (source, destination):
            if isinstance(place, Path) and place.is_file():
                stack.enter_context(instance_lock(place))
        console = Console(stderr=True)
        bar = stack.enter_context(Progress(console=console, disable=not console.is_terminal))
        tasks: dict[str, Any] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table, total=total)
            bar.update(tasks[table], completed=done)

        return await move(source, destination, progress=show)


def _show(report: MoveReport, source: object, destination: object) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("table", "rows", "digest")
    for name, content in report.tables.items():
        if content.rows:
            table.add_row(name, str(content.rows), content.digest[:12])
    Console().print(table)
    print(
        f"{source} is moved to {destination}: {report.tracks} tracks, {report.rows} rows, each"
        f" table read again and found equal ({report.seconds:.1f} s)."
    )
    print(f"Now set {setting_line(destination)} and start the bot.")
    how = "delete it" if isinstance(source, Path) else "delete it with dropdb"
    print(f"{source} is unchanged: {how} when the bot has answered from the new database.")


def setting_line(destination: object) -> str:
    """Return what to set; a password is not repeated."""
    if isinstance(destination, Path):
        return f"GENREC_DATABASE={destination.resolve()}"
    return "GENREC_DATABASE to the address that you gave"


def _as_json(report: MoveReport, source: object, destination: object) -> dict[str, Any]:
    return {
        "source": str(source),
        "destination": str(destination),
        "tracks": report.tracks,
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
        "tables": {
            name: {"rows": content.rows, "digest": content.digest}
            for name, content in report.tables.items()
        },
    }
