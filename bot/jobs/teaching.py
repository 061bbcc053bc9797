"""Handler of /genres teach: analyse clips of a genre and store their embeddings."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bot.i18n import Localizer
from bot.jobs.runner import Handler, Progress, Response
from bot.own_genre_cache import OwnGenreCache
from bot.recommender import Recommender
from bot.sources import CheckedSources, Sources
from bot.ui import genre_pages
from bot.ui.messages import Limits
from db.tagging.genre_names import genre_key
from db.taught_genres import TaughtClip, teach
from genrec.errors import GenrecError, InputRefused
from genrec.fingerprint import SAME_RECORDING, SAME_SPEED, Fingerprint, RecordingMatcher
from genrec.own_genres import GenreCheck

log = logging.getLogger(__name__)


class SameRecording(InputRefused):
    """Raised for a clip that is the same recording as another clip of the request."""

    code = "same_recording"


class Teacher:
    """Teaches genres to scopes."""

    def __init__(
        self, *, sources: Sources, recommender: Recommender, own: OwnGenreCache, limits: Limits
    ) -> None:
        self._sources = sources
        self._recommender = recommender
        self._own = own
        self._limits = limits
        self._matcher = RecordingMatcher(recommender.preset.spectrogram)

    def teach(
        self, clips: CheckedSources, name: str, scope: str, localizer: Localizer, user_id: int
    ) -> Handler:
        """Return the handler that teaches a genre with clips; the clips themselves are deleted.

        Refused clips are listed. If all are refused, the first refusal is the response.
        """

        async def handle(progress: Progress) -> Response:
            refused = list(clips.refused)
            found: list[TaughtClip] = []
            prints: list[Fingerprint] = []
            for label, source in clips.accepted:
                try:
                    progress.now("fetching")
                    async with self._sources.fetch(source, owner=progress.request.guild_id) as clip:
                        progress.now("analyzing")
                        analysis = await self._recommender.analyze(clip)
                    self._recommender.require_music(analysis)
                    self._require_new(analysis.fingerprint, prints)
                except GenrecError as error:
                    refused.append((label, error))
                    continue
                prints.append(analysis.fingerprint)
                found.append(TaughtClip(clip.sha256, analysis.embedding, user_id))
            if not found:
                raise refused[0][1]
            progress.now("comparing")
            model_id = self._recommender.preset.model_id
            result = await teach(self._recommender.catalogue.db, scope, model_id, name, found)
            log.info("genre taught: %s: %d clips, user %s", scope, result.added, user_id)
            check = await self.check(scope, result.name)
            shown = genre_pages.refusals(localizer, refused, self._limits)
            return Response(genre_pages.taught(localizer, result, check, shown))

        return handle

    async def check(self, scope: str, name: str) -> GenreCheck | None:
        """Return the cross-validation of a genre of a scope, with the current clips."""
        learned = await self._own.learned(scope, patient=True)
        checks = learned.checks if learned is not None else ()
        return next((c for c in checks if genre_key(c.name) == genre_key(name)), None)

    def _require_new(self, fingerprint: Fingerprint, known: Sequence[Fingerprint]) -> None:
        same = self._matcher.match(fingerprint, known, SAME_SPEED) >= SAME_RECORDING
        if bool(same.any()):
            raise SameRecording(
                "This is the same recording as another of these clips: send different ones."
            )
