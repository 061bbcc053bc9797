"""Folders of unlabelled music: whole songs, and the licences of the packages they came in."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.errors import DataError
from genrec.files import atomic_write
from genrec.training.data.archive import Excerpt
from genrec.training.data.dataset import Dataset

SOURCES = "sources.json"
KEPT_FOR_JUDGING = (
    "asterisk-moh", "fretsonfire-songs-muldjord", "fretsonfire-songs-sectoid", "hyperrogue-music",
    "singularity-music", "supertux-data", "warzone2100-music", "wesnoth-1.16-music",
)  # fmt: skip
"""Packages whose music only judges networks; asterisk-moh is the beginning of several names."""


def find_songs(folder: Path) -> list[Excerpt]:
    """Return the sound files at any depth in the folders of a folder, with unique names.

    Each folder directly inside is a package; its name stands for the genre. The packages in
    :data:`KEPT_FOR_JUDGING` are refused. Of files with the same bytes the first is returned: a game
    has its music once for each of its languages, and copies in both training and validation part
    would judge a network by what it learned.

    Raises
    ------
    DataError
        There is no sound file, or a package is kept for judging.
    """
    packages = sorted(path for path in folder.glob("*") if path.is_dir())
    if kept := [path.name for path in packages if path.name.startswith(KEPT_FOR_JUDGING)]:
        raise DataError(
            f"{folder} has {kept[0]}, whose music only judges networks. Move it to another folder."
        )
    songs = [
        Excerpt(
            name=f"{package.name}/{path.relative_to(package).as_posix()}",
            genre=package.name,
            path=path,
        )
        for package in packages
        for path in sorted(package.rglob("*"))
        if path.suffix.lower() in SOUND_SUFFIXES and path.is_file()
    ]
    songs = _without_copies(songs)
    if not songs:
        raise DataError(
            f"{folder} has no folder with sound files. Put each package into a folder of its name."
        )
    return songs


def _without_copies(songs: Sequence[Excerpt]) -> list[Excerpt]:
    """Return the first of each group of files with the same bytes; the order stays."""
    sizes = [song.path.stat().st_size for song in songs]
    shared = {size for size, count in Counter(sizes).items() if count > 1}
    kept: dict[object, Excerpt] = {}
    for song, size in zip(songs, sizes, strict=True):
        key: object = song.name
        if size in shared:
            with song.path.open("rb") as file:
                key = hashlib.file_digest(file, "sha256").digest()
        kept.setdefault(key, song)
    return list(kept.values())


def write_sources(
    folder: Path, data: Dataset, seconds: Sequence[float], out: Path, *, changed: bool = False
) -> None:
    """Write the packages of an archive as sources.json: name, songs, hours and licences.

    Parameters
    ----------
    folder
        The folder of packages, for their Debian copyright files.
    data, seconds
        The archive, and the length of each of its songs.
    out
        Folder of the archive.
    changed
        The songs of the archive are changed.
    """
    rows: dict[str, dict[str, Any]] = {}
    for package, length in zip(data.genres, seconds, strict=True):
        row = rows.setdefault(package, {"name": package, "songs": 0, "hours": 0.0})
        row["songs"] += 1
        row["hours"] += length / 3600
    for name, row in rows.items():
        row["hours"] = round(row["hours"], 2)
        row["licences"] = licences(folder / name)
    with atomic_write(out / SOURCES) as part:
        text = json.dumps({"packages": list(rows.values()), "changed": changed}, indent=2)
        part.write_text(text + "\n", encoding="utf-8")


def licences(package: Path) -> list[str]:
    """Return the licences that a package's Debian copyright file names, without repetition.

    They are those of all files of the package: its music has one or more of them. In a file
    without License fields, they are the common licences to which its text refers.
    """
    names: list[str] = []
    for path in sorted(package.rglob("copyright")):
        text = path.read_text(encoding="utf-8", errors="replace")
        names += re.findall(r"^License:[ \t]*(\S.*?)\s*$", text, re.MULTILINE) or re.findall(
            r"/usr/share/common-licenses/([\w.-]*\w)", text
        )
    return sorted(set(names))


def read_sources(folder: Path) -> list[dict[str, Any]]:
    """Return the packages in an archive's sources.json; nothing if it has none.

    Raises
    ------
    DataError
        The file is damaged.
    """
    return list(_archive_sources(folder)["packages"])


def has_changed_songs(folder: Path) -> bool:
    """Return whether the songs of an archive are changed, by its sources.json.

    Raises
    ------
    DataError
        The file is damaged.
    """
    return bool(_archive_sources(folder)["changed"])


def _archive_sources(folder: Path) -> dict[str, Any]:
    path = folder / SOURCES
    known: dict[str, Any] = {"packages": [], "changed": False}
    if not path.is_file():
        return known
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**known, **found, "packages": found["packages"]}
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{path} is damaged: {error}. Write it with `genrec archive`.") from error


def write_run_sources(
    run: Path,
    *,
    teachers: Sequence[str] = (),
    packages: Sequence[dict[str, Any]] = (),
    changed: bool = False,
    earlier: Mapping[str, Any] = MappingProxyType({}),
    networks: Sequence[str] = (),
    lineage: Sequence[dict[str, Any]] = (),
) -> None:
    """Write what a run learns from into its sources.json, for the model card.

    Parameters
    ----------
    run
        The run folder.
    teachers, packages
        Taggers whose answers are targets, and the music of unlabelled archives.
    changed
        Half of the windows of that music are of changed copies.
    earlier
        The same of the run or preset that gave the initial weights, which the file also names.
    networks, lineage
        Names of the networks that teach genres, and what the initial weights come from, see
        :func:`genrec.training.lineage.lineage`. A file that is there already keeps its own: a
        folder may hold a newer preset when a run is resumed.
    """
    start = {"teachers": (), "packages": (), "changed": False, **earlier}
    known = read_run_sources(run) or {**start, "networks": networks, "lineage": lineage}
    found: dict[str, Any] = {
        "teachers": sorted({*known["teachers"], *teachers}),
        "packages": joined_packages(known["packages"], packages),
        "changed": changed or known["changed"],
        "networks": list(known["networks"]),
        "lineage": list(known["lineage"]),
    }
    with atomic_write(run / SOURCES) as part:
        part.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def joined_packages(*lists: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the packages of several lists; of one with the same name, the last row."""
    return list({row["name"]: row for rows in lists for row in rows}.values())


def read_run_sources(run: Path) -> dict[str, Any]:
    """Return a run's sources.json; nothing without the file.

    Returns
    -------
    ``teachers``, ``packages``, ``networks`` and ``lineage``, all lists, and ``changed``; what an
    older run did not record is empty or false

    Raises
    ------
    DataError
        The file is damaged.
    """
    path = run / SOURCES
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = {"networks": [], "lineage": [], "changed": False} | found
        lists = {key: list(known[key]) for key in ("teachers", "packages", "networks", "lineage")}
        return lists | {"changed": bool(known["changed"])}
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{path} is damaged: {error}. Delete it and resume the run, which writes it again."
        ) from error
