"""Selection rules: how the candidates of a search become recommendations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genrec.names import credited_artists
from genrec.questions import Reach
from genrec.types import Track

Float = NDArray[np.float32]
Fingerprint = NDArray[np.int8]

# Why a candidate is left out, apart from its score.
OWN, VERSION = "own", "version"
ARTIST, PER_ARTIST, SHOWN, UNWANTED = "artist", "per_artist", "shown", "unwanted"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A search result with the fields that the selection rules need.

    Attributes
    ----------
    track, cosine
        The track and its score: for one seed its cosine with that.
    artist_key, song_key
        Normalised artist and title; empty if unknown.
    fingerprint
        int8 (bands, columns), for ``same_recording``.
    vector
        float32 (d,), the track's embedding, of length 1.
    """

    track: Track
    cosine: float
    artist_key: str
    song_key: str
    fingerprint: Fingerprint
    vector: Float

    @property
    def artists(self) -> frozenset[str]:
        """Keys of all credited artists, guests included."""
        return credited_artists(self.track.artist, self.track.title)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRules:
    """Rules that select neighbours from the candidates.

    Attributes
    ----------
    count
        Largest number of neighbours.
    per_artist
        Largest number of tracks of one artist; tracks without artist are not limited.
    floor
        Smallest score of a neighbour.
    artists
        Keys of the seeds' artists, whose tracks are left out.
    shown, without_tracks, without_artists
        Ids and artist keys of tracks that are left out.
    """

    count: int = 5
    per_artist: int = 1
    floor: float = 0.0
    artists: frozenset[str] = frozenset()
    shown: frozenset[int] = frozenset()
    without_tracks: frozenset[int] = frozenset()
    without_artists: frozenset[str] = frozenset()

    def excludes(self, candidate: Candidate) -> str:
        """Return the reason why a candidate is left out by its artist or id, else ""."""
        if candidate.track.id in self.without_tracks:
            return UNWANTED
        if self.artists or self.without_artists:
            artists = candidate.artists
            if artists & self.without_artists:
                return UNWANTED
            if artists & self.artists:
                return ARTIST
        return SHOWN if candidate.track.id in self.shown else ""

    def permitted(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Return the candidates that are not left out by their artist or id, in their order."""
        return [each for each in candidates if not self.excludes(each)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Comparisons of recordings that the selection needs.

    Attributes
    ----------
    same_recording
        Returns whether a fingerprint is of the recording of one of the others.
    is_clip
        Returns whether a candidate is a seed's own recording.
    songs
        Artist key and song key of each seed; empty texts if unknown.
    copies
        Ids of tracks that are known to be a seed's own recording.
    compared
        Ids of tracks for which ``copies`` says all, so that ``is_clip`` is not called.
    """

    same_recording: Callable[[Fingerprint, Sequence[Fingerprint]], bool]
    is_clip: Callable[[Candidate], bool] = lambda candidate: False
    songs: Iterable[tuple[str, str]] = ()
    copies: frozenset[int] = frozenset()
    compared: frozenset[int] = frozenset()


@dataclass(slots=True)
class Selection:
    """The candidates that the rules selected until now, and why others were left out.

    Each recording and each song (artist key and song key) is selected at most once. The seeds' own
    recordings and songs are skipped.
    """

    rules: SelectionRules
    checks: Checks
    chosen: list[Candidate] = field(default_factory=list)
    left_out: set[str] = field(default_factory=set)
    _songs: set[tuple[str, str]] = field(default_factory=set)
    _artists: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._songs.update(self.checks.songs)

    @property
    def full(self) -> bool:
        """True if the rules want no further candidate."""
        return len(self.chosen) >= self.rules.count

    def take(self, candidate: Candidate) -> bool:
        """Select a candidate if the rules let it, and return whether they do."""
        reason = self._reason(candidate)
        if reason:
            self.left_out.add(reason)
            return False
        self.chosen.append(candidate)
        self._songs.add((candidate.artist_key, candidate.song_key))
        self._artists[candidate.artist_key] += 1
        return True

    def _reason(self, candidate: Candidate) -> str:
        song = (candidate.artist_key, candidate.song_key)
        if candidate.track.id in self.checks.copies:
            # The copy may name the seed's song, whose other versions are skipped too.
            self._songs.add(song)
            return OWN
        if all(song) and song in self._songs:
            return VERSION
        if excluded := self.rules.excludes(candidate):
            return excluded
        of_artist = self._artists[candidate.artist_key]
        if candidate.artist_key and of_artist >= self.rules.per_artist:
            return PER_ARTIST
        compared = candidate.track.id in self.checks.compared
        own = not compared and self.checks.is_clip(candidate)
        taken = [each.fingerprint for each in self.chosen]
        if own or self.checks.same_recording(candidate.fingerprint, taken):
            self._songs.add(song)
            return OWN if own else VERSION
        return ""


def select_neighbours(
    candidates: Iterable[Candidate], rules: SelectionRules, checks: Checks
) -> Selection:
    """Return the selection of the nearest candidates that the rules let.

    Parameters
    ----------
    candidates
        Nearest first.
    rules
        Count, limit per artist, smallest score and what is left out.
    checks
        Comparisons of recordings.
    """
    selection = Selection(rules, checks)
    for candidate in candidates:
        if selection.full or candidate.cosine < rules.floor:
            break
        selection.take(candidate)
    return selection


@dataclass(frozen=True, slots=True)
class Spread:
    """Parameters of a reach: size of the pool, share that is skipped and weight of the score.

    Attributes
    ----------
    pool
        Number of candidates for each neighbour that is wanted.
    skipped
        Share of these, the nearest ones, that come last.
    likeness
        Weight of the score, 0..1; the rest is the weight of differing from selected tracks.
    """

    pool: int
    skipped: float
    likeness: float


SPREADS: Mapping[Reach, Spread] = {
    "near": Spread(1, 0.0, 1.0),
    "balanced": Spread(8, 0.0, 0.7),
    "adventurous": Spread(24, 0.4, 0.5),
}


def select_spread(
    candidates: Sequence[Candidate], rules: SelectionRules, checks: Checks, spread: Spread
) -> Selection:
    """Return a selection of candidates that are near and differ among themselves.

    Each step takes the candidate with the largest maximal marginal relevance (Carbonell & Goldstein
    1998): ``likeness`` times its score, less ``1 - likeness`` times its largest cosine with a
    selected one. The nearest candidates, which the spread skips, and those beyond its pool serve
    only where the others do not suffice.

    Parameters
    ----------
    candidates
        Nearest first.
    rules, checks
        As for `select_neighbours`.
    spread
        Weights of the reach.

    Returns
    -------
    Selection
        Its candidates are sorted, the nearest first.
    """
    selection = Selection(rules, checks)
    scores = np.array([each.cosine for each in candidates], dtype=np.float32)
    vectors = np.array([each.vector for each in candidates], dtype=np.float32)
    enough = int((scores >= rules.floor).sum())
    pool = min(enough, spread.pool * rules.count)
    skipped = int(spread.skipped * pool)
    for part in (np.arange(skipped, pool), np.arange(skipped), np.arange(pool, enough)):
        _select_part(candidates, scores, vectors, selection, spread.likeness, part)
    selection.chosen.sort(key=lambda each: -each.cosine)
    return selection


def _select_part(
    candidates: Sequence[Candidate],
    scores: Float,
    vectors: Float,
    selection: Selection,
    likeness: float,
    part: NDArray[np.intp],
) -> None:
    """Add the candidates of a part to a selection, by maximal marginal relevance."""
    left = np.zeros(len(candidates), dtype=bool)
    left[part] = True
    nearest = np.zeros(len(candidates), dtype=np.float32)
    for each in selection.chosen:
        np.maximum(nearest, vectors @ each.vector, out=nearest)
    while left.any() and not selection.full:
        relevance = np.where(left, likeness * scores - (1 - likeness) * nearest, -np.inf)
        place = int(relevance.argmax())
        left[place] = False
        if selection.take(candidates[place]):
            np.maximum(nearest, vectors @ vectors[place], out=nearest)
