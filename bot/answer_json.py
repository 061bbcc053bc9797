"""Answers as JSON, for the command line and the HTTP interface; docs/cli.md lists the keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from genrec import agreement
from genrec.musical_key import key_name
from genrec.names import artist_key
from genrec.types import Agreement, MusicDescription, Neighbour, Recommendation, Track

NO_PLACES: Mapping[int, str] = {}


def as_json(
    result: Recommendation,
    *,
    tracks: bool = True,
    places: Mapping[int, str] = NO_PLACES,
    public: bool = False,
) -> dict[str, Any]:
    """Return an answer as a JSON object; its keys are stable.

    ``places`` are the paths or links of the tracks, by their ids. With ``public`` no path of a file
    is named as a source.
    """
    found: dict[str, Any] = {
        "model_id": result.model_id,
        "music": result.music,
        "music_probability": round(result.music_probability, 6),
        "genre": result.genre,
        "unsure": result.unsure,
        "scores": {score.label: round(score.probability, 6) for score in result.scores},
        "description": description_json(result.description),
        "words": {score.label: round(score.probability, 6) for score in result.words},
        "tags": list(result.tags),
    }
    if tracks:
        known = result.known
        found["known"] = known and {
            "id": known.id,
            "title": known.title,
            "artist": known.artist if artist_key(known.artist) else "",
            "genre": known.genre,
            "source": source_of(known, public=public),
        }
        found["tracks"] = [
            neighbour_json(neighbour, places, public=public) for neighbour in result.tracks
        ]
    return {**found, "note": result.note, "timings_ms": dict(result.timings_ms)}


def neighbour_json(
    neighbour: Neighbour, places: Mapping[int, str] = NO_PLACES, *, public: bool = False
) -> dict[str, Any]:
    """Return a recommended track with its similarity and the reasons for it."""
    track = neighbour.track
    return {
        **track_json(track, places.get(track.id, ""), public=public),
        "similarity": round(neighbour.similarity, 4),
        "description": description_json(neighbour.description),
        "reasons": [reason_json(each) for each in neighbour.reasons],
    }


def track_json(track: Track, link: str, *, public: bool = False) -> dict[str, Any]:
    """Return a track with its link; with ``public`` without the path of its file."""
    return {
        "id": track.id,
        "title": track.title,
        "artist": track.artist,
        "genre": track.genre,
        "source": source_of(track, public=public),
        "link": link,
        "scope": track.scope,
    }


def source_of(track: Track, *, public: bool) -> str:
    """Return the source of a track; "" for the path of a file that is not to be named."""
    return "" if public and Path(track.source).is_absolute() else track.source


def description_json(description: MusicDescription | None) -> dict[str, Any] | None:
    """Return a description with its key by name, and whether tempo and key are confident."""
    if description is None:
        return None
    rounded: dict[str, Any] = {name: round(value, 4) for name, value in asdict(description).items()}
    return rounded | {
        "key": key_name(description.key),
        "tempo_sure": description.sure_bpm is not None,
        "key_sure": description.sure_key is not None,
    }


def reason_json(reason: Agreement) -> dict[str, Any]:
    """Return a reason with its key by name."""
    value = reason.value
    if reason.kind in (agreement.KEY, agreement.MIXES) and isinstance(value, int):
        value = key_name(value)
    elif isinstance(value, float):
        value = round(value, 2)
    return {"kind": reason.kind, "rarity": round(reason.rarity, 4), "value": value}
