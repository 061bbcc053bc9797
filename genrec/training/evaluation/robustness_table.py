"""Tables of robustness and music detection in Markdown, for the README and the model cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]

SHOWN = (
    "MP3 64 kbit/s",
    "MP3 without Info frame",
    "fragmented AAC",
    "Opus 96 kbit/s",
    "16 kHz",
    "telephone",
    "noise at 20 dB",
    "room noise",
    "inverted stereo WAV",
    "inverted stereo AAC",
    "begun 10 ms later",
    "begun 50 ms later",
    "begun 100 ms later",
    "offset 0.1",
    "12 Hz rumble",
    "50 Hz hum",
    "2 % faster",
    "6 % slower",
    "5 s",
    "10 s with 20 s of silence after",
    "10 s with 20 s of silence inside",
    "10 s with 20 s of room noise before",
)
"""Changes of the short table, in order. `genrec evaluate --robustness` prints all."""


def robustness_table(rows_by_preset: Mapping[str, Rows]) -> str:
    """Return the short table in Markdown.

    Parameters
    ----------
    rows_by_preset
        By name of the preset, the rows of :func:`genrec.training.evaluation.robustness.robustness`.

    Returns
    -------
    One row for each change of `SHOWN` that every preset has, with the number of clips that keep
    their genre, and that keep four of five tracks
    """
    presets = {name: {row["change"]: row for row in rows} for name, rows in rows_by_preset.items()}
    shown = [each for each in SHOWN if all(each in rows for rows in presets.values())]
    columns = [f"{name}: {figure}" for name in presets for figure in ("genre", "4 of 5 tracks")]
    lines = [
        f"| change | compared with | {' | '.join(columns)} |",
        f"|---|---|{'---|' * len(columns)}",
    ]
    for change in shown:
        cells = [cell for rows in presets.values() for cell in _cells(rows[change])]
        reference = next(iter(presets.values()))[change]["reference"]
        compared = "the unchanged clip" if reference == "none" else f"the {reference} alone"
        lines.append(f"| {change} | {compared} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def music_detection_table(rows: Rows) -> str:
    """Return the table of music detection in Markdown.

    Parameters
    ----------
    rows
        From :func:`genrec.training.evaluation.music_detection.music_detection`.
    """
    lines = ["| group | contains | no music | refused |", "|---|---|---|---|"]
    lines += [
        f"| {row['group']} | {row['contains']} | {row['no_music']} of"
        f" {row['files'] - row['refused']} | {row['refused']} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Return "28 of 30" for the clips that keep their genre, and for those that keep tracks."""
    return [
        "-" if row[key] is None else f"{round(row[key] * row['clips'])} of {row['clips']}"
        for key in ("genre_kept", "four_of_five")
    ]
