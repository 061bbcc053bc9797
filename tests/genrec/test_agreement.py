"""Reasons for tracks: true, unusual in the catalogue, and different where they can be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genrec.agreement import (
    KINDS,
    MIN_TRACKS,
    MOST_TRACKS,
    NEAR,
    CatalogueStatistics,
    Described,
    agreements,
    choose_reasons,
)
from genrec.description_codec import FIELDS, description_row
from genrec.types import Agreement, MusicDescription

PLAIN = MusicDescription(
    bpm=120.0,
    bpm_confidence=0.9,
    key=21,
    key_confidence=0.9,
    loudness_lufs=-14.0,
    dynamics_lu=6.0,
    brightness_hz=1500.0,
    bass=0.3,
    onsets_per_s=2.5,
)


def catalogue(count: int = 200) -> CatalogueStatistics:
    """Return tracks whose numbers are spread evenly around those of `PLAIN`."""
    rng = np.random.default_rng(0)
    rows = np.tile(np.array(description_row(PLAIN), np.float32), (count, 1))
    rows[:, 0] = rng.uniform(60, 180, count)
    rows[:, 2] = rng.integers(0, 24, count)
    rows[:, 4:] *= rng.uniform(0.5, 1.5, (count, 5)).astype(np.float32)
    return CatalogueStatistics.of(rows, {"rock": 0.5, "jazz": 0.5})


STATISTICS = catalogue()


def kinds(clip: MusicDescription | None, track: MusicDescription | None) -> set[str]:
    """Return the kinds of agreements but for near values."""
    found = agreements(Described(clip), Described(track), STATISTICS)
    return {each.kind for each in found} - {kind for kind, _ in NEAR.values()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"tempo", "key"}),
        ({"bpm": 124.0}, {"tempo", "key"}),
        ({"bpm": 126.0}, {"key"}),
        ({"key": 0}, {"tempo", "compatible_key"}),
        ({"key": 1}, {"tempo"}),
        ({"bpm_confidence": 0.5}, {"key"}),
        ({"key_confidence": 0.5}, {"tempo"}),
    ],
)
def test_tempo_and_key_agree_only_where_both_are_confident(
    changes: dict[str, float], expected: set[str]
) -> None:
    assert kinds(PLAIN, replace(PLAIN, **changes)) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "high", "low"),
    [
        ("brightness_hz", "bright", "dark"), ("bass", "bass", "little_bass"),
        ("onsets_per_s", "busy", "sparse"), ("dynamics_lu", "dynamic", "even"),
    ],
)  # fmt: skip
def test_both_must_be_in_the_same_quarter(field: str, high: str, low: str) -> None:
    value = getattr(PLAIN, field)
    much, little = replace(PLAIN, **{field: 1.45 * value}), replace(PLAIN, **{field: 0.55 * value})
    assert high in kinds(much, much)
    assert low in kinds(little, little)
    assert not {high, low} & (kinds(much, little) | kinds(much, PLAIN) | kinds(PLAIN, PLAIN))


@pytest.mark.parametrize(
    ("field", "near", "far"),
    [
        ("brightness_hz", 1730.0, 1750.0), ("bass", 0.345, 0.39), ("onsets_per_s", 2.85, 2.95),
        ("dynamics_lu", 6.8, 7.5), ("loudness_lufs", -12.1, -11.9),
    ],
)  # fmt: skip
def test_near_values_agree_within_a_bound(field: str, near: float, far: float) -> None:
    kind = NEAR[field][0]
    clip = Described(PLAIN)
    found = {
        value: {
            each.kind: each.rarity
            for each in agreements(clip, Described(replace(PLAIN, **{field: value})), STATISTICS)
        }
        for value in (near, far)
    }
    assert 0 < found[near][kind] < 0.5
    assert kind not in found[far]


def test_values_two_bounds_apart_are_near_only_where_few_tracks_are_nearer() -> None:
    track = Described(replace(PLAIN, loudness_lufs=-12.5))
    alike = STATISTICS.descriptions.copy()
    alike[: 2 * len(alike) // 3, FIELDS.index("loudness_lufs")] = -14.0
    common = CatalogueStatistics.of(alike)
    close = Described(replace(PLAIN, loudness_lufs=-13.5))
    for other, statistics, expected in (
        (track, STATISTICS, True), (track, common, False), (close, common, True)
    ):  # fmt: skip
        found = {each.kind for each in agreements(Described(PLAIN), other, statistics)}
        assert ("near_loudness" in found) == expected


def test_loudness_agrees_at_both_ends() -> None:
    loud, quiet = replace(PLAIN, loudness_lufs=-7.5), replace(PLAIN, loudness_lufs=-20.5)
    assert "loud" in kinds(loud, loud)
    assert "quiet" in kinds(quiet, quiet)


def test_nothing_is_claimed_without_a_measurement() -> None:
    assert kinds(None, PLAIN) == kinds(PLAIN, None) == set()
    other = Described(PLAIN, genre="")
    assert "genre" not in {each.kind for each in agreements(other, other, STATISTICS)}


def test_a_small_catalogue_calls_nothing_bright() -> None:
    few = catalogue(MIN_TRACKS - 2)
    bright = Described(replace(PLAIN, brightness_hz=9000.0))
    assert {each.kind for each in agreements(bright, bright, few)} == {"tempo", "key"}


def test_rarity_is_the_share_of_the_catalogue() -> None:
    clip = Described(PLAIN, genre="rock")
    found = {each.kind: each for each in agreements(clip, clip, STATISTICS)}
    assert found["genre"] == Agreement("genre", 0.5, "rock")
    assert found["tempo"].rarity == pytest.approx(0.08, abs=0.03)
    assert found["tempo"].value == 120.0
    assert found["key"].rarity == pytest.approx(1 / 24, abs=0.03)


def test_five_tracks_get_different_reasons() -> None:
    clip = Described(replace(PLAIN, brightness_hz=2200.0, bass=0.44), genre="rock")
    tracks = [
        Described(replace(clip.description, key=3), "rock"),  # tempo, bright, bass
        Described(replace(clip.description, bpm=90.0), "rock"),  # key, bright, bass
        Described(replace(clip.description, bpm=90.0, key=3, bass=0.3), "rock"),  # bright
        Described(replace(clip.description, bpm=90.0, key=3, brightness_hz=1500.0), "rock"),  # bass
        Described(replace(clip.description, bpm=121.0, key=0), "rock"),  # tempo, key fits
    ]  # fmt: skip
    reasons = choose_reasons([agreements(clip, track, STATISTICS) for track in tracks])
    assert len({tuple(each.kind for each in of_track) for of_track in reasons}) == 5
    assert all(reasons)


def test_what_all_tracks_share_comes_after_what_one_has() -> None:
    shared, own = Agreement("genre", 0.10, "rock"), Agreement("key", 0.2, 3)
    reasons = choose_reasons([[shared, own], [shared], [shared], [shared], [shared]])
    assert reasons[0][0] == own
    assert reasons[1] == (shared,)


def test_tracks_with_the_same_agreements_get_different_combinations() -> None:
    all_have = [Agreement(kind, 0.2) for kind in ("near_bass", "near_loudness", "sparse")]
    reasons = choose_reasons([all_have] * 5)
    assert all(reasons)
    assert len({frozenset(each.kind for each in of_track) for of_track in reasons}) == 5


def test_what_nearly_all_tracks_have_is_said_only_for_want_of_better() -> None:
    common, rare = Agreement("genre", 0.97, "rock"), Agreement("tempo", 0.05, 120.0)
    assert choose_reasons([[rare, common], [common], []]) == [(rare,), (common,), ()]


def test_a_large_catalogue_is_sampled() -> None:
    rows = np.tile(np.array(description_row(PLAIN), np.float32), (3 * MOST_TRACKS, 1))
    rows[::2] = np.nan
    assert MOST_TRACKS / 2 <= len(CatalogueStatistics.of(rows).descriptions) <= MOST_TRACKS


def test_every_kind_is_listed_once() -> None:
    assert len(set(KINDS)) == len(KINDS)


def test_quantiles_are_computed_once_for_all_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    quantile = np.quantile

    def count(*args: Any, **how: Any) -> Any:
        calls.append(args)
        return quantile(*args, **how)

    monkeypatch.setattr(np, "quantile", count)
    statistics = catalogue()
    for _ in range(10):
        agreements(Described(PLAIN), Described(PLAIN), statistics)
    assert len(calls) == 1
