"""Schemas of the answers, for the OpenAPI description; the tests check each answer with them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _AnswerBody(BaseModel):
    """Base of the answers: they have these keys and no others, and each of them."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class DescriptionBody(_AnswerBody):
    """Tempo, key, loudness and more of a clip or track."""

    bpm: float = Field(description="Beats a minute; 0 if the clip is too short for a tempo.")
    bpm_confidence: float = Field(ge=0, le=1)
    key: str = Field(description="Such as A minor.")
    key_confidence: float = Field(ge=0, le=1)
    loudness_lufs: float
    dynamics_lu: float
    brightness_hz: float
    bass: float = Field(ge=0, le=1, description="Share of the power below 160 Hz.")
    onsets_per_s: float
    tempo_sure: bool
    key_sure: bool


class ReasonBody(_AnswerBody):
    """One thing that the seed and the track have in common."""

    kind: str
    rarity: float = Field(ge=0, le=1, description="Share of the tracks of which it is true.")
    value: float | int | str | None


class NeighbourBody(_AnswerBody):
    """A recommended track."""

    id: int
    title: str
    artist: str
    genre: str
    similarity: float = Field(le=1, description="0 for unrelated tracks, 1 for the same.")
    source: str = Field(description="Link or entry of the starter catalogue; empty for a file.")
    link: str = Field(description="Address of the title's link; empty without one.")
    scope: str
    description: DescriptionBody | None
    reasons: list[ReasonBody]


class KnownBody(_AnswerBody):
    """The track of the catalogue that is the clip's own recording."""

    id: int
    title: str
    artist: str
    genre: str
    source: str


class GenreBody(_AnswerBody):
    """Answer of POST /v1/genre."""

    model_id: str
    music: bool
    music_probability: float = Field(ge=0, le=1)
    genre: str | None
    unsure: bool
    scores: dict[str, float]
    description: DescriptionBody | None
    words: dict[str, float]
    tags: list[str] = Field(description="Sound tags that are sure, most probable first.")
    note: str
    timings_ms: dict[str, float]


class RecommendationBody(GenreBody):
    """Answer of POST /v1/recommend and POST /v1/mix."""

    known: KnownBody | None
    tracks: list[NeighbourBody]


class PathSongBody(_AnswerBody):
    """A song of a way; an end that is a clip has no id."""

    id: int | None
    title: str
    artist: str
    genre: str
    source: str
    link: str
    scope: str
    similarity: float | None = Field(description="To the song before; null for the first.")


class PathBody(_AnswerBody):
    """Answer of POST /v1/path."""

    model_id: str
    songs: list[PathSongBody]
    steps: int = Field(description="Songs that were asked for.")
    random_seed: int
    note: str


class ListedTrackBody(_AnswerBody):
    """A track of the catalogue."""

    id: int
    title: str
    artist: str
    genre: str
    source: str
    link: str
    scope: str


class RadioBody(_AnswerBody):
    """Answer of POST /v1/radio."""

    model_id: str
    songs: list[ListedTrackBody]
    count: int = Field(description="Songs that were asked for.")
    apart: int
    random_seed: int
    note: str


class TrackBody(ListedTrackBody):
    """Answer of GET /v1/tracks/{id}."""

    album: str
    year: int = Field(description="0 if it is unknown.")
    isrc: str
    mbid: str = Field(description="Recording id of MusicBrainz.")
    description: DescriptionBody | None


class TrackListBody(_AnswerBody):
    """Answer of GET /v1/tracks."""

    tracks: list[ListedTrackBody]
    next: str = Field(description="Value of after for the next page; empty at the end.")


class RootBody(_AnswerBody):
    """Answer of GET /v1."""

    version: str
    model_id: str
    genres: list[str]
    tags: list[str] = Field(description="Sound tags that a question may name.")
    scopes: list[str]
    routes: list[str]


class ProblemBody(_AnswerBody):
    """Problem details of RFC 9457."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="A sentence for people.")
    code: str = Field(description="A stable word for programs.")
