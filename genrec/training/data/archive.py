"""Build the log-mel archive of a folder of audio, in parallel and resumable.

The archive has the format of ``load_archive``: logmel.npz and tracks.csv. Until it is complete,
each excerpt has a file of its own, a shard.
"""

from __future__ import annotations

import csv
import hashlib
import zlib
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tinytag import TinyTag, TinyTagException

from genrec.audio.decode import decode
from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.audio.limits import DecodeLimits
from genrec.errors import DataError, InputRefused
from genrec.files import atomic_write
from genrec.listening import listen
from genrec.names import artist_key
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.changes import SR as CHANGES_SR
from genrec.training.data.changes import changed_copy
from genrec.training.data.dataset import (
    ARCHIVE,
    Dataset,
    PictureDataset,
    Progress,
    encode_levels,
    load_archive,
    no_progress,
)
from genrec.training.data.parallel import process_pool
from genrec.training.data.picture_folder import load_pictures
from genrec.training.filterbank import mel_basis

Refused = list[tuple[Path, str]]
"""Audio files that could not be decoded, each with the reason."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An audio file ``genre/track.ext`` of a GTZAN-style folder; its ``name`` is unique there."""

    name: str
    genre: str
    path: Path


def load_data(
    folder: Path,
    config: SpectrogramConfig,
    *,
    cache: Path,
    progress: Progress = no_progress,
) -> tuple[Dataset | PictureDataset, Refused]:
    """Return the data set of a folder: its archive, one built from its audio files, or pictures.

    Parameters
    ----------
    folder
        A folder with ``logmel.npz``, or with a folder of audio files or pictures per genre.
    config
        The front end, if the folder has audio.
    cache
        Folder for archives that are built from audio.
    progress
        Called with (done, total) while audio is decoded.

    Returns
    -------
    The data set, and the audio files that could not be decoded, with reasons

    Raises
    ------
    DataError
        The folder has no archive, audio or pictures, or no audio file could be decoded.
    """
    if (folder / ARCHIVE).is_file():
        return load_archive(folder), []
    excerpts = find_excerpts(folder)
    if not excerpts:
        if (pictures := load_pictures(folder)) is not None:
            return pictures, []
        raise DataError(
            f"{folder} has neither {ARCHIVE} nor a folder per genre of audio (genre/track.wav) or"
            " pictures (genre/track.png); docs/training.md shows all three."
        )
    return make_archive(excerpts, config, archive_folder(folder, config, cache), progress)


def find_excerpts(folder: Path) -> list[Excerpt]:
    """Return the audio files of a GTZAN-style folder, sorted by path, with unique names."""
    found = [
        path
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in SOUND_SUFFIXES
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
    """Return the cache folder of an archive, unique per data folder and front end."""
    key = hashlib.sha256(f"{folder.resolve()}|{config}".encode()).hexdigest()[:12]
    return cache / f"{folder.resolve().name}-{key}"


def make_archive(
    excerpts: Sequence[Excerpt],
    config: SpectrogramConfig,
    out: Path,
    progress: Progress,
    limits: DecodeLimits | None = None,
    *,
    changed: bool = False,
) -> tuple[Dataset, Refused]:
    """Decode excerpts without a shard, write the archive; return its data set and refused files.

    Parameters
    ----------
    excerpts, config
        The audio files, and the front end.
    out
        Folder of the archive, and of its shards.
    progress
        Called with (done, total).
    limits
        Of the decoded part of each file; None for a clip's. Shards do not record them.
    changed
        The sound is changed first, see :func:`genrec.training.data.changes.changed_copy`, in the
        same way for the same name.

    Raises
    ------
    DataError
        No excerpt could be decoded, or a decoding process died. The sound is to be changed at
        another sample rate than 22,050 Hz.
    """
    if changed and config.sr != CHANGES_SR:
        raise DataError(
            f"Sound can be changed at {CHANGES_SR} Hz alone, and the front end has {config.sr}."
        )
    folder = out / "excerpts"
    folder.mkdir(parents=True, exist_ok=True)
    shards = {e.name: folder / f"{_shard_name(e, changed=changed)}.npz" for e in excerpts}
    todo = [excerpt for excerpt in excerpts if not shards[excerpt.name].exists()]
    refused: Refused = []
    done = len(excerpts) - len(todo)
    progress(done, len(excerpts))
    with closing(_decode_all(todo, shards, config, limits, changed=changed)) as results:
        for excerpt, reason in results:
            if reason:
                refused.append((excerpt.path, reason))
            done += 1
            progress(done, len(excerpts))
    decoded = [excerpt for excerpt in excerpts if shards[excerpt.name].exists()]
    if not decoded:
        raise DataError(
            f"None of the {len(excerpts)} audio files could be decoded: {refused[0][0]}:"
            f" {refused[0][1]}"
        )
    _write_archive(out, decoded, [shards[excerpt.name] for excerpt in decoded])
    data = replace(load_archive(out), audio={excerpt.name: excerpt.path for excerpt in decoded})
    return data, sorted(refused)


def _decode_all(
    excerpts: Sequence[Excerpt],
    shards: Mapping[str, Path],
    config: SpectrogramConfig,
    limits: DecodeLimits | None,
    *,
    changed: bool,
) -> Generator[tuple[Excerpt, str], None, None]:
    """Decode excerpts on all cores; yield each with the reason why it was refused, or ""."""
    if not excerpts:
        return
    crash_message = (
        "A process that decodes audio files died. Run the command again to continue. If it dies"
        " again, one of the remaining files crashes a decoder; remove it."
    )
    with process_pool(crash_message) as workers:
        basis = mel_basis(config)
        jobs = {
            workers.submit(
                _write_shard,
                e.path,
                shards[e.name],
                config,
                basis,
                limits,
                zlib.crc32(e.name.encode()) if changed else None,
            ): e
            for e in excerpts
        }
        for job in as_completed(jobs):
            yield jobs[job], job.result()


def _write_shard(
    path: Path,
    shard: Path,
    config: SpectrogramConfig,
    basis: NDArray[np.float32],
    limits: DecodeLimits | None,
    seed: int | None,
) -> str:
    """Write a file's log-mel levels to a shard; return the reason why it was refused, or "".

    With a seed the sound is changed first.
    """
    try:
        y = listen(decode(path, sr=config.sr, limits=limits).y, config.sr).y
    except InputRefused as error:
        return str(error)
    if seed is not None:
        y = changed_copy(y, np.random.default_rng(seed))
    levels, range_db = encode_levels(log_mel(y, config, basis))
    with atomic_write(shard) as part:
        np.savez(part, levels=levels, range_db=np.float32(range_db), n_samples=len(y))
    return ""


def _write_archive(out: Path, excerpts: Sequence[Excerpt], shards: Sequence[Path]) -> None:
    """Write logmel.npz, with the shards padded to the longest, and tracks.csv with their tags."""
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
    """Return artist and title from a file's tags; "" for a tag that is missing or unreadable."""
    try:
        tag = TinyTag.get(path)
    except (TinyTagException, OSError):
        return "", ""
    return tag.artist or "", tag.title or ""


def _shard_name(excerpt: Excerpt, *, changed: bool) -> str:
    """Return the name of an excerpt's shard: a hash of path, size and modification time.

    The shard of changed sound has another name.
    """
    stat = excerpt.path.stat()
    key = f"{excerpt.path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    if changed:
        key += "|changed"
    return hashlib.sha256(key.encode()).hexdigest()[:24]
