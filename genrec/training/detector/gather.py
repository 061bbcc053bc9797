"""Gather recorded sounds for the music detector from Debian packages: music, speech and effects."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import av
import numpy as np
import soundfile

from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.errors import DataError
from genrec.training.data.dataset import Progress, no_progress

PACKAGES = Path(__file__).with_name("packages.toml")
_ARCHIVES = (".pk3", ".zip", ".wz")  # zip files in which games keep their data
_G722 = ".g722"
_G722_SR = 16_000


def gather(out: Path, *, progress: Progress = no_progress) -> dict[str, int]:
    """Download the packages and sort their sounds into ``out/music`` and ``out/other``.

    Parameters
    ----------
    out
        The folder. ``packages`` in it keeps what was unpacked, so a later run goes on from there.
    progress
        Called with (done, total) in packages.

    Returns
    -------
    dict
        Number of files of each group, such as ``other/speech-cs+fillets-ng-data-cs``.

    Raises
    ------
    DataError
        A package cannot be downloaded or unpacked; this needs Debian's apt-get and dpkg-deb.
    """
    table = tomllib.loads(PACKAGES.read_text(encoding="utf-8"))
    counts: dict[str, int] = {}
    for done, (name, rules) in enumerate(table["packages"].items()):
        progress(done, len(table["packages"]))
        unpacked = out / "packages" / name
        if not unpacked.exists():
            _download(name, unpacked)
        for path, group in _sorted_files(unpacked, rules, table):
            counts[group] = counts.get(group, 0) + 1
            target = out / group / f"{counts[group]:05d}{path.suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                target.hardlink_to(path)
    return counts


def _sorted_files(
    folder: Path, rules: Mapping[str, str], table: Mapping[str, str]
) -> Iterator[tuple[Path, str]]:
    """Yield (file, group) for the files of a package that its rules name."""
    never, doubtful = re.compile(table["never"]), re.compile(table["doubtful"])
    for path in sorted(folder.rglob("*")):
        inside = f"{folder.name}/{path.relative_to(folder).as_posix()}"
        if path.suffix.lower() not in SOUND_SUFFIXES or never.search(inside):
            continue
        group = group_of(inside, rules, doubtful)
        if group:
            yield path, group


def group_of(path: str, rules: Mapping[str, str], doubtful: re.Pattern[str]) -> str:
    """Return the group of a file by the rules of its package; empty if none applies.

    Parameters
    ----------
    path
        ``PACKAGE/PATH`` with slashes.
    rules
        Regular expressions by kind: music, speech, effects. The first that is found decides.
    doubtful
        Names of effects that may be short music; they are left out.
    """
    package = path.partition("/")[0]
    for kind in ("music", "speech", "effects"):
        found = re.search(rules[kind], path) if kind in rules else None
        if found is None:
            continue
        if kind == "music":
            return f"music/music-{package}"
        if kind == "speech":
            speaker = found[found.lastindex or 0].strip("/").replace("/", "-")
            return f"other/speech-{speaker.removeprefix('Default_')}+{package}"
        return "" if doubtful.search(path.rpartition("/")[2]) else f"other/effects-{package}"
    return ""


def _download(name: str, target: Path) -> None:
    """Download a package and unpack its sound files into ``target``."""
    with tempfile.TemporaryDirectory(prefix="genrec-gather-") as folder:
        unpacked = Path(folder) / "unpacked"
        try:
            subprocess.run(["apt-get", "download", name], cwd=folder, check=True)  # noqa: S607
            package = next(Path(folder).glob("*.deb"))
            subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)  # noqa: S607
        except (OSError, subprocess.CalledProcessError, StopIteration) as error:
            raise DataError(
                f"The package {name} cannot be downloaded and unpacked: {error}. Run"
                " `apt-get update`, or remove the package from packages.toml."
            ) from error
        for path in sorted(unpacked.rglob("*")):
            if path.suffix.lower() in _ARCHIVES and zipfile.is_zipfile(path):
                _unzip(path)
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for path in sorted(unpacked.rglob("*")):
            if path.suffix.lower() in SOUND_SUFFIXES | {_G722} and path.is_file():
                _keep(path, part / path.relative_to(unpacked))
        part.rename(target)


def _unzip(path: Path) -> None:
    """Unpack the sound files of a zip file beside it."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if Path(name).suffix.lower() in SOUND_SUFFIXES:
                archive.extract(name, path.with_suffix(""))


def _keep(path: Path, target: Path) -> None:
    """Move a sound file, or convert it from G.722, which has no header."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() != _G722:
        shutil.move(path, target)
        return
    with av.open(path, format="g722") as file:
        parts = [frame.to_ndarray().ravel() for frame in file.decode(audio=0)]
    soundfile.write(target.with_suffix(".wav"), np.concatenate(parts), _G722_SR)
