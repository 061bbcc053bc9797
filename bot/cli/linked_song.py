"""Recommend for a link whose sound is not fetched: its song is matched to the catalogue by name."""

from __future__ import annotations

from dataclasses import replace

from bot.errors import RequestDeclined
from bot.recommender import Recommender
from bot.sources import PageSong, SongLookupError
from genrec.errors import LinkRefused
from genrec.page_titles import SongName
from genrec.questions import Question, Rules
from genrec.types import Recommendation, Track


def lookup_refusal(error: SongLookupError) -> LinkRefused:
    """Return the error for a link that leads to no song."""
    return LinkRefused(str(RequestDeclined(f"song_{error.reason}", site=error.site.title)))


async def recommend_linked(
    recommender: Recommender,
    song: PageSong,
    rules: Rules,
) -> Recommendation:
    """Return tracks similar to the catalogue's track that a link names, which is ``known``.

    Raises
    ------
    LinkRefused
        No track has that name for sure; the sentence lists similar names.
    """
    seed = await track_of_linked(recommender, song)
    found = await recommender.answer(Question((await recommender.track_seed(seed),), rules))
    note = f"{_found_by_name(seed)} {found.note}".strip()
    return replace(found, known=seed, note=note)


async def genre_of_linked(recommender: Recommender, song: PageSong) -> Recommendation:
    """Return the genre of the catalogue's track that a link names.

    Raises
    ------
    LinkRefused
        No track has that name for sure, or it has no genre.
    """
    seed = await track_of_linked(recommender, song)
    if not seed.genre:
        raise LinkRefused(
            f"The catalogue has {_quoted(seed)} without a genre, and the link gives genrec no"
            " sound. Name a sound file."
        )
    return Recommendation(
        model_id=recommender.preset.model_id,
        genre=seed.genre,
        unsure=False,
        scores=(),
        tracks=(),
        note=_found_by_name(seed),
    )


async def track_of_linked(recommender: Recommender, song: PageSong) -> Track:
    """Return the track of the catalogue that a link names.

    Raises
    ------
    LinkRefused
        No track has that name for sure; the sentence lists similar names.
    """
    match = await recommender.find_song(song.names)
    if match.sure is not None:
        return match.sure
    similar = "; ".join(_quoted(track) for track in match.similar)
    names = f" Similar names: {similar}." if similar else ""
    raise LinkRefused(
        f"The link gives genrec no sound, and the catalogue does not have {_quoted(song.shown)}."
        f"{names} Name a sound file."
    )


def _found_by_name(seed: Track) -> str:
    return f"The link gives genrec no sound. It names {_quoted(seed)}, a track of the catalogue."


def _quoted(name: SongName | Track) -> str:
    parts = [part for part in (name.artist, name.title) if part]
    return f'"{" - ".join(parts)}"'
