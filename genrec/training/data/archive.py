"""A folder of audio becomes a log-mel archive once, in parallel, and goes on where it was stopped.

The archive is the form of ``load_archive``: logmel.npz and tracks.csv. Each excerpt is kept in a
file of its own until all are there.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tinytag import TinyTag, TinyTagException

from genrec.audio.decode import decode
from genrec.errors import DataError, InputRefused
from genrec.files import atomic_write
from genrec.names import artist_key
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.dataset import (
    ARCHIVE,
    Dataset,
    Progress,
    encode_levels,
    load_archive,
    silent,
)
from genrec.training.data.parallel import every_core
from genrec.training.front_end import mel_basis

Refused = list[tuple[Path, str]]

EXTENSIONS = frozenset(
    {".wav", ".au", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".mp4", ".aac", ".webm"}
    | {".aiff", ".aif", ".mka"}
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One audio file of a GTZAN-style folder: ``genre/track.ext``."""

    name: str
    genre: str
    path: Path


def load_data(
    folder: Path,
    config: SpectrogramConfig,
    *,
    cache: Path,
    progress: Progress = silent,
) -> tuple[Dataset, Refused]:
    """Load a data folder: its archive where it has one, else an archive made of its audio.

    Parameters
    ----------
    folder
        A folder with ``logmel.npz``, or with one folder of audio files a genre.
    config
        The front end for audio.
    cache
        Folder under which archives made of audio are kept.
    progress
        Told (done, of) while audio is heard.

    Returns
    -------
    The data, and the audio files that could not be heard with their reasons.

    Raises
    ------
    DataError
        The folder holds neither.
    """
    if (folder / ARCHIVE).is_file():
        return load_archive(folder), []
    excerpts = find_excerpts(folder)
    if not excerpts:
        raise DataError(
            f"{folder} holds neither {ARCHIVE} nor folders of audio named after their genres"
            " (genre/track.wav); docs/training.md shows both forms."
        )
    return make_archive(excerpts, config, archive_folder(folder, config, cache), progress)


def find_excerpts(folder: Path) -> list[Excerpt]:
    """List the audio files of a GTZAN-style folder, sorted; a name is unique among them."""
    found = [
        path
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in EXTENSIONS
        and not path.name.startswith(".")
        and not path.stem.endswith(".part")  # an unfinished atomic_write
    ]
    stems = [path.stem for path in found]
    return [
        Excerpt(
            name=path.stem if stems.count(path.stem) == 1 else f"{path.parent.name}.{path.name}",
            genre=path.parent.name,
            path=path,
        )
        for path in found
    ]


def archive_folder(folder: Path, config: SpectrogramConfig, cache: Path) -> Path:
    """Return where the archive of a folder is kept: another front end, another place."""
    key = hashlib.sha256(f"{folder.resolve()}|{config}".encode()).hexdigest()[:12]
    return cache / f"{folder.resolve().name}-{key}"


def make_archive(
    excerpts: Sequence[Excerpt], config: SpectrogramConfig, out: Path, progress: Progress
) -> tuple[Dataset, Refused]:
    """Hear the excerpts that are not in the archive yet, and return it whole."""
    shards = out / "excerpts"
    shards.mkdir(parents=True, exist_ok=True)
    kept = {excerpt.name: shards / f"{_stamp(excerpt)}.npz" for excerpt in excerpts}
    todo = [excerpt for excerpt in excerpts if not kept[excerpt.name].exists()]
    refused: Refused = []
    done = len(excerpts) - len(todo)
    progress(done, len(excerpts))
    with closing(_hear_all(todo, kept, config)) as hearings:
        for excerpt, reason in hearings:
            if reason:
                refused.append((excerpt.path, reason))
            done += 1
            progress(done, len(excerpts))
    heard = [excerpt for excerpt in excerpts if kept[excerpt.name].exists()]
    if not heard:
        raise DataError(f"None of the {len(excerpts)} audio files could be heard: {refused[0][1]}")
    _write(out, heard, [kept[excerpt.name] for excerpt in heard])
    data = replace(load_archive(out), audio={excerpt.name: excerpt.path for excerpt in heard})
    return data, sorted(refused)


def _hear_all(
    excerpts: Sequence[Excerpt], kept: Mapping[str, Path], config: SpectrogramConfig
) -> Generator[tuple[Excerpt, str], None, None]:
    """Hear excerpts on every core; yield each with why it was refused, or nothing."""
    if not excerpts:
        return
    died = (
        "A process that hears audio files died. Run the command again: it goes on where it"
        " stopped. If it dies again, one of the files left breaks a decoder; take it out."
    )
    with every_core(died) as workers:
        basis = mel_basis(config)
        jobs = {workers.submit(_hear, e.path, kept[e.name], config, basis): e for e in excerpts}
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _hear(path: Path, shard: Path, config: SpectrogramConfig, basis: NDArray[np.float32]) -> str:
    """Write one excerpt's levels, whole or not at all; return why it was refused, if it was."""
    try:
        sound = decode(path, sr=config.sr)
    except InputRefused as error:
        return str(error)
    levels, range_db = encode_levels(log_mel(sound.y, config, basis))
    with atomic_write(shard) as part:
        np.savez(part, levels=levels, range_db=np.float32(range_db), n_samples=len(sound.y))
    return ""


def _write(out: Path, excerpts: Sequence[Excerpt], shards: Sequence[Path]) -> None:
    """Put the excerpts' files together as one archive, padded to the longest."""
    loaded = [dict(np.load(shard)) for shard in shards]
    widths = [item["levels"].shape[1] for item in loaded]
    levels = np.zeros((len(loaded), len(loaded[0]["levels"]), max(widths)), dtype=np.uint8)
    for row, item in enumerate(loaded):
        levels[row, :, : widths[row]] = item["levels"]
    with atomic_write(out / ARCHIVE) as part:
        np.savez_compressed(
            part,
            levels=levels,
            excerpts=np.array([excerpt.name for excerpt in excerpts]),
            genres=np.array([excerpt.genre for excerpt in excerpts]),
            range_db=np.array([item["range_db"] for item in loaded], dtype=np.float32),
            n_samples=np.array([item["n_samples"] for item in loaded], dtype=np.int32),
            n_columns=np.array(widths, dtype=np.int32),
        )
    with (
        atomic_write(out / "tracks.csv") as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        rows = csv.writer(file)
        rows.writerow(["excerpt", "genre", "artist", "title", "artist_key"])
        for excerpt in excerpts:
            artist, title = _tags(excerpt.path)
            rows.writerow([excerpt.name, excerpt.genre, artist, title, artist_key(artist)])


def _tags(path: Path) -> tuple[str, str]:
    try:
        tag = TinyTag.get(path)
    except (TinyTagException, OSError):
        return "", ""
    return tag.artist or "", tag.title or ""


def _stamp(excerpt: Excerpt) -> str:
    stat = excerpt.path.stat()
    key = f"{excerpt.path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    return hashlib.sha256(key.encode()).hexdigest()[:24]
