"""Questions to the catalogue: liked seeds, seeds to be less like, and rules for the answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from genrec.music_filter import ANY_WISH, MusicWish
from genrec.names import credited_artists
from genrec.types import Analysis, MusicDescription, Track

Reach = Literal["near", "balanced", "adventurous"]
REACHES: tuple[Reach, ...] = get_args(Reach)
SCOPES = ("starter", "library")  # of a question that belongs to no guild
NO_IDS: frozenset[int] = frozenset()
NO_ARTISTS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Seed:
    """A clip or a track of the catalogue that a question begins with.

    Attributes
    ----------
    embedding
        float32 (d,), of length 1.
    liked
        False for *less of this*: tracks like the seed lose.
    track
        The track of the catalogue; None for a clip.
    title, artist
        Names of the clip or track; empty if unknown.
    fingerprint
        int8 (bands, columns); None if there is none.
    description
        Tempo, key and more; None if they were not measured.
    genre
        Label of the preset; empty if unknown or unsure.
    analysis
        The analysis of a clip; None for a track.
    sha256
        Hex digest of a clip's bytes, or its first digits; empty for a track.
    """

    embedding: NDArray[np.float32]
    liked: bool = True
    track: Track | None = None
    title: str = ""
    artist: str = ""
    fingerprint: NDArray[np.int8] | None = None
    description: MusicDescription | None = None
    genre: str = ""
    analysis: Analysis | None = None
    sha256: str = ""

    @property
    def artists(self) -> frozenset[str]:
        """Keys of the seed's artists, guests included; none if unknown."""
        return credited_artists(self.artist, self.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules for the tracks of an answer.

    Attributes
    ----------
    count
        Largest number of tracks, 1 or more.
    genre
        Label that each track has; None for any.
    music
        Wish for tempo and key.
    scopes
        Scopes that are searched.
    fallback
        Scopes that are searched if ``scopes`` hold no track that fits.
    per_artist
        Largest number of tracks of one artist, 1 or more.
    new_artists
        True if no track is by an artist of a seed.
    reach
        How far afield: ``near`` are the nearest tracks, ``balanced`` ones that differ among
        themselves, ``adventurous`` farther ones that differ more.
    shown
        Ids of tracks that were shown already.
    without_tracks, without_artists
        Ids and artist keys that are never recommended.

    Raises
    ------
    ValueError
        A number is below 1, or the reach is unknown.
    """

    count: int = 5
    genre: str | None = None
    music: MusicWish = ANY_WISH
    scopes: Collection[str] = SCOPES
    fallback: Collection[str] = ()
    per_artist: int = 1
    new_artists: bool = True
    reach: Reach = "near"
    shown: frozenset[int] = NO_IDS
    without_tracks: frozenset[int] = NO_IDS
    without_artists: frozenset[str] = NO_ARTISTS

    def __post_init__(self) -> None:
        for name in ("count", "per_artist"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: expected 1 or more")
        if self.reach not in REACHES:
            raise ValueError(f"reach={self.reach!r}: expected one of {', '.join(REACHES)}")


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Seeds, of which at least one is liked, and the rules for the answer.

    Attributes
    ----------
    seeds, rules
        What is asked.
    liked, disliked
        The liked seeds, and those that the tracks should be less like.
    single
        The only seed; None if there are several.

    Raises
    ------
    ValueError
        No seed is liked.
    """

    seeds: tuple[Seed, ...]
    rules: Rules = field(default_factory=Rules)
    liked: tuple[Seed, ...] = field(init=False)
    disliked: tuple[Seed, ...] = field(init=False)
    single: Seed | None = field(init=False)

    def __post_init__(self) -> None:
        liked = tuple(seed for seed in self.seeds if seed.liked)
        if not liked:
            raise ValueError(f"seeds: none of {len(self.seeds)} is liked; one or more is needed")
        disliked = tuple(seed for seed in self.seeds if not seed.liked)
        single = self.seeds[0] if len(self.seeds) == 1 else None
        for name, value in (("liked", liked), ("disliked", disliked), ("single", single)):
            object.__setattr__(self, name, value)
