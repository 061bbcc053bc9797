"""Archives of unlabelled music, and a teacher's answers to audio files; both resume."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.audio.decode import decode
from genrec.audio.limits import DecodeLimits
from genrec.errors import DataError, InputRefused
from genrec.files import atomic_write
from genrec.listening import listen
from genrec.spectrogram import SpectrogramConfig
from genrec.training.data.archive import Refused, make_archive
from genrec.training.data.dataset import Dataset, Progress, load_archive
from genrec.training.data.songs import SOURCES, find_songs, has_changed_songs, write_sources
from genrec.training.teachers.answers import ANSWERS, TeacherAnswers

Float = NDArray[np.float32]
Tagger = Callable[..., tuple[Float, Float, Float]]
"""As :class:`genrec.training.teachers.musicnn.MusicTagger`."""

MAX_SONG_S = 600.0


def archive_songs(
    folder: Path,
    out: Path,
    config: SpectrogramConfig,
    progress: Progress,
    *,
    changed: bool = False,
) -> tuple[Dataset, Refused]:
    """Write the archive of a folder of packages of music, with at most 600 s of each song.

    Parameters
    ----------
    folder
        Folder with a folder for each package, see :func:`genrec.training.data.songs.find_songs`.
    out
        Folder of the archive: logmel.npz, tracks.csv and sources.json.
    config, progress
        The front end, and a callback of (done, total).
    changed
        The songs are changed as telephones, rooms and codecs change them, see
        :func:`genrec.training.data.archive.make_archive`.

    Returns
    -------
    The archive, and the files that could not be decoded, with reasons

    Raises
    ------
    DataError
        There is no music, a package is kept for judging, or no file could be decoded. ``out`` has
        changed songs and this call writes unchanged ones, or the other way round. Songs are to be
        changed at another sample rate than 22,050 Hz.
    """
    if (out / SOURCES).is_file() and has_changed_songs(out) != changed:
        there, wanted = ("unchanged", "changed") if changed else ("changed", "unchanged")
        raise DataError(
            f"{out} has an archive of {there} songs; pass another folder for {wanted} ones."
        )
    songs = find_songs(folder)
    data, refused = make_archive(songs, config, out, progress, song_limits(), changed=changed)
    seconds = (data.n_columns * config.hop_length / config.sr).tolist()
    write_sources(folder, data, seconds, out, changed=changed)
    return data, refused


def song_limits() -> DecodeLimits:
    """Return the limits of songs: at least 30 s, and the first 600 s at most."""
    return DecodeLimits(min_seconds=30.0, max_seconds=MAX_SONG_S, start="start")


def write_answers(
    folder: Path, out: Path, tagger: Tagger, *, progress: Progress, **description: Any
) -> TeacherAnswers:
    """Write a tagger's answers to the songs of an archive, as teacher.npz beside it.

    Parameters
    ----------
    folder, out
        The folder of packages, and the folder of its archive.
    tagger, progress, description
        As of :func:`answers_to`.

    Raises
    ------
    DataError
        There is no archive, it has changed songs, or none of its songs lies in the folder.
    """
    if has_changed_songs(out):
        raise DataError(
            f"{out} has changed songs, and a tagger answers to unchanged ones; pass the archive of"
            " the unchanged songs."
        )
    names = set(load_archive(out).names)
    songs = [song for song in find_songs(folder) if song.name in names]
    if not songs:
        raise DataError(
            f"{out} has none of the songs of {folder}; write it with"
            f" `genrec archive {folder} {out}`."
        )
    files = {song.name: song.path for song in songs}
    answers = answers_to(
        files, out / "teacher", tagger, limits=song_limits(), progress=progress, **description
    )
    answers.save(out / ANSWERS)
    return answers


def answers_to(
    files: Mapping[str, Path],
    shards: Path,
    tagger: Tagger,
    *,
    teacher: str,
    tags: Sequence[str],
    patch_s: float,
    hop_s: float,
    sr: int,
    limits: DecodeLimits | None = None,
    progress: Progress,
) -> TeacherAnswers:
    """Return a tagger's answers to sound files. A file of fewer seconds than a patch has none.

    The tagger gets the samples that an archive's spectrograms are computed from, so the times of
    patches and columns agree.

    Parameters
    ----------
    files
        The file of each excerpt or song, by name.
    shards
        Folder for the answers to each file: a stopped call resumes there. Calls with other limits
        need another folder.
    tagger, teacher, tags, patch_s
        The tagger, its name and licence, the names of its tags, and the length of its patches.
    hop_s
        Seconds between the starts of two patches.
    sr
        Sample rate of the front end in Hz.
    limits
        Of the decoded part of each file, those of its archive; None for a clip's.
    progress
        Called with (done, total).

    Raises
    ------
    DataError
        No file has answers.
    """
    shards.mkdir(parents=True, exist_ok=True)
    found = []
    for number, (name, path) in enumerate(files.items()):
        progress(number, len(files))
        shard = shards / f"{_shard_name(path, teacher, hop_s)}.npz"
        if not shard.exists():
            start_s, probabilities, layer = _run(path, tagger, hop_s, sr, limits)
            with atomic_write(shard) as part, part.open("wb") as file:
                np.savez(file, start_s=start_s, tags=probabilities, layer=layer)
        with np.load(shard) as stored:
            if len(stored["start_s"]):
                found.append((name, stored["start_s"], stored["tags"], stored["layer"]))
    progress(len(files), len(files))
    if not found:
        raise DataError(
            f"None of the {len(files)} files has {patch_s:.0f} s of sound that can be decoded; pass"
            " others."
        )
    names, starts, by_tag, layers = zip(*found, strict=True)
    return TeacherAnswers(
        teacher=teacher,
        tags=tags,
        excerpts=np.repeat(names, [len(each) for each in starts]),
        start_s=np.concatenate(starts),
        patch_s=patch_s,
        probabilities=np.concatenate(by_tag),
        layer=np.concatenate(layers),
    )


def _run(
    path: Path, tagger: Tagger, hop_s: float, sr: int, limits: DecodeLimits | None
) -> tuple[Float, NDArray[np.float16], NDArray[np.float16]]:
    """Return starts, probabilities and layer of a file's patches; none if it is refused."""
    try:
        y = listen(decode(path, sr=sr, limits=limits).y, sr).y
    except InputRefused:
        y = np.zeros(0, dtype=np.float32)
    start_s, tags, layer = tagger(y, sr, hop_s=hop_s)
    return start_s, tags.astype(np.float16), layer.astype(np.float16)


def _shard_name(path: Path, teacher: str, hop_s: float) -> str:
    """Return the name of a file's shard: a hash of file, teacher and hop."""
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{teacher}|{hop_s}"
    return hashlib.sha256(key.encode()).hexdigest()[:24]
