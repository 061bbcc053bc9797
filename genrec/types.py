"""Data classes and protocols that all three packages share; the data classes are frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

MAX_ANALYZED_S = 30.0  # default; a longer file is analysed in its middle
# Confidence from which tempo and key are shown, chosen by cross-validation on other excerpts than
# those that docs/music-description.md judges.
SURE_TEMPO, SURE_KEY = 0.7, 0.65
PREVIEW_BANDS, PREVIEW_COLUMNS = 64, 200  # largest size of a preview

Runtime = Literal["auto", "litert", "onnxruntime"]
"""Library that runs a preset's network; ``auto`` chooses one for this processor."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A local sound file that a user sent as an upload or a link.

    Attributes
    ----------
    path
        The file. The code that created the clip removes the file.
    sha256
        Hex digest of the file's bytes: the key in the cache of analyses.
    title, artist
        From a tag, a page or the user; empty if unknown.
    source
        URL or path that the clip came from; empty if unknown.
    """

    path: Path
    sha256: str
    title: str = ""
    artist: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a sound file, such as a song of an album in one file.

    Attributes
    ----------
    start_s
        Its start in seconds, 0 or more.
    end_s
        Its end in seconds; None for the end of the file.
    """

    start_s: float
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """One track of a catalogue.

    Attributes
    ----------
    id
        Row id in the catalogue's database.
    title, artist
        From the file's tags. The title of an untagged file is its file name; the artist may be
        empty.
    genre
        The genre in the tag, or else the predicted one.
    source
        A path, a URL, or ``starter:EXCERPT`` for the starter catalogue.
    scope
        ``library`` (the operator's), ``starter`` or ``guild:ID``.
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


@dataclass(frozen=True, slots=True)
class MusicDescription:
    """Measurements of the music of a clip or track, beside its genre.

    Attributes
    ----------
    bpm
        Tempo in beats a minute; 0 if the clip is too short for one.
    bpm_confidence
        Probability that the tempo is right within 4 %, 0..1.
    key
        0..11 for C major to B major, 12..23 for C minor to B minor.
    key_confidence
        Probability that the key is right, 0..1.
    loudness_lufs
        Integrated loudness of the mono mix in LUFS, at least -70.
    dynamics_lu
        Distance of loud from quiet parts in LU: the loudness range over blocks of 0.4 s.
    brightness_hz
        Spectral centroid in Hz.
    bass
        Share of the power below 160 Hz, 0..1.
    onsets_per_s
        Onsets a second, 0..6.5.
    """

    bpm: float
    bpm_confidence: float
    key: int
    key_confidence: float
    loudness_lufs: float
    dynamics_lu: float
    brightness_hz: float
    bass: float
    onsets_per_s: float

    @property
    def sure_bpm(self) -> float | None:
        """The tempo if it is confident enough to be shown, else None."""
        return self.bpm if self.bpm_confidence >= SURE_TEMPO else None

    @property
    def sure_key(self) -> int | None:
        """The key if it is confident enough to be shown, else None."""
        return self.key if self.key_confidence >= SURE_KEY else None


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The result of a preset for one clip.

    Attributes
    ----------
    model_id
        Name and content hash of the preset.
    embedding
        float32 (d,), centred, projected and of length 1.
    scores
        Every genre of the preset, most probable first; the probabilities sum to 1.
    fingerprint
        int8 (bands, columns): the coarse spectrogram that recognises the same recording, packed.
    duration_s
        Length of the whole file in seconds according to its header, which may be wrong.
    analyzed_s
        Seconds of the file that were analysed.
    timings_ms
        Milliseconds per stage: ``decode``, ``spectrogram``, ``network``, ``description``. A cached
        analysis has only ``cache``.
    preview
        uint8 (bands, columns), at most 64 x 200: a small log-mel spectrogram of the analysed part.
        0..255 spans -top_db..0 dB; row 0 is the lowest band. None if it was not stored.
    music
        Probability that the clip holds music, 0..1; 1 if the preset has no music detector.
    parts
        Stretches of the file or its section that were analysed, as (start, end) in seconds, in
        order; the rest is silent or beyond the length that is analysed. Empty if unknown.
    description
        Tempo, key, loudness and more; None if they were not measured.
    """

    model_id: str
    embedding: NDArray[np.float32]
    scores: tuple[GenreScore, ...]
    fingerprint: NDArray[np.int8]
    duration_s: float
    analyzed_s: float
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    preview: NDArray[np.uint8] | None = None
    music: float = 1.0
    description: MusicDescription | None = None
    parts: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """One thing that a clip and a track have in common, and how unusual that is.

    Attributes
    ----------
    kind
        A kind of `genrec.agreement`, such as ``tempo`` or ``bright``.
    rarity
        Share of the catalogue's tracks that agree with the clip at least as well, 0..1.
    value
        What they have in common: the track's tempo, its key 0..23 or a genre; None if the kind says
        it all.
    """

    kind: str
    rarity: float
    value: float | int | str | None = None


@dataclass(frozen=True, slots=True)
class SoundExcerpt:
    """A short part of a sound file, as MP3 of one channel, and its length in seconds."""

    mp3: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A track and its calibrated similarity, 0..1: 0 is the mean over tracks of other genres.

    ``description`` is the track's music description, None if it was not measured. ``reasons`` are
    agreements with the clip, the most telling first.
    """

    track: Track
    similarity: float
    description: MusicDescription | None = None
    reasons: tuple[Agreement, ...] = ()


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Genre and neighbours of one clip.

    Attributes
    ----------
    model_id
        Name and content hash of the preset.
    genre
        The most probable genre, also when ``unsure``; None for a clip without music, and for
        several seeds of different genres.
    unsure
        True if the probability of that genre is below ``Calibration.unsure_below``.
    scores
        Every genre, most probable first; empty for a query by tracks of the catalogue or by
        several seeds, and for a clip without music.
    tracks
        The neighbours, most similar first; fewer than requested if too few are similar enough,
        and none for a clip without music.
    known
        The track of the catalogue that is the clip's own recording; None if there is none.
    note
        A sentence with the reason for fewer tracks, or for no genre; empty otherwise.
    timings_ms
        Milliseconds per stage: those of the analysis, and ``search`` if tracks were searched. The
        request handler and the command line add ``total``. A query by a track of the catalogue has
        only ``total``.
    music
        False if the clip holds no music: its probability is below ``Calibration.music_below``.
    music_probability
        Probability that the clip holds music, 0..1, as in `Analysis`.
    fallback
        True if the tracks are of scopes that are searched only because the others hold no track
        that is similar enough.
    description
        Tempo, key, loudness and more of the clip or track; None if they were not measured.
    words
        The probable genres of a clip in the words of the libraries, most probable first; they need
        not sum to 1. The layouts and the command line add them.
    tags
        Sound tags of a single clip or track, most probable first; none that is not sure, and none
        for a clip without music or several seeds.
    filters
        Options of the request that a track has to fit: ``genre``, ``tempo``, ``key``, ``tag``.
    left_out
        Rules for which tracks that are similar enough are missing, if there are too few:
        ``artist`` (of a seed), ``per_artist``, ``shown``, ``unwanted``. ``gone`` are tracks of an
        earlier answer that are no longer in the catalogue.
    """

    model_id: str
    genre: str | None
    unsure: bool
    scores: tuple[GenreScore, ...]
    tracks: tuple[Neighbour, ...]
    known: Track | None = None
    note: str = ""
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    music: bool = True
    music_probability: float = 1.0
    fallback: bool = False
    description: MusicDescription | None = None
    words: tuple[GenreScore, ...] = ()
    tags: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


class Analyzer(Protocol):
    """Asynchronous analyzer of clips: the worker pool, or a fake in tests."""

    async def analyze(self, path: Path, section: Section | None = None) -> Analysis:
        """Return the analysis of one file or a section of it, without blocking the event loop.

        Raises
        ------
        GenrecError
            The file cannot be analysed, or no worker is free.
        """
        ...
