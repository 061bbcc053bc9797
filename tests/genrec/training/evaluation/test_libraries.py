"""Evaluation of libraries made from a data set: their size, and genres of their own."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from genrec.training.data.dataset import Dataset, Parts
from genrec.training.evaluation.evaluate import EmbeddedPredictions
from genrec.training.evaluation.library_size import library_size
from genrec.training.evaluation.made_up_genres import made_up_genres
from tests.genrec.training.small import blank_data
from tests.repository import ROOT

GENRES = tuple(f"g{n}" for n in range(10))
D = 24
ARTISTS = 200
FIELDS = tuple(field.name for field in fields(Dataset))


def archive(*, apart: float, seed: int = 0) -> tuple[Dataset, Parts, EmbeddedPredictions]:
    """Make 10 genres of 20 artists with 14 tracks; ``apart`` is how far genres and artists are."""
    rng = np.random.default_rng(seed)
    artists = np.repeat(np.arange(ARTISTS), 14)
    genres = artists // (ARTISTS // 10)
    x = rng.standard_normal((len(artists), D)) / np.sqrt(D)
    x += apart * rng.standard_normal((10, D))[genres] / np.sqrt(D)
    x += apart / 2 * rng.standard_normal((ARTISTS, D))[artists] / np.sqrt(D)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    data = blank_data([GENRES[g] for g in genres], artists=[f"a{a}" for a in artists])
    part = rng.random(len(artists))
    parts = {
        "train": np.flatnonzero(part < 0.8),
        "valid": np.flatnonzero((part >= 0.8) & (part < 0.9)),
        "test": np.flatnonzero(part >= 0.9),
    }
    nothing = np.zeros((len(x), 1), np.float32)
    return data, parts, EmbeddedPredictions(
        np.arange(len(x)), nothing, nothing, x.astype(np.float32)
    )  # fmt: skip


def test_larger_libraries_have_five_tracks_more_often() -> None:
    rows = library_size(*archive(apart=2.0), floor=0.3)
    whole = [row for row in rows if row["genres"] == 10]
    assert [row["tracks"] for row in whole] == [25, 50, 100, 150, 200, 400]
    shares = [row["five"] for row in whole]
    assert shares == sorted(shares)
    assert whole[0]["five"] < whole[-1]["five"]
    assert all(row["artists"] <= min(row["tracks"], ARTISTS) for row in rows)
    assert all(0 <= row["precision"] <= 1 for row in rows)


def test_tracks_of_the_clips_artist_and_more_of_one_artist_do_not_count() -> None:
    data, parts, tracks = archive(apart=30.0)
    one = Dataset(**{f: getattr(data, f) for f in FIELDS} | {"artist_keys": ["a"] * len(data)})
    assert all(row["none"] == 1 for row in library_size(one, parts, tracks, floor=-1.0))
    five = [f"a{n % 5}" for n in range(len(data))]
    few = Dataset(**{f: getattr(data, f) for f in FIELDS} | {"artist_keys": five})
    rows = library_size(few, parts, tracks, floor=-1.0)
    assert all(row["five"] == 0 and row["none"] == 0 for row in rows)


@pytest.fixture(scope="module")
def told_apart() -> dict[str, list[dict[str, float]]]:
    return made_up_genres(*archive(apart=4.0))


def test_genres_that_are_far_apart_are_used_and_right(told_apart: dict) -> None:
    rows = {(row["kind"], row["tracks"], row["part"]): row for row in told_apart["rows"]}
    assert rows["tags", 5, "unseen"]["accuracy"] > 0.95
    assert rows["artists", 5, "all"]["used"] == 1
    assert rows["tags", 5, "all"]["right"] > 0.9
    assert rows["tags", 5, "all"]["ece"] < 0.1


def test_tags_by_chance_are_refused_and_have_no_accuracy(told_apart: dict) -> None:
    chance = [row for row in told_apart["rows"] if row["kind"] == "chance"]
    assert all(row["used"] < 0.15 for row in chance)
    assert all(row["accuracy"] is None for row in chance)


def test_all_methods_are_compared(told_apart: dict) -> None:
    assert len(told_apart["methods"]) == 6
    for row in told_apart["methods"]:
        pairs = [value for value in row.values() if isinstance(value, list)]
        assert len(pairs) == 4
        assert all(0.5 < share <= 1 for pair in pairs for share in pair)


def test_genres_that_are_noise_are_refused() -> None:
    rows = made_up_genres(*archive(apart=0.0))["rows"]
    assert all(row["used"] < 0.2 for row in rows)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tables_of_the_documentation_are_those_of_the_command(shared: Path) -> None:
    from typer.testing import CliRunner

    from bot.cli.main import app

    preset, data = str(ROOT / "models" / "resnet50"), str(shared / "gtzan")
    printed = CliRunner().invoke(app, ["evaluate-library", "--preset", preset, "--data", data])
    tables = printed.output.strip().split("\n\n")[-3:]
    for table, page, mark in zip(
        tables,
        ("library", "own-genres", "own-genres"),
        ("sizes", "made-up", "methods"),
        strict=True,
    ):
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        shown = text.partition(f"<!-- {mark} -->\n")[2].partition(f"\n<!-- /{mark} -->")[0]
        assert _close(table, shown), table


def _close(table: str, shown: str) -> bool:
    """Return whether two tables agree but for the last digits, which depend on the processor."""
    one, other = (
        [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
        for text in (table, shown)
    )
    return len(one) == len(other) and all(
        a == b or abs(_number(a) - _number(b)) <= 2.0 * ("%" in a) + 0.02
        for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )


def _number(cell: str) -> float:
    return float(cell.partition(" ")[0])
