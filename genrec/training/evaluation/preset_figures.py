"""The figures that decide about a preset, collected from its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Rows of `robustness_arrays` whose loss of accuracy is a figure.
CHANGES = ("10 s", "300 to 3,400 Hz", "even noise, -20 dB")


def figures(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the table of figures, those that the report has.

    Parameters
    ----------
    report
        Of :func:`genrec.training.evaluation.evaluate.evaluate`, with ``robustness_arrays``,
        ``albums`` and ``tag_agreement`` where they were measured.

    Returns
    -------
    Rows with ``figure``, a noun phrase; ``value``; ``beside``, what it is compared with, or None;
    and ``tracks``, their number
    """
    tracks, calibration = report["tracks"], report["calibration"]
    nearest = report["neighbours"]
    rows = [_row("accuracy", report["accuracy"], tracks)]
    if twins := report.get("without_twins"):
        rows.append(
            _row("accuracy without tracks that have a twin", twins["accuracy"], twins["tracks"])
        )
    filtered = nearest["precision_at_5_artist_filtered"]
    rows.append(_row("precision at 5, artist-filtered", filtered, tracks))
    if found := report.get("audio"):
        beside = f"{found['accuracy_arrays']:.3f} from their spectrograms"
        rows.append(_row("accuracy from audio files", found["accuracy"], found["tracks"], beside))
    if found := report.get("albums"):
        beside = f"{found['chance']:.3f} by chance"
        name = "neighbours of the own album"
        rows.append(_row(name, found["same_album"], found["tracks"], beside))
    if found := report.get("tag_agreement"):
        beside = f"mean over {len(found['tags'])} shown tags"
        name = "tags: correlation with the teacher's track means"
        rows.append(_row(name, found["correlation"], found["tracks"], beside))
    honest = f"{calibration['ece_if_honest']:.3f} if perfectly calibrated"
    rows.append(_row("expected calibration error", calibration["ece"], tracks, honest))
    for found in report.get("robustness_arrays") or ():
        if found["change"] in CHANGES:
            name, beside = f"accuracy after: {found['change']}", f"{found['difference']:+.3f}"
            rows.append(_row(name, found["accuracy"], found["tracks"], beside))
    return rows


def figures_table(columns: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Return figures as a Markdown table.

    Parameters
    ----------
    columns
        By preset, its rows of :func:`figures`; a figure that a preset lacks is "-".
    """
    names = dict.fromkeys(row["figure"] for rows in columns.values() for row in rows)
    lines = [["figure", *columns], ["---"] * (1 + len(columns))]
    for name in names:
        found = [next((r for r in rows if r["figure"] == name), None) for rows in columns.values()]
        lines.append([name, *(_cell(row) for row in found)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "-"
    beside = f"{row['beside']}, " if row["beside"] else ""
    return f"{row['value']:.3f} ({beside}{row['tracks']} tracks)"


def _row(figure: str, value: float, tracks: int, beside: str | None = None) -> dict[str, Any]:
    return {"figure": figure, "value": value, "beside": beside, "tracks": tracks}
