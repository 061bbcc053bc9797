"""Version and age of the installed yt-dlp, read without importing it."""

from __future__ import annotations

import datetime as dt
import re
import sys
from importlib.metadata import distributions
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.sources.policy import SourcePolicy


NO_YTDLP = "yt-dlp is not installed, so links to pages are refused. See docs/links.md."


def ytdlp_version(policy: SourcePolicy) -> str:
    """Return the version that fetches pages, or "" if yt-dlp is not installed."""
    path = [*([str(policy.ytdlp_dir)] if policy.ytdlp_dir else []), *sys.path]
    for distribution in distributions(name="yt-dlp", path=path):
        return distribution.version
    return ""


def stale_ytdlp(policy: SourcePolicy, *, max_age_days: int, today: dt.date | None = None) -> str:
    """Return a warning if yt-dlp is missing or older than ``max_age_days``, else "".

    yt-dlp's versions are dates, so its age needs no request to a server.
    """
    version = ytdlp_version(policy)
    if not version:
        return NO_YTDLP
    date = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", version)
    if date is None:
        return f"yt-dlp has version {version}, which is not a date, so its age is unknown."
    released = dt.date(*map(int, date.groups()))
    age = ((today or dt.datetime.now(dt.UTC).date()) - released).days
    if age <= max_age_days:
        return ""
    return (
        f"yt-dlp {version} is {age} days old, and the limit is {max_age_days}. Pages may fail until"
        " you update it: see docs/links.md."
    )
