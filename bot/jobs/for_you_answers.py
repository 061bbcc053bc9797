"""Handler of /foryou: from a user's votes to the response."""

from __future__ import annotations

import math

from bot.errors import RequestDeclined
from bot.jobs.excerpts import Excerpts
from bot.jobs.layouts import RequestOptions
from bot.jobs.runner import Handler, Progress, Response
from bot.recommender import Recommender
from bot.taste_answers import LEAST_LIKES, ForYou
from bot.ui import for_you_pages
from bot.ui.custom_ids import response_key
from bot.ui.track_links import TrackLinks

FEW = "few_ratings"
"""Outcome of a request of a user with too few likes."""


class ForYouAnswers:
    """Makes the handlers of /foryou."""

    def __init__(self, *, for_you: ForYou, recommender: Recommender, excerpts: Excerpts) -> None:
        self._for_you = for_you
        self._recommender = recommender
        self._excerpts = excerpts

    def handler(
        self, user_id: int, options: RequestOptions, *, private: bool, opt_in: bool = False
    ) -> Handler:
        """Return the handler of /foryou for a user who has opted in, or now does."""

        async def handle(progress: Progress) -> Response:
            progress.now("comparing")
            if opt_in:  # here, since writing may take longer than Discord waits for a first reply
                await self._for_you.opt_in(user_id)
            chosen = await options.with_scopes()
            if self._recommender.is_empty((*chosen.scopes, *chosen.fallback)):
                raise RequestDeclined("library_empty")
            found = await self._for_you.answer(user_id, chosen.rules)
            localizer, rec = options.localizer, found.recommendation
            if rec is None:
                have, needed = math.floor(found.likes + 1e-4), math.ceil(LEAST_LIKES)
                view = for_you_pages.too_few(localizer, max(have, 0), needed)
                return Response(view, outcome=FEW)
            tracks = [each.track for each in rec.tracks]
            details = await self._recommender.catalogue.details(track.id for track in tracks)
            # A liked track of another server is not named here.
            because = {
                track_id: track
                for track_id, track in (found.because or {}).items()
                if track.scope in options.visible
            }
            view = for_you_pages.for_you(
                localizer,
                rec,
                key=response_key([track.id for track in tracks]),
                groups=found.groups,
                because=because,
                links=TrackLinks(chosen.links, details, self._excerpts.offered(tracks)),
                private=private,
            )
            await self._for_you.record_shown(user_id, tracks)
            return Response(view)

        return handle
