"""The nouns of genrec: what travels between the floors, frozen and without behaviour of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

HEARD_S = 30.0  # of a longer file, from its middle; unless the operator wants another length
PREVIEW_BANDS, PREVIEW_COLUMNS = 64, 200  # the most a preview holds


@dataclass(frozen=True, slots=True)
class Clip:
    """A sound file on this machine that somebody asks about.

    Attributes
    ----------
    path
        The file. Whoever made the clip removes the file.
    sha256
        Hex digest of the file's bytes: the key of the analyses cache.
    title, artist
        As a tag, a page or the user named them; empty where unknown.
    source
        Where it came from, for a person to follow: a URL, or a path; empty where unknown.
    """

    path: Path
    sha256: str
    title: str = ""
    artist: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """One track of a catalogue.

    Attributes
    ----------
    id
        Row id in the catalogue's database.
    title, artist
        Never empty in an answer: an untagged file's title is its file name.
    genre
        The genre it is filed under: its tag's, or the one genrec heard.
    source
        Where it can be found: a path, a URL, or ``starter:EXCERPT`` for the starter catalogue.
    scope
        Who sees it: ``library`` (the operator's), ``starter``, or ``guild:ID``.
    """

    id: int
    title: str
    artist: str
    genre: str
    source: str
    scope: str = "library"


@dataclass(frozen=True, slots=True)
class GenreScore:
    """A genre and its calibrated probability, 0..1."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What a preset heard in one clip.

    Attributes
    ----------
    model_id
        The preset that heard it: name and content hash.
    embedding
        float32 (d,), centred on the training tracks and of length 1.
    scores
        Every genre of the preset, most probable first; the probabilities sum to 1.
    fingerprint
        int8 (bands, columns): the coarse spectrogram that recognises the same recording.
    duration_s
        Length of the whole file in seconds, as far as its header is to be believed.
    analyzed_s
        Seconds of it that were heard.
    timings_ms
        Milliseconds per stage: ``decode``, ``spectrogram``, ``network``.
    preview
        uint8 (bands, columns), at most 64 x 200: a coarse log-mel spectrogram of what was heard, to
        be drawn. 0..255 spans -top_db..0 dB; row 0 is the lowest band. None where none was kept.
    """

    model_id: str
    embedding: NDArray[np.float32]
    scores: tuple[GenreScore, ...]
    fingerprint: NDArray[np.int8]
    duration_s: float
    analyzed_s: float
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    preview: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A track and how alike it sounds, 0 (as unrelated tracks are on average) to 1 (the same)."""

    track: Track
    similarity: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer to one clip.

    Attributes
    ----------
    model_id
        The preset that answered.
    genre
        The most probable genre, also when ``unsure``.
    unsure
        True where that genre is more likely wrong than right.
    scores
        Every genre, most probable first.
    tracks
        The neighbours, most alike first; fewer than asked for where nothing else is alike enough.
    note
        A sentence that says why there are fewer; empty otherwise.
    timings_ms
        Milliseconds per stage, those of the analysis and ``search`` and ``total``.
    """

    model_id: str
    genre: str
    unsure: bool
    scores: tuple[GenreScore, ...]
    tracks: tuple[Neighbour, ...]
    note: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)


class Analyzer(Protocol):
    """Analyses files without blocking the event loop: the worker pool, or a fake in a test."""

    async def analyze(self, path: Path) -> Analysis:
        """Analyse one file.

        Raises
        ------
        GenrecError
            The file cannot be analysed, or no worker is free; the sentence says why.
        """
        ...
