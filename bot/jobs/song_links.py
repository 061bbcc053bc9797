"""Requests about a link whose sound is not fetched: the song is looked up and matched by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.errors import RequestDeclined
from bot.jobs.layouts import RequestOptions
from bot.jobs.runner import Handler, Progress, Response
from bot.recommender import Recommender
from bot.sources import CheckedSource, PageSong, SongLink, SongLookupError, Sources
from bot.ui import song_choice
from genrec.errors import Busy, LinkRefused, UnsupportedSource
from genrec.song_match import SongMatch
from genrec.types import Track

AnswerTrack = Callable[[Track], Awaitable[Response]]
"""Makes the response about the track that a link names."""


@dataclass(frozen=True, slots=True)
class _FoundSong:
    link: SongLink
    song: PageSong
    match: SongMatch


class SongLinks:
    """Makes handlers that match the name of a linked song to the catalogue."""

    def __init__(self, *, sources: Sources, recommender: Recommender) -> None:
        self._sources = sources
        self._recommender = recommender

    def handler(
        self,
        source: CheckedSource,
        kind: str,
        options: RequestOptions,
        answer: AnswerTrack,
        *,
        analyze: Handler | None,
        watched: bool = False,
    ) -> Handler:
        """Return a handler that answers about the track that a link names.

        ``kind`` is "recommend" or "genre", which a list of similar names keeps for the choice.
        ``analyze`` is the handler of the sound, where it may be fetched. Its refusal stands unless
        the catalogue has the song. A ``watched`` link gets no response without a sure match.
        """
        link = source.song
        if link is None:
            raise ValueError(f"url={source.url} leads to no song that can be looked up")

        async def handle(progress: Progress) -> Response:
            progress.quiet = watched and analyze is None
            refusal: LinkRefused | UnsupportedSource | None = None
            if analyze is not None:
                try:
                    return await analyze(progress)
                except (LinkRefused, UnsupportedSource) as error:
                    refusal = error
            try:
                found = await self._find(link, options, progress)
                if found.match.sure is not None:
                    return await answer(found.match.sure)
                return _without_match(found, kind, options, progress, watched=watched)
            except (RequestDeclined, Busy) as declined:
                if refusal is not None:
                    raise refusal from declined
                if watched:
                    key = declined.key if isinstance(declined, RequestDeclined) else declined.code
                    return Response(None, outcome=key)
                raise

        return handle

    async def _find(
        self, link: SongLink, options: RequestOptions, progress: Progress
    ) -> _FoundSong:
        """Return the song of a link with its match; raise RequestDeclined if there is no song."""
        options = await options.with_scopes()
        options.require_tracks(self._recommender)
        progress.now("looking_up")
        try:
            song = await self._sources.look_up(link, owner=progress.request.guild_id)
        except SongLookupError as error:
            raise RequestDeclined(f"song_{error.reason}", site=error.site.title) from error
        progress.now("comparing")
        match = await self._recommender.find_song(song.names, options.visible)
        return _FoundSong(link, song, match)


def _without_match(
    found: _FoundSong, kind: str, options: RequestOptions, progress: Progress, *, watched: bool
) -> Response:
    """Return the list of similar names; raise RequestDeclined if there is none."""
    site, shown = found.link.site.title, found.song.shown
    if watched or not found.match.similar:
        raise RequestDeclined("song_unknown", site=site, song=song_choice.name_of(shown))
    custom_id = song_choice.custom_id(
        kind,
        progress.request.user_id,
        options.count,
        options.genre,
        options.music,
        any_artist=not options.new_artists,
        reach=options.reach,
    )
    view = song_choice.choices(
        options.localizer, found.match.similar, site=site, name=shown, custom_id=custom_id
    )
    return Response(view, outcome="song_choice")
