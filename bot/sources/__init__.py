"""Fetch an upload or a link into a temporary file that is always removed."""

from bot.sources.attachment import Attachment, check_attachment
from bot.sources.fetch import CheckedSource, CheckedSources, Sources, fetch, fetch_or_look_up
from bot.sources.links import LinkKind, links_in
from bot.sources.media import sound_by_name
from bot.sources.policy import SourcePolicy
from bot.sources.receiving import ClipReceiver
from bot.sources.sites import SITES, Site
from bot.sources.song_lookup import SongLookupError
from bot.sources.song_metadata import PageSong
from bot.sources.song_sites import SongLink
from bot.sources.ytdlp_version import stale_ytdlp

__all__ = [
    "SITES",
    "Attachment",
    "CheckedSource",
    "CheckedSources",
    "ClipReceiver",
    "LinkKind",
    "PageSong",
    "Site",
    "SongLink",
    "SongLookupError",
    "SourcePolicy",
    "Sources",
    "check_attachment",
    "fetch",
    "fetch_or_look_up",
    "links_in",
    "sound_by_name",
    "stale_ytdlp",
]
