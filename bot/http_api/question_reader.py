"""Make the question of a request: seeds from clips, ids, names and links, and the rules."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from bot.errors import RequestDeclined
from bot.http_api.posted_clips import OWNER, SEED_ROLES, PostedQuestion
from bot.http_api.problems import HttpProblem
from bot.http_api.question_bodies import (
    MOST_SEEDS,
    EndBody,
    FilterBody,
    RulesBody,
    SeedBody,
)
from bot.http_api.services import ApiServices
from bot.jobs.track_names import declined
from bot.sources import SongLink, SongLookupError
from bot.ui.tag_names import SEVERAL, english, typed_tags
from db.tags import match_label
from genrec.errors import GenrecError, LinkRefused, UnsupportedSource
from genrec.music_filter import MusicWish, parse_key, parse_tempo
from genrec.names import artist_key
from genrec.questions import Rules, Seed
from genrec.sound_tags import MOST_TAGS
from genrec.types import Clip, Track

GUILD = "guild:"
LIKED = SEED_ROLES[0]


@dataclass(frozen=True, slots=True)
class VisibleScopes:
    """Scopes that a request searches, and those searched if they hold no track that fits."""

    scopes: tuple[str, ...]
    fallback: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every scope that the answer may name."""
        return (*self.scopes, *self.fallback)


class QuestionReader:
    """Turns the body of a request into a question of `bot.recommender.Recommender`."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    async def scopes(
        self, wanted: Collection[str] | None, *, may_be_empty: bool = False
    ) -> VisibleScopes:
        """Return the scopes of a request: those of the starter policy, or the wanted ones.

        Raises
        ------
        HttpProblem
            A wanted scope is not one of those that the interface may name, or all are empty.
        """
        allowed = self._services.scopes
        if wanted is not None:
            unknown = [scope for scope in wanted if scope not in allowed]
            if unknown or not wanted:
                named = f"names {unknown[0][:40]!r}" if unknown else "is empty"
                raise HttpProblem(
                    422, "wrong_value", f"scopes: {named}; choose from {', '.join(allowed)}."
                )
            found = VisibleScopes(tuple(dict.fromkeys(wanted)))
        else:
            choice = await self._services.starter.choose(None)
            guilds = tuple(scope for scope in allowed if scope.startswith(GUILD))
            found = VisibleScopes(
                (*(scope for scope in choice.scopes if scope in allowed), *guilds),
                tuple(scope for scope in choice.fallback if scope in allowed),
            )
        if not may_be_empty and self._services.recommender.is_empty(found.all):
            raise HttpProblem(
                422, "no_tracks", "There are no tracks in these scopes: index a music folder first."
            )
        return found

    async def seeds(
        self,
        posted: PostedQuestion,
        given: Collection[SeedBody],
        visible: VisibleScopes,
        *,
        least: int = 1,
        most: int = MOST_SEEDS,
    ) -> tuple[Seed, ...]:
        """Return the seeds of a request, clips first; raise HttpProblem for a wrong number."""
        count = len(posted.clips) + len(given)
        if not least <= count <= most:
            wanted = f"{most}" if least == most else f"{least} to {most}"
            raise HttpProblem(
                422,
                "wrong_value",
                f"seeds: {count} are given; expected {wanted}: clips, tracks, names or links.",
            )
        liked = [*(role == LIKED for role, _ in posted.clips), *(seed.liked for seed in given)]
        if not any(liked):
            raise HttpProblem(422, "wrong_value", "seeds: none is liked; like one or more.")
        found = [await self._of_clip(clip, liked=role == LIKED) for role, clip in posted.clips]
        found += [await self.seed(seed, visible, liked=seed.liked) for seed in given]
        tracks = [seed.track for seed in found if seed.track is not None]
        for track in tracks:
            if tracks.count(track) > 1:
                raise HttpProblem(
                    422, "wrong_value", f"seeds: track {track.id} is given twice; give it once."
                )
        return tuple(found)

    def rules(self, body: FilterBody, visible: VisibleScopes) -> Rules:
        """Return the rules of a request; raise HttpProblem for a filter that cannot be read."""
        rules = Rules(
            genre=self._genre(body.genre),
            music=replace(music_wish(body.tempo, body.key), tags=self._tags(body.tag)),
            scopes=visible.scopes,
            fallback=visible.fallback,
            new_artists=body.new_artists,
            shown=frozenset(body.shown),
            without_tracks=frozenset(body.without_tracks),
            without_artists=_artist_keys(body.without_artists),
        )
        if isinstance(body, RulesBody):
            return replace(rules, count=body.count, per_artist=body.per_artist, reach=body.reach)
        return rules

    async def track(self, track_id: int, visible: VisibleScopes) -> Track:
        """Return a track that the request may see; raise HttpProblem (404) for any other."""
        found = await self._services.recommender.tracks([track_id], visible.all)
        if not found:
            raise no_track(str(track_id))
        return found[0]

    async def named(self, text: str, visible: VisibleScopes) -> Track:
        """Return the track that a name means; raise RequestDeclined with the nearest names."""
        match = await self._services.named.match(text, visible.all)
        if match.track is None:
            raise declined(text, match)
        return match.track

    def _genre(self, genre: str | None) -> str | None:
        labels = self._services.preset.labels
        label = match_label(genre, labels) if genre is not None else None
        if label == "":
            raise HttpProblem(
                422,
                "wrong_value",
                f"genre: there is no {genre!r}; choose from {', '.join(labels)}.",
            )
        return label

    def _tags(self, tag: str | None) -> tuple[str, ...]:
        if tag is None:
            return ()
        reading = self._services.preset.tags
        if reading is None:
            raise _wrong_tag("the model has no sound tags; leave it out")
        found = typed_tags(english(), tag, reading.shown)
        if not found.tags:
            near = SEVERAL.join(found.near)
            sentence = f"there is no {found.unknown!r}; similar names: {near}"
            raise _wrong_tag(f"{sentence}; GET /v1 lists all")
        if found.too_many:
            raise _wrong_tag(f"{len(found.tags)} are given; give at most {MOST_TAGS}")
        return found.tags

    async def _of_clip(self, clip: Clip, *, liked: bool) -> Seed:
        services = self._services
        async with services.share.turn():
            analysis = await services.recommender.analyze(clip)
        return services.recommender.clip_seed(analysis, clip, liked=liked)

    async def seed(
        self, seed: EndBody | Clip, visible: VisibleScopes, *, liked: bool = True
    ) -> Seed:
        """Return the seed of a clip, a track, a name or a link."""
        if isinstance(seed, Clip):
            return await self._of_clip(seed, liked=liked)
        if seed.url is not None:
            return await self._of_link(seed.url, visible, liked=liked)
        if seed.track is not None:
            track = await self.track(seed.track, visible)
        else:
            track = await self.named(seed.name or "", visible)
        return await self._services.recommender.track_seed(track, liked=liked)

    async def _of_link(self, url: str, visible: VisibleScopes, *, liked: bool) -> Seed:
        """Return the seed of a link: its sound, or else the track of its song's name."""
        sources = self._services.sources
        checked = sources.check(url, lookup=True)
        refusal = checked.no_sound
        if refusal is None:
            try:
                async with sources.fetch(checked, owner=OWNER) as clip:
                    return await self._of_clip(clip, liked=liked)
            except (LinkRefused, UnsupportedSource) as error:
                refusal = error
        if checked.song is None:
            raise refusal
        track = await self._of_song(checked.song, visible, refusal)
        return await self._services.recommender.track_seed(track, liked=liked)

    async def _of_song(self, link: SongLink, visible: VisibleScopes, refusal: GenrecError) -> Track:
        services = self._services
        try:
            song = await services.sources.look_up(link, owner=OWNER)
        except SongLookupError as error:
            sentence = str(RequestDeclined(f"song_{error.reason}", site=error.site.title))
            raise LinkRefused(sentence) from refusal
        match = await services.recommender.find_song(song.names, visible.all)
        if match.sure is None:
            shown = " - ".join(part for part in (song.shown.artist, song.shown.title) if part)
            raise LinkRefused(
                f"The link gives genrec no sound, and the catalogue does not have {shown[:100]!r}."
                " Send a clip instead."
            )
        return match.sure


def no_track(given: str) -> HttpProblem:
    """Return the problem (404) of an id that no visible track has."""
    shown = given if given.isdigit() and len(given) < 20 else repr(given[:40])
    return HttpProblem(404, "no_track", f"There is no track {shown}: GET /v1/tracks lists them.")


def _artist_keys(names: Collection[str]) -> frozenset[str]:
    """Return the keys of artists; raise HttpProblem (422) for a placeholder such as "Unknown"."""
    keys = {artist_key(name): name for name in names}
    if "" in keys:
        raise HttpProblem(
            422, "wrong_value", f"without_artists: {keys['']!r} is no artist; leave it out."
        )
    return frozenset(keys)


def _wrong_tag(fault: str) -> HttpProblem:
    return HttpProblem(422, "wrong_value", f"tag: {fault}.")


def music_wish(tempo: str | None, key: str | None) -> MusicWish:
    """Return the wish for tempo and key; raise HttpProblem (422) for one that cannot be read."""
    bpm = None if tempo is None else parse_tempo(tempo)
    if tempo is not None and bpm is None:
        raise HttpProblem(
            422,
            "wrong_value",
            f"tempo: {tempo!r} is no tempo; write beats a minute of 20..400, such as 118-126.",
        )
    wanted = None if key is None else parse_key(key)
    if key is not None and wanted is None:
        raise HttpProblem(
            422, "wrong_value", f"key: {key!r} is no key; write 'A minor', Am, 8A or compatible."
        )
    return MusicWish(tempo=bpm, key=wanted)
