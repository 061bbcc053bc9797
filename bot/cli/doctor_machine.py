"""Checks of ``genrec doctor`` of this machine: versions, database, folders, disk, ports."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bot.cli.findings import Finding, skip
from bot.config import PREFIX, Settings, installed_version, open_secrets
from bot.errors import SettingsError
from bot.runtime.instance_lock import instance_lock
from bot.runtime.resources import open_catalogue
from bot.runtime.source_policy import source_policy
from bot.sources.page import js_runtime
from db.damaged import damaged_tracks
from db.database_health import database_health
from db.folders import folder_state, registered
from db.tracks import LIBRARY
from genrec.errors import CatalogueError, GenrecError, PresetError
from genrec.processor import lacks_vnni
from genrec.runtimes import choose_runtime, onnxruntime_fault, onnxruntime_installed

_LIBRARIES = ("discord.py", "aiohttp", "numpy", "ai-edge-litert", "av", "soundfile", "yt-dlp")
_LEAST_FREE = 1 << 30
_LARGE_LOG = 256 << 20
_MIB = 1 << 20


def machine_findings(settings: Settings) -> Iterator[Finding]:
    """Yield the findings about this machine, in the order of the checks."""
    yield _versions()
    yield _runtime(settings)
    for warning in open_secrets(settings):
        yield Finding("secrets", ok=False, note=warning, vital=False)
    yield from _health(settings)
    yield _library(settings)
    yield from _folders(settings)
    yield from _disk(settings)
    yield _port(settings, "http", "http port")
    if settings.http_api_port:
        yield _port(settings, "http_api", "http api port")
    yield from _subsonic(settings)
    if settings.token is None:
        yield _port(settings, "local_discord", "page port")
    yield _javascript(settings)


def _subsonic(settings: Settings) -> Iterator[Finding]:
    """Check that players with the password or the API key find a server."""
    known = {"password": settings.subsonic_password, "API key": settings.subsonic_api_key}
    ways = " and ".join(name for name, secret in known.items() if secret)
    if not ways:
        return
    ok, note = bool(settings.http_api_port), f"user {settings.subsonic_user}, with {ways}"
    if not ok:
        note += f": set {PREFIX}HTTP_API_PORT, or run `genrec serve`"
    yield Finding("opensubsonic", ok=ok, note=note, vital=False)


def _versions() -> Finding:
    parts = [f"genrec {installed_version()}", f"SQLite {sqlite3.sqlite_version}"]
    for name in _LIBRARIES:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            parts.append(f"{name} missing")
    missing = [part for part in parts if part.endswith(" missing")]
    note = ", ".join(parts)
    if missing:
        note += ": install genrec again with its dependencies"
    return Finding("versions", ok=not missing, note=note, vital=False)


def _runtime(settings: Settings) -> Finding:
    """Name the library that runs the network, and a faster one if that is not installed."""
    try:
        chosen = choose_runtime(settings.runtime)
    except PresetError as error:
        return Finding("runtime", ok=False, note=str(error), vital=False)
    note: str = chosen
    if settings.runtime != "auto":
        note += f", by {PREFIX}RUNTIME"
    elif chosen == "onnxruntime":
        note += ", because this processor lacks VNNI"
    elif lacks_vnni() and onnxruntime_installed():
        note += f", more slowly. {onnxruntime_fault()}"
        return Finding("runtime", ok=False, note=note, vital=False)
    elif lacks_vnni():
        note += (
            "; this processor lacks VNNI, and `pip install 'genrec[onnxruntime]'` makes the network"
            " faster, see docs/performance.md"
        )
    return Finding("runtime", ok=True, note=note, vital=False)


def _health(settings: Settings) -> Iterator[Finding]:
    """Read the whole database; the check of the database itself reports one that cannot open."""

    async def sentence() -> tuple[bool, str]:
        async with open_catalogue(settings) as (preset, db):
            health = await database_health(db)
            damaged = len(await damaged_tracks(db, preset.model_id))
        if health.faults:
            return False, f"{'; '.join(health.faults)}: `genrec restore` a backup"
        if damaged:
            return False, f"{damaged} damaged tracks: run `genrec index` again"
        if health.log_bytes > _LARGE_LOG:
            size = f"its log has {health.log_bytes // _MIB} MiB"
            return False, f"{size}: restart the bot, and end programs that keep the file open"
        return True, f"sound, {health.bytes / _MIB:.0f} MiB"

    try:
        ok, note = asyncio.run(sentence())
    except GenrecError:
        return
    yield Finding("health", ok=ok, note=note, vital=False)


def _library(settings: Settings) -> Finding:
    """Check the folder of GENREC_LIBRARY."""
    folder = settings.library
    if folder is None:
        return skip("library folder", "GENREC_LIBRARY is not set; `genrec setup` sets it")
    state = folder_state(str(folder))
    if state == "there":
        return Finding("library folder", ok=True, note=f"{folder} can be read", vital=False)
    note = f"{folder} is {state}: mount its disk, or set GENREC_LIBRARY to the music folder"
    return Finding("library folder", ok=False, note=note, vital=False)


def _folders(settings: Settings) -> Iterator[Finding]:
    """Report indexed music folders that are missing or empty."""

    async def absent() -> list[str]:
        async with open_catalogue(settings) as (_, db):
            known = await registered(db, LIBRARY)
            states = [(path, await asyncio.to_thread(folder_state, path)) for path in known]
            return [f"{path} is {state}" for path, state in states if state != "there"]

    try:
        if notes := asyncio.run(absent()):
            fix = "mount its disk, or see `genrec library move` and `forget`"
            yield Finding("music", ok=False, note=f"{', '.join(notes)}: {fix}", vital=False)
    except GenrecError:  # the checks of preset and database report it
        return


def _disk(settings: Settings) -> Iterator[Finding]:
    """Check the free space for the database and its backup, and for clips."""
    database = settings.database_file
    if database is not None:  # the server has its own disk
        size = database.stat().st_size if database.is_file() else 0
        yield _space("disk", _existing(database), max(_LEAST_FREE, 2 * size), "the database")
    temporary = Path(tempfile.gettempdir())
    yield _space("clip disk", temporary, settings.clip_disk_bytes, "GENREC_CLIP_DISK_MB")


def _space(name: str, folder: Path, needed: int, purpose: str) -> Finding:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(name, ok=False, note=f"{folder}: {error.strerror}", vital=False)
    note = f"{free // _MIB} MiB free in {folder}"
    if free < needed:
        note += f", and {purpose} may need {needed // _MIB} MiB: free disk space"
    return Finding(name, ok=free >= needed, note=note, vital=False)


def _existing(path: Path) -> Path:
    return next((one for one in path.absolute().parents if one.is_dir()), Path("/"))


def _port(settings: Settings, setting: str, name: str) -> Finding:
    """Check that the port of a setting can be bound, or that the running bot has it."""
    host, port = getattr(settings, f"{setting}_host"), getattr(settings, f"{setting}_port")
    variable = f"{PREFIX}{setting.upper()}_PORT"
    if not port:
        return skip(name, f"{variable} is 0")
    try:
        with socket.socket(socket.AF_INET if host.version == 4 else socket.AF_INET6) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((str(host), port))
    except OSError as error:
        if _bot_runs(settings):
            return Finding(name, ok=True, note=f"{port} is in use while the bot runs", vital=False)
        note = f"{port}: {error.strerror}: set {variable} to another port"
        return Finding(name, ok=False, note=note, vital=False)
    return Finding(name, ok=True, note=f"{port} is free", vital=False)


def _bot_runs(settings: Settings) -> bool:
    try:
        with instance_lock(settings.database):
            return False
    except CatalogueError:
        return True


def _javascript(settings: Settings) -> Finding:
    """Check Deno, which YouTube needs; other sites need no JavaScript runtime."""
    if not settings.youtube:
        return skip("javascript", "GENREC_YOUTUBE is off")
    try:
        program = js_runtime(source_policy(settings))
    except SettingsError:
        return skip("javascript", "the check of links failed")
    if program is None:
        note = "Deno is not installed, so YouTube links fail: see docs/links.md"
        return Finding("javascript", ok=False, note=note, vital=False)
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        note = f"{program} does not start ({reason}): install Deno again, see docs/links.md"
        return Finding("javascript", ok=False, note=note, vital=False)
    shown = next(iter(done.stdout.splitlines()), "starts")
    return Finding("javascript", ok=True, note=f"{shown} ({program})", vital=False)
