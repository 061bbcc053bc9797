"""Reasons for a recommended track as text."""

from __future__ import annotations

from bot.i18n import Localizer
from genrec import agreement
from genrec.types import Agreement, Neighbour, Recommendation, Track

GENRES_SHOWN = 3
# Text keys for ranges of similarity, each with the lowest similarity of its range.
CLOSENESS = ((0.75, "very_close"), (0.5, "close"), (0.25, "related"), (-1.0, "distant"))
# A less probable genre is not called another genre of the clip.
MIN_PROBABILITY = 0.1
_KEYS = {
    agreement.GENRE: "reason.same_genre",
    agreement.TEMPO: "reason.same_tempo",
    agreement.KEY: "reason.same_key",
}


def reason_text(
    localizer: Localizer,
    neighbour: Neighbour,
    rec: Recommendation,
    seed: Track | None,
    *,
    genre: str,
) -> str:
    """Return what a track has in common with the clip or seed, and its genre if it is another.

    ``genre`` is the name of the track's genre as it is shown, since a terminal needs no escapes.
    Without any agreement beside the genre it also says how similar the sound is.
    """
    parts = [agreement_text(localizer, each) for each in neighbour.reasons]
    label, genre_key = neighbour.track.genre, _genre_key(neighbour.track.genre, rec, seed)
    if label and genre_key != "reason.same_genre":
        parts.insert(0, localizer(genre_key, genre=genre))
    elif label and not parts:
        parts.append(localizer(genre_key))
    if all(each.kind == agreement.GENRE for each in neighbour.reasons):
        closeness = next(key for least, key in CLOSENESS if neighbour.similarity >= least)
        parts.append(localizer(f"reason.{closeness}"))
    return ", ".join(parts)


def agreement_text(localizer: Localizer, found: Agreement) -> str:
    """Return one agreement in the user's language, such as "same tempo" or "both bright"."""
    return kind_text(localizer, found.kind)


def kind_text(localizer: Localizer, kind: str) -> str:
    """Return a kind of agreement in the user's language; the kind itself if it has no text."""
    key = _KEYS.get(kind, f"reason.{kind}")
    return localizer(key) if localizer.has(key) else kind


def _genre_key(label: str, rec: Recommendation, seed: Track | None) -> str:
    """Return the key of the text that relates a track's genre to the clip's or the seed's."""
    if seed is None and label == rec.genre and rec.unsure:
        return "reason.first_guess"
    if label == (seed.genre if seed else rec.genre):
        return "reason.same_genre"
    probable = {s.label for s in rec.scores[:GENRES_SHOWN] if s.probability >= MIN_PROBABILITY}
    return "reason.also_probable" if seed is None and label in probable else "reason.other_genre"
