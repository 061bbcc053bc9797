"""Fetch an upload or a link into a temporary file that is always removed."""

from bot.sources.attachment import Attachment, check_attachment
from bot.sources.fetch import CheckedSource, Sources, fetch
from bot.sources.policy import SourcePolicy
from bot.sources.sites import SITES, Site
from bot.sources.ytdlp_version import stale_ytdlp

__all__ = [
    "SITES",
    "Attachment",
    "CheckedSource",
    "Site",
    "SourcePolicy",
    "Sources",
    "check_attachment",
    "fetch",
    "stale_ytdlp",
]
