"""Reasons for the tracks of an answer, and for missing ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from genrec.agreement import (
    CatalogueStatistics,
    Described,
    choose_reasons,
    common_agreements,
)
from genrec.music_filter import ANY_MUSIC, MusicFilter
from genrec.types import MusicDescription, Recommendation

# Rules that an answer with too few tracks names, and how the sentence ends.
LEFT_OUT = {
    "artist": "by an artist that you asked with",
    "per_artist": "by an artist that is in the list",
    "shown": "already shown",
    "unwanted": "left out on request",
}


def explained(
    rec: Recommendation,
    described: Mapping[int, MusicDescription],
    statistics: CatalogueStatistics,
    seeds: Sequence[Described] = (),
) -> Recommendation:
    """Return a recommendation with the tracks' descriptions and the reasons for each track.

    A reason is what a track has in common with all of the liked ``seeds``: by default with the clip
    or track that the recommendation describes. ``described`` has descriptions by track id.
    """
    seeds = seeds or (Described(rec.description, "" if rec.unsure else rec.genre or ""),)
    tracks = [replace(each, description=described.get(each.track.id)) for each in rec.tracks]
    found = [
        common_agreements(seeds, Described(each.description, each.track.genre), statistics)
        for each in tracks
    ]
    chosen = zip(tracks, choose_reasons(found), strict=True)
    return replace(rec, tracks=tuple(replace(each, reasons=why) for each, why in chosen))


def shortage(
    found: int,
    k: int,
    genre: str | None,
    music: MusicFilter = ANY_MUSIC,
    left_out: Collection[str] = (),
) -> str:
    """Return a sentence if fewer than ``k`` tracks were found, else "".

    ``left_out`` are rules, keys of `LEFT_OUT`, that similar tracks break.
    """
    if found >= k:
        return ""
    track = f"{genre} track" if genre else "track"
    if limits := " and ".join(filters(None, replace(music, tags=()))):
        track += f" of this {limits}"
    if music.tags:
        track += " with this tag" if len(music.tags) == 1 else " with these tags"
    why = " or ".join(ending for rule, ending in LEFT_OUT.items() if rule in left_out)
    if not found:
        if why:
            return f"No other {track} in the library is similar enough: the similar ones are {why}."
        return f"No {track} in the library is similar enough."
    end = f": further ones are {why}." if why else "."
    return f"Only {found} of {k}: no other {track} in the library is similar enough{end}"


def filters(genre: str | None, music: MusicFilter) -> tuple[str, ...]:
    """Return the names of the options that a track has to fit."""
    tags = music.tags or None
    asked = (("genre", genre), ("tempo", music.tempo), ("key", music.keys), ("tag", tags))
    return tuple(name for name, wanted in asked if wanted is not None)
