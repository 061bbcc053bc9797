"""Anything a person can point at, an upload or a link, to a clip that is always cleared away."""

from bot.sources.attachment import Attachment, check_attachment
from bot.sources.fetch import Sources, fetch
from bot.sources.policy import SourcePolicy
from bot.sources.sites import SITES, Site
from bot.sources.ytdlp_version import stale_ytdlp

__all__ = [
    "SITES",
    "Attachment",
    "Site",
    "SourcePolicy",
    "Sources",
    "check_attachment",
    "fetch",
    "stale_ytdlp",
]
