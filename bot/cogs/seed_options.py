"""Options of /mix and /radio that name seeds, and the services that both commands use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import discord

from bot.client.checks import as_source
from bot.client.responders import InteractionResponder
from bot.i18n import Translations
from bot.jobs.asked_seeds import AskedSeed, asked_list, asked_source, asked_track
from bot.jobs.mix_baskets import MixBaskets
from bot.jobs.mix_handlers import MixHandlers
from bot.jobs.options import OptionsResolver
from bot.jobs.runner import Handler, RequestRunner
from bot.jobs.track_names import TrackNames
from bot.sources import Sources, links_in


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOptions:
    """The values of the options that name seeds; None where an option is not used."""

    tracks: Iterable[str | None] = ()
    clips: Iterable[discord.Attachment | None] = ()
    links: str | None = None
    list_file: discord.Attachment | None = None
    less_track: str | None = None
    less_clip: discord.Attachment | None = None
    less_link: str | None = None

    def seeds(self, sources: Sources) -> list[AskedSeed]:
        """Return the seeds in the order of the options, the disliked ones last.

        Raises
        ------
        GenrecError
            A file or a link is refused.
        """
        asked = [asked_track(text) for text in self.tracks if text and text.strip()]
        files = [as_source(file) for file in self.clips if file is not None]
        asked += [asked_source(sources, file) for file in files]
        if self.list_file is not None:
            asked.append(asked_list(sources, as_source(self.list_file)))
        asked += [asked_source(sources, link) for link in _links(self.links)]
        if self.less_track and self.less_track.strip():
            asked.append(asked_track(self.less_track, liked=False))
        if self.less_clip is not None:
            asked.append(asked_source(sources, as_source(self.less_clip), liked=False))
        asked += [asked_source(sources, link, liked=False) for link in _links(self.less_link)]
        return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedServices:
    """Services that the cogs of commands with several seeds share."""

    runner: RequestRunner
    sources: Sources
    handlers: MixHandlers
    options: OptionsResolver
    names: TrackNames
    baskets: MixBaskets
    translations: Translations

    def seeds(
        self, interaction: discord.Interaction, given: SeedOptions, collected: bool | None
    ) -> list[AskedSeed]:
        """Return the seeds of a command; the collected clips if they are wanted, or without others.

        Raises
        ------
        GenrecError
            A file or a link is refused.
        """
        asked = given.seeds(self.sources)
        return asked + self.collected(interaction.user.id) if collected or not asked else asked

    def collected(self, user_id: int) -> list[AskedSeed]:
        """Return the seeds of a user's basket."""
        return [
            asked_source(self.sources, clip.source, liked=clip.liked)
            for clip in self.baskets.clips(user_id)
        ]

    async def run(
        self,
        interaction: discord.Interaction,
        kind: str,
        asked: Sequence[AskedSeed],
        handler: Handler,
        *,
        private: bool,
    ) -> None:
        """Run a request with several seeds, which is admitted once."""
        responder = InteractionResponder(interaction, private=private)
        quick = all(each.source is None for each in asked)  # nothing is fetched or analysed
        link = any(each.is_link for each in asked)
        await self.runner.run(responder, kind, handler, link=link, quick=quick)


def _links(text: str | None) -> list[str]:
    """Return the links of a text, without Discord's markup; the text itself if it has none."""
    if not text or not text.strip():
        return []
    return links_in(text) or [text.strip()]
