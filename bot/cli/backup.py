"""``genrec backup`` and ``genrec restore``: copies of the database."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bot.config import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def backup(
    file: Annotated[Path, typer.Argument(help="File to write, such as genrec-backup.db.")],
    as_json: AsJson = False,
) -> None:
    """Copy the database to a file, also while the bot runs, and check the copy."""
    from bot.config import load_settings
    from db.backups import write_backup

    database = _file(load_settings(), "back it up with pg_dump as in docs/scale.md")
    written = asyncio.run(write_backup(database, file))
    size = written.stat().st_size
    if as_json:
        _print_json({"backup": str(written), "database": str(database), "bytes": size})
    else:
        print(f"{database} is backed up to {written} ({size / 2**20:.1f} MiB, checked).")


def restore(
    file: Annotated[Path, typer.Argument(help="Backup that `genrec backup` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Replace the database by a backup; the old database is kept beside it."""
    from bot.config import load_settings

    database = _file(load_settings(), "restore it with pg_restore as in docs/scale.md")
    kept, tracks = asyncio.run(_restore(file, database))
    if as_json:
        kept_name = None if kept is None else str(kept)
        _print_json({"database": str(database), "kept": kept_name, "tracks": tracks})
        return
    print(f"{database} is restored from {file}: {tracks} tracks.")
    if kept is not None:
        print(f"The old database is {kept}: delete it when you no longer need it.")


async def _restore(file: Path, database: Path) -> tuple[Path | None, int]:
    """Restore and return the path of the old database and the number of active tracks."""
    from bot.runtime.instance_lock import instance_lock
    from db.backups import active_tracks, restore_backup
    from db.connection import open_db

    with instance_lock(database):
        kept = await restore_backup(file, database)
        async with open_db(database) as db:  # this also applies the deletion list
            return kept, await active_tracks(db)


def _file(settings: Settings, instead: str) -> Path:
    """Return the file of the database; raise CatalogueError where PostgreSQL's tools copy it."""
    from genrec.errors import CatalogueError

    if settings.database_file is None:
        raise CatalogueError(
            f"The catalogue {settings.database} is on a PostgreSQL server: {instead}."
        )
    return settings.database_file


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
