"""Filters by tempo and key, and the texts that name them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec.description_codec import description_row
from genrec.errors import KeyUnclear
from genrec.music_filter import (
    COMPATIBLE,
    MusicFilter,
    MusicWish,
    compatible_keys,
    parse_key,
    parse_tempo,
    read_tempo,
)
from genrec.musical_key import key_name
from genrec.types import MusicDescription

SURE = MusicDescription(
    bpm=122.0,
    bpm_confidence=0.9,
    key=21,
    key_confidence=0.9,
    loudness_lufs=-14.5,
    dynamics_lu=6.0,
    brightness_hz=1850.0,
    bass=0.25,
    onsets_per_s=3.5,
)


def rows(*descriptions: MusicDescription | None) -> np.ndarray:
    absent = [float("nan")] * 9
    return np.array(
        [absent if one is None else description_row(one) for one in descriptions], np.float32
    )


def test_tempo_filter_keeps_confident_tempi_of_its_range() -> None:
    tracks = rows(
        SURE, replace(SURE, bpm=117.9), replace(SURE, bpm=126), replace(SURE, bpm_confidence=0.6),
        None,
    )  # fmt: skip
    assert MusicFilter(tempo=(118, 126)).mask(tracks).tolist() == [True, False, True, False, False]


def test_key_filter_keeps_confident_keys() -> None:
    tracks = rows(SURE, replace(SURE, key=0), replace(SURE, key_confidence=0.5), None)
    wanted = MusicFilter(keys=frozenset({21, 5})).mask(tracks)
    assert wanted.tolist() == [True, False, False, False]
    assert MusicFilter().mask(tracks).all()


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("118-126", 118, 126), ("118 \u2013 126 BPM", 118, 126), ("126..118", 118, 126),
        ("90 to 95", 90, 95), ("120", 115.2, 124.8), ("20", 20, 20.8),
        ("400", 384, 400), ("99,5-101.5", 99.5, 101.5),
    ],
)  # fmt: skip
def test_tempo_texts(text: str, low: float, high: float) -> None:
    assert parse_tempo(text) == pytest.approx((low, high))


@pytest.mark.parametrize(
    "text", ["", "fast", "5", "401", "1000", "0-900", "19-30", "-120", "118-", "1e3", "120-130-140"]
)
def test_other_tempo_texts_name_none(text: str) -> None:
    assert parse_tempo(text) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A minor", "A minor"), ("am", "A minor"), ("C", "C major"), ("C# major", "Db major"),
        ("Ab minor", "G# minor"),
        ("f\u266fm", "F# minor"), ("Bbmin", "Bb minor"), ("8A", "A minor"), ("8b", "C major"),
        ("9B", "G major"), ("7A", "D minor"), ("12a", "C# minor"), ("CM", "C major"),
        ("  e   MAJOR ", "E major"), ("B", "B major"), ("Cb", "B major"),
    ],
)  # fmt: skip
def test_key_texts(text: str, name: str) -> None:
    found = parse_key(text)
    assert isinstance(found, int)
    assert key_name(found) == name


@pytest.mark.parametrize("text", ["", "H", "A mixolydian", "13A", "0B", "minor"])
def test_other_key_texts_name_none(text: str) -> None:
    assert parse_key(text) is None


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("A minor", {"A minor", "C major", "E minor", "D minor"}),
        ("C major", {"C major", "A minor", "G major", "F major"}),
        ("8A", {"8A", "8B", "7A", "9A"}),
    ],
)
def test_compatible_keys_are_neighbours_on_the_circle_of_fifths(key: str, names: set[str]) -> None:
    found = parse_key(key)
    assert isinstance(found, int)
    assert compatible_keys(found) == {parse_key(name) for name in names}


def test_each_key_is_compatible_with_its_compatible_keys() -> None:
    assert all(key in compatible_keys(other) for key in range(24) for other in compatible_keys(key))


def test_wish_becomes_the_filter_of_a_clip() -> None:
    wish = MusicWish(tempo=(118, 126), key=COMPATIBLE)
    expected = MusicFilter(tempo=(118, 126), keys=compatible_keys(21))
    assert wish.of_clip(SURE) == expected
    assert MusicWish(key=3).of_clip(None) == MusicFilter(keys=frozenset({3}))
    assert MusicWish().of_clip(None) == MusicFilter()


@pytest.mark.parametrize("clip", [None, replace(SURE, key_confidence=0.2)])
def test_compatible_keys_of_an_unclear_key_are_refused(clip: MusicDescription | None) -> None:
    with pytest.raises(KeyUnclear, match="Name a key"):
        MusicWish(key=COMPATIBLE).of_clip(clip)


@pytest.mark.parametrize(
    ("text", "found"), [("5", (5, 5)), ("1000", (1000, 1000)), ("900-0", (0, 900)), ("fast", None)]
)
def test_tempo_out_of_bounds_is_read(text: str, found: tuple[float, float] | None) -> None:
    assert read_tempo(text) == found
