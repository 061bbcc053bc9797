"""Responses with a genre or tracks, in the layout that the request's options choose."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.client.responders import MakeFile
from bot.errors import RequestDeclined
from bot.i18n import Localizer
from bot.jobs.excerpts import Excerpts
from bot.jobs.last_answers import Asker, LastAnswer, LastAnswers
from bot.jobs.nearest_track import NearestTrack
from bot.jobs.runner import Response
from bot.own_genre_cache import OwnGenreCache
from bot.recommender import Recommender
from bot.starter_policy import ScopeChoice
from bot.ui import answer, compact, picture_text
from bot.ui.custom_ids import DetailsSource, response_key
from bot.ui.mix_layouts import MixHead
from bot.ui.spectrogram_image import Picture
from bot.ui.track_links import DEFAULT_LINKS, LinkChoice, TrackLinks
from db.not_again import LeftOut
from db.tracks import STARTER
from genrec.music_filter import ANY_WISH, MusicWish
from genrec.questions import NO_ARTISTS, NO_IDS, SCOPES, Reach, Rules
from genrec.types import Analysis, Neighbour, Recommendation, Track

DrawPicture = Callable[[Analysis, Analysis | None], Picture | None]
"""Draws a clip's analysis, and below it that of the nearest track if there is one."""
ChooseScopes = Callable[[], Awaitable[ScopeChoice]]
ReadLeftOut = Callable[[Collection[str]], Awaitable[LeftOut]]


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Options of one request; ``localizer`` is of the user's locale.

    ``compact`` chooses the compact layout for the tracks. ``fallback`` are the scopes that are
    searched if ``scopes`` hold nothing similar enough. ``choose`` returns both, and
    ``left_out`` what the user or the guild does not want again; they need the database, so they
    wait until the request is acknowledged. ``new_artists`` to ``without_artists`` are rules of
    `genrec.questions.Rules`.
    """

    localizer: Localizer
    count: int = 5
    genre: str | None = None
    music: MusicWish = ANY_WISH
    scopes: tuple[str, ...] = SCOPES
    links: LinkChoice = DEFAULT_LINKS
    compact: bool = False
    fallback: tuple[str, ...] = ()
    choose: ChooseScopes | None = None
    left_out: ReadLeftOut | None = None
    new_artists: bool = True
    reach: Reach = "near"
    shown: frozenset[int] = NO_IDS
    without_tracks: frozenset[int] = NO_IDS
    without_artists: frozenset[str] = NO_ARTISTS
    asker: Asker | None = None

    @property
    def rules(self) -> Rules:
        """The rules of a question with these options, once they have the scopes of the policy."""
        return Rules(
            count=self.count,
            genre=self.genre,
            music=self.music,
            scopes=self.scopes,
            fallback=self.fallback,
            new_artists=self.new_artists,
            reach=self.reach,
            shown=self.shown,
            without_tracks=self.without_tracks,
            without_artists=self.without_artists,
        )

    async def with_choice(self) -> RequestOptions:
        """Return the options with the scopes of the policy, without what is not wanted again."""
        if self.choose is None:
            return self
        choice = await self.choose()
        return replace(self, scopes=choice.scopes, fallback=choice.fallback, choose=None)

    async def with_scopes(self) -> RequestOptions:
        """Return the options with the scopes of the policy, for the handler of a request.

        They have what is not wanted again, too.
        """
        options = await self.with_choice()
        if self.left_out is not None:
            unwanted = await self.left_out((*options.scopes, *options.fallback))
            options = replace(
                options,
                left_out=None,
                without_tracks=options.without_tracks | unwanted.tracks,
                without_artists=options.without_artists | unwanted.artists,
            )
        return options

    def require_tracks(self, recommender: Recommender) -> None:
        """Raise RequestDeclined if the scopes of the policy hold no track.

        The sentence names the policy if it leaves out the only tracks, those of the starter
        catalogue.
        """
        scopes = (*self.scopes, *self.fallback)
        if not recommender.is_empty(scopes):
            return
        left_out = STARTER not in scopes and not recommender.is_empty((STARTER,))
        raise RequestDeclined("only_starter" if left_out else "library_empty")

    @property
    def visible(self) -> tuple[str, ...]:
        """The scopes whose tracks an earlier response may have, also under another policy."""
        return tuple(dict.fromkeys((STARTER, *self.scopes)))

    def visible_to_one(self, private: bool) -> RequestOptions:
        """Return the options of a response; one that only the user sees has the full layout."""
        return replace(self, compact=self.compact and not private)


class Layouts:
    """Makes the responses about a clip or a track."""

    def __init__(
        self,
        *,
        recommender: Recommender,
        draw: DrawPicture,
        excerpts: Excerpts,
        nearest: NearestTrack | None = None,
        own: OwnGenreCache | None = None,
        last: LastAnswers | None = None,
    ) -> None:
        self._last = last
        self._recommender = recommender
        self._excerpts = excerpts
        self._own = own
        self._draw = draw
        self._nearest = nearest

    async def recommendation(
        self, rec: Recommendation, options: RequestOptions, *, about: Analysis | Track,
        name: str, sha256: str = "", remark: str = "",
    ) -> Response:  # fmt: skip
        """Return the response with similar tracks of a clip or, for a track, of that one.

        ``name`` and ``sha256`` are those of the clip. ``remark`` is a line below the track.
        """
        seed = about if isinstance(about, Track) else None
        if self._last is not None and options.asker is not None and rec.tracks:
            place = about if isinstance(about, Track) else about.embedding
            kept = LastAnswer(place, tuple(neighbour.track for neighbour in rec.tracks))
            self._last.put(options.asker, kept)
        links = await self._links(_shown(rec), [n.track for n in rec.tracks], options)
        if not isinstance(about, Track):
            rec = await self._with_words(rec, about, options)
        if options.compact:
            source = DetailsSource(track_id=seed.id) if seed else DetailsSource(sha256=sha256)
            view = compact.recommendation(
                options.localizer, rec, source=source, key=response_key(_ids(rec)), name=name,
                count=options.count, seed=seed, links=links, remark=remark,
            )  # fmt: skip
            return Response(view)
        analyzed_s = None if isinstance(about, Track) else about.analyzed_s
        alt, files = await self._picture(about, name, options, rec.tracks)
        full = partial(
            answer.recommendation, options.localizer, rec, key=response_key(_ids(rec)), name=name,
            count=options.count, analyzed_s=analyzed_s, seed=seed, links=links, remark=remark,
        )  # fmt: skip
        return Response(full(picture=alt), files, without_files=full)

    async def mix(self, rec: Recommendation, options: RequestOptions, head: MixHead) -> Response:
        """Return the response with tracks for several seeds; it has no picture and no Details."""
        links = await self.links([neighbour.track for neighbour in rec.tracks], options)
        key, count = response_key(_ids(rec)), options.count
        if options.compact:
            view = compact.recommendation(
                options.localizer, rec, source=None, key=key, name="", count=count, links=links,
                seed=head,
            )  # fmt: skip
        else:
            view = answer.recommendation(
                options.localizer, rec, key=key, name="", count=count, links=links, seed=head
            )
        return Response(view)

    async def links(self, tracks: Sequence[Track], options: RequestOptions) -> TrackLinks:
        """Return the addresses of tracks, and whether a Listen button is offered for them."""
        return await self._links([track.id for track in tracks], tracks, options)

    async def _links(
        self, ids: Sequence[int], tracks: Sequence[Track], options: RequestOptions
    ) -> TrackLinks:
        details = await self._recommender.catalogue.details(ids)
        return TrackLinks(options.links, details, self._excerpts.offered(tracks))

    async def genre(
        self, rec: Recommendation, options: RequestOptions, *, about: Analysis, name: str
    ) -> Response:
        """Return the response with the genre of a clip."""
        alt, files = await self._picture(about, name, options)
        rec = await self._with_words(rec, about, options)
        view = partial(
            answer.genre, options.localizer, rec, key=response_key(_ids(rec)), name=name,
            analyzed_s=about.analyzed_s,
        )  # fmt: skip
        return Response(view(picture=alt), files, without_files=view)

    async def _with_words(
        self, rec: Recommendation, analysis: Analysis, options: RequestOptions
    ) -> Recommendation:
        """Add the clip's genres in the words of the libraries that the user may see."""
        if self._own is None:
            return rec
        return replace(rec, words=await self._own.words(options.visible, analysis.embedding))

    async def _picture(
        self,
        about: Analysis | Track,
        name: str,
        options: RequestOptions,
        tracks: Sequence[Neighbour] = (),
    ) -> tuple[str, tuple[MakeFile, ...]]:
        """Return the picture's alt text and its file; "" and none without a preview."""
        if isinstance(about, Track):
            return "", ()
        nearest = await self._nearest.analysis(tracks) if self._nearest is not None else None
        picture = await asyncio.to_thread(self._draw, about, nearest)
        if picture is None:
            return "", ()
        track = tracks[0].track if tracks else None
        alt = picture_text.alt_text(options.localizer, picture, name, track)
        return alt, (lambda: answer.picture_file(picture.png, alt),)


def _shown(rec: Recommendation) -> list[int]:
    """Return the ids of all tracks that a response names."""
    return _ids(rec) + ([rec.known.id] if rec.known is not None else [])


def _ids(rec: Recommendation) -> list[int]:
    return [neighbour.track.id for neighbour in rec.tracks]
