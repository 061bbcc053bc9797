"""Figure: ways of eight and twenty songs: ends, artists, largest steps, beside other ways."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bot.path_finder import PathFinder
from bot.question_figures.starter_world import Float, QuestionFigure, StarterWorld
from genrec.errors import SameSong
from genrec.names import credited_artists
from genrec.paths import LONGER, arc_points, largest_step
from genrec.questions import Rules

PAIRS = 300
SONGS = 8
MANY = 20  # songs of a long way
RANDOM_WAYS = 1000
REACH = 0.95
_TIE = 1e-5  # radians


@dataclass
class _Counts:
    """What was counted on the ways of all pairs."""

    ends: list[bool] = field(default_factory=list)
    nearer: list[bool] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    repeats: int = 0
    random: list[float] = field(default_factory=list)
    line: list[bool] = field(default_factory=list)
    any_line: list[bool] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)
    line_largest: list[float] = field(default_factory=list)
    other: list[bool] = field(default_factory=list)
    many: list[int] = field(default_factory=list)
    many_largest: list[float] = field(default_factory=list)


async def figures(world: StarterWorld) -> list[QuestionFigure]:
    """Return the figures of ways between random pairs of starter tracks.

    A random way has the same ends and number of songs, and other random tracks between. The
    straight line has the track nearest to each point that divides the arc between the ends evenly,
    once by the rules of a way (no artist twice, none of an end) and once without rules.
    """
    finder, counts, rng = PathFinder(world.recommender), _Counts(), world.rng
    artists = [credited_artists(track.artist, track.title) for track in world.tracks]
    while len(counts.ends) < PAIRS:
        start, goal = (int(row) for row in rng.choice(len(world.tracks), size=2, replace=False))
        seeds = [await world.recommender.track_seed(world.tracks[row]) for row in (start, goal)]
        try:
            way = await finder.find(seeds[0], seeds[1], Rules(), songs=SONGS)
            second = await finder.find(seeds[0], seeds[1], Rules(), songs=SONGS, chance_seed=1)
            long = await finder.find(seeds[0], seeds[1], Rules(), songs=MANY)
        except SameSong:
            continue
        rows = [world.row[track.id] for track in way.tracks]
        counts.ends.append((rows[0], rows[-1]) == (start, goal))
        to_goal = world.matrix[rows] @ world.matrix[goal]
        counts.nearer.append(bool((np.diff(to_goal) > 0).all()))
        counts.whole.append(len(rows) == SONGS)
        counts.repeats += _repeats([artists[row] for row in rows])
        counts.other.append([song.title for song in second.songs] != [s.title for s in way.songs])
        step = largest_step(world.matrix, rows)
        counts.largest.append(step)
        many = [world.row[track.id] for track in long.tracks]
        counts.many.append(len(many))
        counts.many_largest.append(largest_step(world.matrix, many))
        ways = [_random_way(world, rng, start, goal) for _ in range(RANDOM_WAYS)]
        counts.random.append(float(np.mean([largest_step(world.matrix, w) > step for w in ways])))
        by_rules = largest_step(world.matrix, _line(world.matrix, start, goal, artists))
        counts.line_largest.append(by_rules)
        counts.line.append(step < by_rules - _TIE)
        free = largest_step(world.matrix, _line(world.matrix, start, goal, None))
        counts.any_line.append(step < free - _TIE)
    return _rows(counts)


def _rows(counts: _Counts) -> list[QuestionFigure]:
    pairs, below = f"{PAIRS} random pairs", float(np.mean(np.array(counts.random) >= REACH))
    kept = np.mean(np.array(counts.many_largest) <= LONGER * np.array(counts.largest) + _TIE)
    ends, line = float(np.mean(counts.ends)), float(np.mean(counts.line))
    return [
        QuestionFigure(f"ways of {SONGS} with the right ends, {pairs}", f"{ends:.1%}", "100%",
                       ends == 1),
        QuestionFigure("ways with each song nearer to the goal", f"{np.mean(counts.nearer):.1%}",
                       "100%", all(counts.nearer)),
        QuestionFigure("artists twice, apart from ends of one artist", str(counts.repeats), "0",
                       not counts.repeats),
        QuestionFigure(
            f"ways whose largest step is below that of {REACH:.0%} of {RANDOM_WAYS} random ways",
            f"{below:.1%}, of all random ways {np.mean(counts.random):.2%}", f"{REACH:.0%}",
            below >= REACH,
        ),
        QuestionFigure(
            "ways whose largest step is below that of the straight line's nearest tracks",
            f"{line:.1%}, {_degrees(counts.largest)} against {_degrees(counts.line_largest)}",
            f"{REACH:.0%}", line >= REACH,
        ),
        QuestionFigure("the same where the straight line may repeat artists",
                       f"{np.mean(counts.any_line):.1%}"),
        QuestionFigure(f"ways with all {SONGS} songs", f"{np.mean(counts.whole):.1%}"),
        QuestionFigure(
            f"ways of {MANY} whose largest step is at most {LONGER - 1:.0%} above that of {SONGS}",
            f"{kept:.1%}, {_degrees(counts.many_largest)} against {_degrees(counts.largest)}",
            "100%", bool(kept == 1),
        ),
        QuestionFigure(f"ways of {MANY} with all songs",
                       f"{np.mean(np.array(counts.many) == MANY):.1%}, in the middle"
                       f" {np.median(counts.many):.0f} songs"),
        QuestionFigure("second ways that differ from the first", f"{np.mean(counts.other):.1%}"),
    ]  # fmt: skip


def _degrees(angles: list[float]) -> str:
    return f"{np.degrees(np.median(angles)):.0f}\u00b0"


def _repeats(artists: list[frozenset[str]]) -> int:
    """Return how many songs between the ends share an artist with another song."""
    return sum(
        any(one & other for place, other in enumerate(artists) if place != number)
        for number, one in enumerate(artists[1:-1], start=1)
    )


def _random_way(world: StarterWorld, rng: np.random.Generator, start: int, goal: int) -> list[int]:
    others = rng.choice(len(world.tracks), size=SONGS, replace=False).tolist()
    return [start, *[row for row in others if row not in (start, goal)][: SONGS - 2], goal]


def _line(matrix: Float, start: int, goal: int, artists: list[frozenset[str]] | None) -> list[int]:
    """Return the tracks nearest to the points of the arc; with artists, none of them twice."""
    way, used = [start], {start, goal}
    taken = frozenset[str]() if artists is None else artists[start] | artists[goal]
    for point in arc_points(matrix[start], matrix[goal], SONGS - 2):
        for row in np.argsort(-(matrix @ point), kind="stable").tolist():
            if row not in used and (artists is None or not artists[row] & taken):
                break
        used.add(row)
        way.append(row)
        taken |= artists[row] if artists is not None else frozenset()
    return [*way, goal]
