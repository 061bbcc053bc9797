"""Wrong answers of a preset's music detector, measured on audio files from end to end.

genrec evaluate --preset models/resnet50 --data DIR --music DIR --other DIR
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.audio.kinds import SOUND_SUFFIXES
from genrec.errors import DataError, InputRefused
from genrec.pipeline import PresetAnalyzer
from genrec.training.data.dataset import Progress, no_progress


def music_detection(
    analyzer: PresetAnalyzer,
    music: Sequence[Path],
    other: Sequence[Path],
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Return how many files of each group are said to contain no music.

    Parameters
    ----------
    analyzer
        The preset, with or without a music detector.
    music, other
        Folders with audio files that contain music, and folders with files that contain none. Each
        folder directly inside one of them is a group of its own.
    progress
        Called with (done, total) after each file.

    Returns
    -------
    One row per group: ``group``, the folder's name; ``contains``, ``music`` or ``other``;
    ``files``; ``refused``, the number of files that cannot be analysed; ``no_music``, the number of
    the others that are said to contain no music; and ``wrong``, the share of wrong answers, which
    is null if all are refused

    Raises
    ------
    DataError
        A folder has no audio file.
    """
    groups = [
        (contains, name, files)
        for contains, folders in (("music", music), ("other", other))
        for folder in folders
        for name, files in _groups(folder).items()
    ]
    total, done, rows = sum(len(files) for _, _, files in groups), 0, []
    for contains, name, files in groups:
        answers: list[bool | None] = []
        for path in files:
            answers.append(_is_music(analyzer, path))
            done += 1
            progress(done, total)
        heard = [answer for answer in answers if answer is not None]
        wrong = [answer != (contains == "music") for answer in heard]
        rows.append(
            {
                "group": name,
                "contains": contains,
                "files": len(files),
                "refused": len(files) - len(heard),
                "no_music": heard.count(False),
                "wrong": sum(wrong) / len(wrong) if wrong else None,
            }
        )
    return rows


def _groups(folder: Path) -> dict[str, list[Path]]:
    """Return the audio files of a folder by the name of the folder directly inside it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.casefold() in SOUND_SUFFIXES and path.is_file():
            first, *rest = path.relative_to(folder).parts
            found[f"{folder.name}/{first}" if rest else folder.name].append(path)
    if not found:
        raise DataError(
            f"{folder} has no audio file; name a folder with files such as WAV, FLAC or MP3."
        )
    return dict(found)


def _is_music(analyzer: PresetAnalyzer, path: Path) -> bool | None:
    """Return whether a file is said to contain music; None if it is refused."""
    try:
        analysis = analyzer.analyze(path)
    except InputRefused:
        return None
    return analysis.music >= analyzer.preset.calibration.music_below
