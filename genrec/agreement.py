"""Agreements of a clip with recommended tracks, and how unusual they are in a catalogue.

Only what was measured counts. An agreement that few tracks of the catalogue have with the clip says
more than one that most have, and one that all recommended tracks share says less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genrec.description_codec import FIELDS
from genrec.music_filter import MusicFilter, compatible_keys
from genrec.types import Agreement, MusicDescription

Float = NDArray[np.float32]

GENRE, TEMPO, KEY, MIXES = "genre", "tempo", "key", "compatible_key"
# Kinds of a field: both in the highest quarter of the catalogue, or both in the lowest.
RANGES = {
    "brightness_hz": ("bright", "dark"),
    "bass": ("bass", "little_bass"),
    "onsets_per_s": ("busy", "sparse"),
    "dynamics_lu": ("dynamic", "even"),
    "loudness_lufs": ("loud", "quiet"),
}
# Kinds of a field whose values are near, and how near: in units of the field, or as a share of it.
NEAR = {
    "brightness_hz": ("near_brightness", 0.08),
    "bass": ("near_bass", 0.04),
    "onsets_per_s": ("near_density", 0.2),
    "dynamics_lu": ("near_dynamics", 0.7),
    "loudness_lufs": ("near_loudness", 1.0),
}
KINDS = (
    *(GENRE, TEMPO, KEY, MIXES),
    *(kind for pair in RANGES.values() for kind in pair),
    *(kind for kind, _ in NEAR.values()),
)
SAME_TEMPO = 0.04
REASONS = 2  # of each track
MIN_TRACKS = 20  # described ones of a catalogue, to call something bright or loud
MOST_TRACKS = 4_096  # that are compared with
_HIGH, _LOW = 0.75, 0.25
# Shares of GTZAN's tracks, which count as so many tracks.
_PRIOR, _PRIOR_TRACKS = {TEMPO: 0.06, KEY: 0.03, MIXES: 0.12}, 10
_USED_AGAIN = 0.7  # subtracted from the score of a kind for each track that names it already
_WIDER, _NEAREST = 2.0, 0.35  # so many bounds apart is near too, among that share of the catalogue
_COMMON = 0.9  # an agreement of a larger share of the catalogue is no reason


@dataclass(frozen=True, slots=True)
class Described:
    """Music description and genre of a clip or track; ``genre`` is "" if unknown or unsure."""

    description: MusicDescription | None = None
    genre: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class CatalogueStatistics:
    """Distribution of descriptions and genres in a catalogue.

    Attributes
    ----------
    descriptions
        float32 (n, fields of `genrec.description_codec`), the described tracks.
    genres
        Share of the tracks that have each genre.
    quartiles
        Lower and upper quartile of each field of `RANGES`; empty for less than `MIN_TRACKS`.
    """

    descriptions: Float
    genres: Mapping[str, float] = field(default_factory=dict)
    quartiles: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, descriptions: Float, genres: Mapping[str, float] | None = None
    ) -> CatalogueStatistics:
        """Return the statistics of tracks, with NaN for a track without a description.

        At most `MOST_TRACKS` descriptions are kept, at equal distances.
        """
        described = np.flatnonzero(np.isfinite(descriptions).all(axis=1))
        step = max(1, -(-len(described) // MOST_TRACKS))
        kept = descriptions[described[::step]]
        if len(kept) < MIN_TRACKS:
            return cls(kept, genres or {})
        columns = [FIELDS.index(name) for name in RANGES]
        low, high = np.quantile(kept[:, columns], [_LOW, _HIGH], axis=0).tolist()
        quartiles = dict(zip(RANGES, zip(low, high, strict=True), strict=True))
        return cls(kept, genres or {}, quartiles)


def agreements(
    clip: Described, track: Described, statistics: CatalogueStatistics
) -> tuple[Agreement, ...]:
    """Return what a clip and a track have in common, the most unusual first."""
    found = []
    if clip.genre and clip.genre == track.genre:
        found.append(Agreement(GENRE, statistics.genres.get(clip.genre, 1.0), clip.genre))
    if clip.description is not None and track.description is not None:
        found += _of_tempo_and_key(clip.description, track.description, statistics)
        found += _of_ranges(clip.description, track.description, statistics)
    return tuple(sorted(found, key=lambda each: (each.rarity, KINDS.index(each.kind))))


def common_agreements(
    seeds: Sequence[Described], track: Described, statistics: CatalogueStatistics
) -> tuple[Agreement, ...]:
    """Return what a track has in common with every seed, the most unusual first.

    Of the seeds' agreements of a kind, the most usual one counts.
    """
    found = [{each.kind: each for each in agreements(s, track, statistics)} for s in seeds]
    kinds = set.intersection(*map(set, found)) if found else set()
    shared = [max((each[kind] for each in found), key=lambda one: one.rarity) for kind in kinds]
    return tuple(sorted(shared, key=lambda each: (each.rarity, KINDS.index(each.kind))))


def _of_tempo_and_key(
    clip: MusicDescription, track: MusicDescription, statistics: CatalogueStatistics
) -> list[Agreement]:
    """Return agreements of confident tempi and keys."""
    found = []
    if clip.sure_bpm is not None and track.sure_bpm is not None:
        low, high = clip.sure_bpm * (1 - SAME_TEMPO), clip.sure_bpm * (1 + SAME_TEMPO)
        if low <= track.sure_bpm <= high:
            rarity = _share(statistics, MusicFilter(tempo=(low, high)), TEMPO)
            found.append(Agreement(TEMPO, rarity, track.sure_bpm))
    if clip.sure_key is not None and track.sure_key is not None:
        if track.sure_key == clip.sure_key:
            rarity = _share(statistics, MusicFilter(keys=frozenset({clip.sure_key})), KEY)
            found.append(Agreement(KEY, rarity, track.sure_key))
        elif track.sure_key in compatible_keys(clip.sure_key):
            rarity = _share(statistics, MusicFilter(keys=compatible_keys(clip.sure_key)), MIXES)
            found.append(Agreement(MIXES, rarity, track.sure_key))
    return found


def _share(statistics: CatalogueStatistics, wanted: MusicFilter, kind: str) -> float:
    """Return the share of the described tracks that match, smoothed for a small catalogue."""
    matching = float(wanted.mask(statistics.descriptions).sum())
    return (matching + _PRIOR_TRACKS * _PRIOR[kind]) / (
        len(statistics.descriptions) + _PRIOR_TRACKS
    )


def _of_ranges(
    clip: MusicDescription, track: MusicDescription, statistics: CatalogueStatistics
) -> list[Agreement]:
    """Return the fields in which both are in the highest or lowest quarter, or near."""
    found = []
    for name, (lowest, highest) in statistics.quartiles.items():
        high, low = RANGES[name]
        column = statistics.descriptions[:, FIELDS.index(name)]
        pair = sorted((float(getattr(clip, name)), float(getattr(track, name))))
        if pair[0] >= highest > lowest:
            found.append(Agreement(high, float((column >= pair[0]).mean())))
        elif pair[1] <= lowest and highest > lowest:
            found.append(Agreement(low, float((column <= pair[1]).mean())))
        elif near := _near(name, clip, track, column):
            found.append(near)
    return found


def _near(
    name: str, clip: MusicDescription, track: MusicDescription, column: Float
) -> Agreement | None:
    """Return the agreement of two near values of a field, or None.

    Values up to `_WIDER` bounds apart are near if few tracks of the catalogue are nearer.
    """
    kind, bound = NEAR[name]
    value, other = float(getattr(clip, name)), float(getattr(track, name))
    width = bound * value if name == "brightness_hz" else bound
    apart = abs(other - value)
    if apart > _WIDER * width:
        return None
    share = float((np.abs(column - value) <= max(apart, width)).mean())
    return Agreement(kind, share) if apart <= width or share <= _NEAREST else None


def choose_reasons(
    found: Sequence[Sequence[Agreement]], count: int = REASONS
) -> list[tuple[Agreement, ...]]:
    """Return at most ``count`` agreements of each track, so that the tracks differ where they can.

    Kinds that no earlier track has together come first, then those with higher scores. The score of
    an agreement is the negative logarithm of its rarity, less that of the number of tracks which
    share its kind, less a penalty for each track that names the kind already.

    Parameters
    ----------
    found
        The agreements of each track, from `agreements`.
    count
        Largest number of reasons of a track.
    """
    sharing = Counter(each.kind for track in found for each in track)
    used: Counter[str] = Counter()
    taken: set[frozenset[str]] = set()
    chosen: list[tuple[Agreement, ...]] = []
    for track in found:
        telling = [each for each in track if each.rarity <= _COMMON] or list(track[:1])
        telling.sort(key=lambda each: -_score(each, sharing, used))
        picked = _new_combination(telling, count, taken)
        used.update(each.kind for each in picked)
        taken.add(frozenset(each.kind for each in picked))
        chosen.append(picked)
    return chosen


def _new_combination(
    telling: Sequence[Agreement], count: int, taken: Collection[frozenset[str]]
) -> tuple[Agreement, ...]:
    """Return the first combination of kinds that is not taken, of ``count`` or fewer.

    ``telling`` is sorted, the best first. If all are taken, the best ones are returned.
    """
    for size in range(min(count, len(telling)), 0, -1):
        for picked in combinations(telling, size):
            if frozenset(each.kind for each in picked) not in taken:
                return picked
    return tuple(telling[:count])


def _score(agreement: Agreement, sharing: Counter[str], used: Counter[str]) -> float:
    unusual = -math.log(max(agreement.rarity, 1e-4))
    return unusual - math.log(sharing[agreement.kind]) - _USED_AGAIN * used[agreement.kind]
