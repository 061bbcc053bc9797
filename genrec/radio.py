"""Radio: choose songs near the seeds by chance, and order them so that neighbours are alike.

The songs are a weighted random sample of the nearest ones (Efraimidis and Spirakis, "Weighted
random sampling with a reservoir", 2006), so no song lies farther from the seeds than those.
Their order is a short open tour (Pohle, Pampalk and Widmer, "Generating similarity-based playlists
using traveling salesman algorithms", 2005) by 2-opt and Or-opt moves (Croes, 1958; Or, 1976), with
the artist separation that radio stations schedule by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.fingerprint import Fingerprint
from genrec.selection import Candidate

FEWEST_SONGS, MOST_SONGS = 10, 100
NEIGHBOURHOOD = 3
"""Different songs that are drawn from, for each song of the list."""
_LONGEST_MOVE = 3  # songs that Or-opt moves together
_LEAST_GAIN = 1e-6

Float = NDArray[np.float32]
SameRecording = Callable[[Fingerprint, Sequence[Fingerprint]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioRules:
    """Rules of a radio list.

    Attributes
    ----------
    count
        Number of songs, 1 to 100.
    apart
        Smallest number of other songs between two of the same artist, 0 or more. Songs without
        artist are not limited.
    chance
        Seed of the random numbers, 0 or more: the same one gives the same list.

    Raises
    ------
    ValueError
        A number is out of range.
    """

    count: int = 30
    apart: int = 4
    chance: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_SONGS:
            raise ValueError(f"count={self.count}: expected 1 to {MOST_SONGS}")
        for name in ("apart", "chance"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: expected 0 or more")


@dataclass(frozen=True, slots=True)
class DrawnSongs:
    """Songs that were drawn, nearest first; ``too_few_artists`` if the separation left some out."""

    songs: tuple[Candidate, ...]
    too_few_artists: bool


def draw_songs(
    candidates: Sequence[Candidate], rules: RadioRules, *, same_recording: SameRecording
) -> DrawnSongs:
    """Return a random sample of the nearest candidates, near ones more often.

    Each song (artist key and song key) and each recording is drawn at most once, and each artist
    only as often as the separation allows.

    Parameters
    ----------
    candidates
        Nearest first; the first ``NEIGHBOURHOOD * count`` different songs are drawn from, or
        more if those are by too few artists.
    rules
        Count, separation and chance.
    same_recording
        Returns whether a fingerprint is of the recording of one of the others.

    Returns
    -------
    At most ``rules.count`` songs.
    """
    different = _different(candidates)
    size = NEIGHBOURHOOD * rules.count
    while True:
        found = _drawn(different[:size], rules, same_recording)
        if not found.too_few_artists or size >= len(different):
            return found
        size *= 2  # the nearest songs are by too few artists


def _drawn(
    near: Sequence[Candidate], rules: RadioRules, same_recording: SameRecording
) -> DrawnSongs:
    """Return a random sample of near songs."""
    # The key of a song is u ** (1 / weight); the weight halves with every `count` ranks.
    u = np.random.default_rng(rules.chance).random(len(near))
    keys = np.log(np.maximum(u, 1e-300)) * np.exp2(np.arange(len(near)) / rules.count)
    order = np.argsort(-keys, kind="stable").tolist()
    wanted, limited = rules.count, False
    while True:
        drawn, left_out = _draw(near, order, wanted, rules.apart, same_recording)
        limited |= left_out
        if len(drawn) in (wanted, 0):
            break
        wanted = len(drawn)  # a shorter list has room for fewer songs of one artist
    songs = tuple(near[place] for place in sorted(drawn))
    return DrawnSongs(songs, limited and len(drawn) < rules.count)


def order_songs(embeddings: Float, artists: Sequence[str], *, apart: int) -> list[int]:
    """Return the order of songs with small and even steps, from the first song on.

    If the separation leaves no place for the first song there, another one begins.

    The sum of the squared angles between neighbours is made small by local search.

    Parameters
    ----------
    embeddings
        float32 (n, d), of length 1; the first is that of the song to begin with.
    artists
        Artist key of each song; empty if unknown.
    apart
        Smallest number of other songs between two of the same artist.

    Returns
    -------
    Indexes of the songs. Those that the separation leaves no place for are left out.
    """
    if not len(embeddings):
        return []
    angles = np.arccos(np.clip(embeddings @ embeddings.T, -1.0, 1.0)).astype(np.float64)
    costs = angles**2
    order = _greedy(costs, artists, apart)
    if len(order) < len(artists):
        order = max(order, _greedy(costs, artists, apart, cautious=True), key=len)
    # A list holds at most 100 songs, so the limit is only reached if numbers go wrong.
    for _ in range(20 * len(order)):
        better = _improved(order, costs, artists, apart)
        if better is None:
            break
        order = better
    return order


def is_apart(artists: Sequence[str], apart: int) -> bool:
    """Return whether ``apart`` other songs or more lie between any two of the same artist."""
    last: dict[str, int] = {}
    for place, artist in enumerate(artists):
        if artist and place - last.get(artist, -apart - 1) <= apart:
            return False
        last[artist] = place
    return True


def _different(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates without further versions of a song."""
    songs: set[tuple[str, str]] = set()
    found: list[Candidate] = []
    for candidate in candidates:
        song = (candidate.artist_key, candidate.song_key)
        if not (all(song) and song in songs):
            songs.add(song)
            found.append(candidate)
    return found


def _draw(
    near: Sequence[Candidate],
    order: Sequence[int],
    wanted: int,
    apart: int,
    same_recording: SameRecording,
) -> tuple[list[int], bool]:
    """Return the places of the drawn candidates, and whether an artist had too many songs."""
    most = (wanted + apart) // (apart + 1)
    # So many artists may have as many songs: the last places of the list are theirs.
    often = wanted - (most - 1) * (apart + 1)
    drawn: list[int] = []
    prints: list[Fingerprint] = []
    artists: Counter[str] = Counter()
    limited = False
    for place in order:
        song = near[place]
        if len(drawn) == wanted:
            break
        of_artist = artists[song.artist_key] + 1 if song.artist_key else 0
        full = sum(count == most for name, count in artists.items() if name)
        if of_artist > most or (of_artist == most > 1 and full == often):
            limited = True
            continue
        if same_recording(song.fingerprint, prints):
            continue
        drawn.append(place)
        prints.append(song.fingerprint)
        artists[song.artist_key] += 1
    return drawn, limited and len(drawn) < wanted


def _greedy(
    costs: NDArray[np.float64], artists: Sequence[str], apart: int, *, cautious: bool = False
) -> list[int]:
    """Return an order in which each song is the nearest that the separation allows.

    An artist whose songs would not fit later comes first; if ``cautious``, always the artist with
    the most songs left, also at the beginning.
    """
    left = list(range(len(artists)))
    songs = Counter(filter(None, artists))
    order = [max(left, key=lambda song: songs[artists[song]]) if cautious else 0]
    left.remove(order[0])
    while left:
        recent = {artists[song] for song in order[-apart:]} if apart else set()
        allowed = [song for song in left if not artists[song] or artists[song] not in recent]
        if not allowed:
            break
        remaining = Counter(artists[song] for song in left if artists[song])
        most = max(remaining.values(), default=0)
        tight = (most - 1) * (apart + 1) + list(remaining.values()).count(most) >= len(left)
        if cautious:
            most = max(remaining[artists[song]] for song in allowed)
        urgent = [song for song in allowed if remaining[artists[song]] == most]
        if not cautious and not tight:
            urgent = []
        chosen = min(urgent or allowed, key=lambda song: costs[order[-1], song])
        order.append(chosen)
        left.remove(chosen)
    return order


def _improved(
    order: list[int], costs: NDArray[np.float64], artists: Sequence[str], apart: int
) -> list[int] | None:
    """Return the order after the best allowed move; None if no move shortens it."""
    n = len(order)
    steps = costs[np.ix_(order, order)]
    found = [(*move, 0) for move in _reversals(steps)]
    for length in range(1, min(_LONGEST_MOVE, n - 2) + 1):
        found += [(*move, length) for move in _moves(steps, length)]
    for _, i, j, length in sorted(found):
        if length:
            part, rest = order[i : i + length], order[:i] + order[i + length :]
            moved = rest[:j] + part + rest[j:]
        else:
            moved = order[:i] + order[i : j + 1][::-1] + order[j + 1 :]
        if is_apart([artists[song] for song in moved], apart):
            return moved
    return None


def _reversals(steps: NDArray[np.float64]) -> list[tuple[float, int, int]]:
    """Return gain, first and last place of each part whose reversal shortens the order."""
    n = len(steps)
    if n < 3:
        return []
    before = np.diagonal(steps, 1)  # from a place to the next
    first, last = np.triu_indices(n, 1)
    inside = first >= 1  # the first song stays
    first, last = first[inside], last[inside]
    after = np.append(before, 0.0)  # behind the last song nothing follows
    beyond = np.minimum(last + 1, n - 1)
    new = steps[first - 1, last] + np.where(last < n - 1, steps[first, beyond], 0.0)
    gain = new - before[first - 1] - after[last]
    good = gain < -_LEAST_GAIN
    return list(zip(gain[good].tolist(), first[good].tolist(), last[good].tolist(), strict=True))


def _moves(steps: NDArray[np.float64], length: int) -> list[tuple[float, int, int]]:
    """Return gain, place and new place of each part of a length whose move shortens the order.

    The new place counts in the order without the part.
    """
    n = len(steps)
    found: list[tuple[float, int, int]] = []
    for i in range(1, n - length + 1):
        rest = np.r_[0:i, i + length : n]
        first, last = i, i + length - 1
        closed = steps[i - 1, i + length] if i + length < n else 0.0
        removed = steps[i - 1, first] + (steps[last, i + length] if i + length < n else 0.0)
        here, there = rest[:-1], rest[1:]
        added = np.append(
            steps[here, first] + steps[last, there] - steps[here, there], steps[rest[-1], first]
        )
        gain = added + closed - removed
        places = np.flatnonzero(gain < -_LEAST_GAIN).tolist()
        found += [(float(gain[j]), i, j + 1) for j in places if j + 1 != i]
    return found
