"""Bodies of requests: seeds and rules, as JSON or as the fields of a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.http_api.problems import HttpProblem
from bot.path_finder import DEFAULT_SONGS
from bot.radio_station import CHANCES
from bot.value_faults import plain_fault
from genrec.paths import MAX_SONGS, MIN_SONGS
from genrec.radio import FEWEST_SONGS, MOST_SONGS

MOST_SEEDS = 5
MOST_TRACKS = 50
MOST_LISTED = 200
MOST_RANDOM = CHANCES - 1  # as on Discord, where `again` repeats the same list
DEFAULT_APART, MOST_APART = 4, 20
_MOST_IDS = 1000
_MOST_CHARS = 200
TrackId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(min_length=1, max_length=_MOST_CHARS)]
Link = Annotated[str, Field(min_length=1, max_length=2000)]
Body = TypeVar("Body", bound=BaseModel)
_ONE_KIND = "give one of track, name and url"


class _Strict(BaseModel):
    """Base of the bodies: an unknown key is a mistake."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class EndBody(_Strict):
    """A song: a track by its id or its name, or a link."""

    track: TrackId | None = Field(None, description="Id of a track, as answers have it.")
    name: Text | None = Field(None, description="Artist and title of a track, in either order.")
    url: Link | None = Field(None, description="Link to a sound file or to a page of a song.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(each is not None for each in (self.track, self.name, self.url)) != 1:
            raise ValueError(_ONE_KIND)
        return self


class SeedBody(EndBody):
    """A seed of several: a song that the answer is like, or less like."""

    liked: bool = Field(True, description="False for less of this.")


class SeedsBody(_Strict):
    """Seeds of a question; uploaded clips are further ones."""

    track: TrackId | None = Field(None, description="The only seed: the id of a track.")
    name: Text | None = Field(None, description="The only seed: artist and title of a track.")
    url: Link | None = Field(None, description="The only seed: a link.")
    seeds: list[SeedBody] = Field(
        [], max_length=MOST_SEEDS, description="Several seeds, in place of the above."
    )

    @property
    def given(self) -> list[SeedBody]:
        """The seeds in the order of the body."""
        short = {"track": self.track, "name": self.name, "url": self.url}
        one = [SeedBody(**{key: each}) for key, each in short.items() if each is not None]
        return [*one, *self.seeds]


class ScopesBody(_Strict):
    """Scopes of a question."""

    scopes: list[Text] | None = Field(
        None, description="Scopes to search, of those that GET /v1 lists; null for all of them."
    )


class FilterBody(ScopesBody):
    """Tracks that an answer may name."""

    genre: Text | None = Field(None, description="Only tracks of this genre.")
    tempo: Text | None = Field(None, description="Only tracks of this tempo: 122, or 118-126.")
    key: Text | None = Field(
        None, description="Only tracks in this key, such as Am, or in keys compatible with it."
    )
    tag: Text | None = Field(
        None, description="Only tracks with this sound tag; several, with commas, all apply."
    )
    new_artists: bool = Field(True, description="Leave out the artists of the seeds.")
    shown: list[TrackId] = Field([], max_length=_MOST_IDS, description="Ids already shown.")
    without_tracks: list[TrackId] = Field(
        [], max_length=_MOST_IDS, description="Ids that are never named."
    )
    without_artists: list[Text] = Field(
        [], max_length=_MOST_IDS, description="Artists that are never named."
    )


class RulesBody(FilterBody):
    """Rules for the tracks of an answer."""

    count: int = Field(5, ge=1, le=MOST_TRACKS, description="Most tracks.")
    per_artist: int = Field(1, ge=1, le=MOST_TRACKS, description="Most tracks of one artist.")
    reach: Literal["near", "balanced", "adventurous"] = Field(
        "near", description="How far afield the tracks may be."
    )


class RecommendQuestion(SeedsBody, RulesBody):
    """Seeds and rules of POST /v1/recommend and POST /v1/mix."""


class GenreQuestion(SeedsBody):
    """The seed of POST /v1/genre."""


class PathQuestion(FilterBody):
    """Ends and rules of POST /v1/path; an end may also be an uploaded clip."""

    start: EndBody | None = Field(None, alias="from", description="The first song.")
    goal: EndBody | None = Field(None, alias="to", description="The last song.")
    steps: int = Field(
        DEFAULT_SONGS, ge=MIN_SONGS, le=MAX_SONGS, description="Songs, both ends included."
    )
    random_seed: int = Field(
        0, ge=0, le=MOST_RANDOM, description="0 for the best way; any other repeats another way."
    )


class RadioQuestion(SeedsBody, FilterBody):
    """Seeds and rules of POST /v1/radio."""

    count: int = Field(30, ge=FEWEST_SONGS, le=MOST_SONGS, description="Songs of the list.")
    apart: int = Field(
        DEFAULT_APART, ge=0, le=MOST_APART, description="Other songs between two by one artist."
    )
    random_seed: int | None = Field(
        None, ge=0, le=MOST_RANDOM, description="Repeats a list; null for another one each time."
    )


class TrackListQuestion(ScopesBody):
    """Query of GET /v1/tracks."""

    query: str = Field("", max_length=_MOST_CHARS, description="Words of artist and title.")
    limit: int = Field(50, ge=1, le=MOST_LISTED, description="Most tracks of the page.")
    after: str = Field("", max_length=4000, description="'next' of the page before.")


def read_body(kind: type[Body], payload: Mapping[str, Any]) -> Body:
    """Return a checked body; raise HttpProblem (422) with every fault in a sentence."""
    try:
        return kind.model_validate(dict(payload))
    except ValidationError as error:
        faults = [
            f"{_place(detail['loc'])}{_fault(detail)}"
            for detail in error.errors(include_input=False, include_url=False)
        ]
        raise HttpProblem(422, "wrong_value", "; ".join(faults[:5]) + ".") from None


def _place(loc: Sequence[int | str]) -> str:
    return f"{'.'.join(str(part)[:40] for part in loc)}: " if loc else ""


def _fault(detail: Mapping[str, Any]) -> str:
    if detail["type"] == "extra_forbidden":
        return "there is no such key; GET /v1/openapi.json lists them"
    return plain_fault(detail["msg"])


_LISTS = ("scopes", "shown", "without_tracks", "without_artists")
_SEEDS = ("track", "name", "url")
_ENDS = ("from", "to")
_TWICE = "given twice; give it once"


def payload_of(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the JSON form of the fields of a form or of a query.

    A field that takes a list may be repeated or hold commas. ``track``, ``name`` and ``url`` may be
    repeated too; ``less_track`` and the like are seeds to be less like, ``from_track`` and
    ``to_track`` the ends of a way.
    """
    payload: dict[str, Any] = {}
    seeds: list[dict[str, Any]] = []
    ends: dict[str, dict[str, Any]] = {}
    for name, value in fields:
        plain = name.removeprefix("less_")
        end, _, kind = name.partition("_")
        if name in _ENDS:
            raise _wrong(name, f"a text is no end; use {name}_track, {name}_name or {name}_url")
        if end in _ENDS and kind in _SEEDS:
            if kind in ends.setdefault(end, {}):
                raise _wrong(name, _TWICE)
            ends[end][kind] = value
        elif plain in _SEEDS:
            seeds.append({plain: value, "liked": plain == name})
        elif name in _LISTS:
            given = [part.strip() for part in value.split(",") if part.strip()]
            payload[name] = payload.get(name, []) + given
        elif name in payload:
            raise _wrong(name, _TWICE)
        else:
            payload[name] = value
    return payload | ends | ({"seeds": seeds} if seeds else {})


def _wrong(name: str, fault: str) -> HttpProblem:
    return HttpProblem(422, "wrong_value", f"{name[:40]}: {fault}.")
