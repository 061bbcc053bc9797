"""Features of training clips for the music detector, kept in a folder so that a run can resume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from librosa import mel_frequencies
from numpy.typing import NDArray

from genrec.errors import DataError, InputRefused
from genrec.files import atomic_write
from genrec.images import ImageConfig
from genrec.listening import listen
from genrec.music_features import BANDS, music_features
from genrec.spectrogram import SpectrogramConfig, log_mel
from genrec.training.data.augment import Augmentation, augment_window
from genrec.training.data.dataset import (
    Progress,
    check_front_end,
    load_archive,
    no_progress,
    split,
)
from genrec.training.detector.clips import SR, ClipMaker, SoundGroup
from genrec.training.filterbank import mel_basis

Float = NDArray[np.float32]

FRONT_END = SpectrogramConfig()
_AUGMENTATION = replace(Augmentation(), masks=0, pitch=0)
PER_ROUND = 4  # clips of a synthetic group in a round
STRIDE = 10_000  # more than any number of rounds


@dataclass(frozen=True, slots=True, eq=False)
class ClipFeatures:
    """Features of training clips.

    Attributes
    ----------
    X
        float32 (clips, d), as from `music_features`.
    groups
        The name of each clip's group.
    numbers
        int (clips,): the number of the clip in its group.
    music
        bool (clips,): True for music.
    seconds
        float32 (clips,): what is left of the clip without its pauses.
    """

    X: Float
    groups: NDArray[np.str_]
    numbers: NDArray[np.int64]
    music: NDArray[np.bool_]
    seconds: Float


def clip_features(
    groups: Sequence[SoundGroup],
    maker: ClipMaker,
    clips: int,
    folder: Path,
    *,
    progress: Progress = no_progress,
) -> ClipFeatures:
    """Return the features of ``clips`` random clips of each group.

    Parameters
    ----------
    groups
        All groups. A synthetic group gives four times as many clips.
    maker
        Draws the clips.
    clips
        Clips per group.
    folder
        Folder for the features of finished rounds, one clip per group each; a later run with the
        same groups goes on from there.
    progress
        Called with (done, total) in rounds.

    Raises
    ------
    DataError
        A group has no usable clip, or the folder is of other groups.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(g, i) for g in groups for i in range(1 if g.files else PER_ROUND)]
    rows: list[dict[str, NDArray[Any]]] = []
    for number in range(clips):
        path = folder / f"round-{number:03d}.npz"
        if not path.exists():
            found = _round(wanted, maker, number)
            with atomic_write(path) as part:
                np.savez(part, allow_pickle=False, **found)
        with np.load(path) as archive:
            rows.append({key: archive[key] for key in archive.files})
        if not set(rows[-1]["groups"].tolist()) <= {g.name for g in groups}:
            raise DataError(f"{path} is of other groups of sounds; pass another --cache folder.")
        progress(number + 1, clips)
    return ClipFeatures(**{key: np.concatenate([row[key] for row in rows]) for key in rows[0]})


def _round(
    wanted: Sequence[tuple[SoundGroup, int]], maker: ClipMaker, number: int
) -> dict[str, NDArray[Any]]:
    """Return the features of the clips of one round."""
    rng = np.random.default_rng((23, number))
    X, seconds, drawn = [], [], []
    for group, i in wanted:
        try:
            S_db = clip_spectrogram(maker.clip(group, number + STRIDE * i), rng)
        except InputRefused:  # a click, or silence after a change
            continue
        X.append(music_features(S_db))
        seconds.append(S_db.shape[1] * FRONT_END.column_s)
        drawn.append((group, number + STRIDE * i))
    return {
        "X": np.stack(X),
        "groups": np.array([group.name for group, _ in drawn]),
        "numbers": np.array([each for _, each in drawn]),
        "music": np.array([group.music for group, _ in drawn]),
        "seconds": np.array(seconds, dtype=np.float32),
    }


def clip_spectrogram(y: Float, rng: np.random.Generator) -> Float:
    """Return the log-mel spectrogram (128, columns) of the sounding parts of samples (n,).

    The columns begin anywhere within a hop.

    Raises
    ------
    InputRefused
        Too little of the clip sounds.
    """
    first = int(rng.integers(FRONT_END.hop_length))
    return log_mel(listen(y, SR).y, FRONT_END, _basis(), first=first)


@cache
def _basis() -> Float:
    return mel_basis(FRONT_END)


def archive_features(folder: Path) -> ClipFeatures:
    """Return features of random parts of an archive's music, less the test parts of its splits.

    Half of the parts are changed as in the training of the networks: band limits, noise, coding.

    Parameters
    ----------
    folder
        A folder with logmel.npz.

    Raises
    ------
    DataError
        The archive is missing or damaged, or has other mel bands.
    """
    dataset = load_archive(folder)
    check_front_end(dataset, FRONT_END, ImageConfig())
    tests = [split(dataset, folder, name)["test"].tolist() for name in ("paper", "filtered")]
    chosen = sorted(set(range(len(dataset))) - set(tests[0]) - set(tests[1]))
    rng = np.random.default_rng(29)
    band_hz = mel_frequencies(BANDS, fmin=FRONT_END.fmin, fmax=FRONT_END.fmax)
    X, seconds = [], []
    for index in chosen:
        S_db = dataset.spectrogram(index)
        most = S_db.shape[1]
        columns = int(np.exp(rng.uniform(np.log(min(20, most)), np.log(most + 1))))
        start = int(rng.integers(0, most - columns + 1))
        S_db = S_db[:, start : start + columns]
        S_db = S_db - S_db.max()
        if rng.random() < 0.5:
            S_db = augment_window(S_db, band_hz, FRONT_END.top_db, _AUGMENTATION, rng)
        X.append(music_features(np.maximum(S_db, -FRONT_END.top_db)))
        seconds.append(columns * FRONT_END.column_s)
    return ClipFeatures(
        X=np.stack(X),
        groups=np.array([f"gtzan-{dataset.genres[i]}" for i in chosen]),
        numbers=np.array(chosen),
        music=np.ones(len(chosen), dtype=np.bool_),
        seconds=np.array(seconds, dtype=np.float32),
    )


def joined_features(parts: Sequence[ClipFeatures]) -> ClipFeatures:
    """Return the clips of all parts, in order."""
    names = [field.name for field in fields(ClipFeatures)]
    return ClipFeatures(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})
