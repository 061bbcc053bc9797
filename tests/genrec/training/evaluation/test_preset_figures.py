"""Table of the figures that decide about a preset."""

from __future__ import annotations

from typing import Any

from genrec.training.evaluation.preset_figures import figures, figures_table

REPORT: dict[str, Any] = {
    "accuracy": 0.844,
    "tracks": 90,
    "calibration": {"ece": 0.046, "ece_if_honest": 0.06},
    "neighbours": {"precision_at_5_artist_filtered": 0.818},
}
MEASURED: dict[str, Any] = {
    "without_twins": {"accuracy": 0.827, "tracks": 81},
    "audio": {"accuracy": 0.9, "accuracy_arrays": 0.8, "tracks": 10},
    "albums": {"same_album": 0.552, "chance": 0.188, "tracks": 162},
    "robustness_arrays": [
        {"change": "none", "accuracy": 0.844, "difference": 0.0, "tracks": 90},
        {"change": "10 s", "accuracy": 0.811, "difference": -0.033, "tracks": 90},
    ],
}


def test_figures_are_those_that_were_measured() -> None:
    assert [row["value"] for row in figures(REPORT)] == [0.844, 0.818, 0.046]
    rows = {row["figure"]: row for row in figures(REPORT | MEASURED)}
    assert len(rows) == 7
    assert rows["accuracy without tracks that have a twin"]["tracks"] == 81
    assert rows["accuracy after: 10 s"]["beside"] == "-0.033"
    assert "accuracy after: none" not in rows


def test_table_has_a_column_for_each_preset() -> None:
    table = figures_table({"one": figures(REPORT | MEASURED), "two": figures(REPORT)})
    lines = table.splitlines()
    assert lines[0] == "| figure | one | two |"
    assert "| neighbours of the own album | 0.552 (0.188 by chance, 162 tracks) | - |" in lines
    assert {line.count("|") for line in lines} == {4}
