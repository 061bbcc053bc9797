"""Tests of the plot of search times, from pytest-benchmark's JSON."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.plot import draw, times


def timed(way: str, tracks: str, seconds: float) -> dict[str, object]:
    return {
        "name": f"test_search[{way}-{tracks.replace(',', '')}-64]",
        "group": f"7 search, {tracks} tracks of 64 dimensions",
        "stats": {"median": seconds},
    }


def test_plot_groups_searches_by_way_and_size(tmp_path: Path) -> None:
    others = [
        {"name": "test_decode[mp3]", "group": "1 decode", "stats": {"median": 1.0}},
        {"name": "test_anything", "group": None, "stats": {"median": 1.0}},
        timed("genrec_one_genre", "1,000", 0.5),
    ]
    found = times(
        [
            *others,
            timed("genrec", "1,000", 0.001),
            timed("genrec", "1,000,000", 0.2),
            timed("plain_numpy", "1,000", 0.002),
        ]
    )
    assert found == {64: {"genrec": {1000: 1.0, 1_000_000: 200.0}, "plain_numpy": {1000: 2.0}}}
    draw(found, tmp_path / "search.png")
    assert (tmp_path / "search.png").read_bytes().startswith(b"\x89PNG")
