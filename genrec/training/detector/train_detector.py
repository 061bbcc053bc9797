"""Train the music detector from folders of sounds: draw clips, judge held out, fit, write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.errors import DataError
from genrec.files import atomic_write
from genrec.training.data.dataset import Progress, no_progress
from genrec.training.detector.clips import ClipMaker, find_groups, synthetic_groups
from genrec.training.detector.detector_data import archive_features, clip_features, joined_features
from genrec.training.detector.fit import choose_bias, fit_detector, held_out_log_odds, report


def train(
    music: Sequence[Path],
    other: Sequence[Path],
    out: Path,
    *,
    archive: Path | None,
    clips: int,
    soundfont: Path,
    cache: Path,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Train the detector, write it and its report, and return the report.

    Parameters
    ----------
    music, other
        Folders with a folder of sound files per group. A group's name is ``KIND-KEY+REST``; groups
        of one key stay on one side of a split.
    out
        The detector, NAME.npz. The report is NAME.json beside it.
    archive
        A folder with logmel.npz: more music, less the test parts of its splits. None for none.
    clips
        Random clips per group.
    soundfont
        A General MIDI soundfont for the synthetic groups.
    cache
        Folder for the features of clips; a stopped run goes on from there.
    progress
        Called with (done, total).

    Raises
    ------
    DataError
        A kind of sound is missing, or a group has no usable clip.
    """
    recorded = find_groups(music, music=True) + find_groups(other, music=False)
    kinds = {group.kind for group in recorded}
    if not any(group.music for group in recorded) or "speech" not in kinds:
        raise DataError(
            f"The folders hold {len(recorded)} groups of the kinds {sorted(kinds)}; training needs"
            " music, and a kind speech among the other sounds. See docs/music-detector.md."
        )
    groups = recorded + synthetic_groups()
    maker = ClipMaker(recorded, soundfont)
    parts = [clip_features(groups, maker, clips, cache, progress=progress)]
    if archive is not None:
        parts.append(archive_features(archive))
    data = joined_features(parts)
    log_odds = held_out_log_odds(data)
    bias = choose_bias(data, log_odds)
    detector = fit_detector(data.X, data.music, bias=bias)
    found = report(data, log_odds, bias)
    with atomic_write(out) as part:
        np.savez_compressed(part, allow_pickle=False, **detector.arrays())
    with atomic_write(out.with_suffix(".json")) as part:
        text = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
        part.write_text(text, encoding="utf-8")
    return found
