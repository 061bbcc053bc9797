"""How old the installed yt-dlp is, told without importing it."""

from __future__ import annotations

import datetime as dt
import re
import sys
from importlib.metadata import distributions
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.sources.policy import SourcePolicy


NO_YTDLP = "yt-dlp is not installed; links to pages will be refused. See docs/links.md."


def ytdlp_version(policy: SourcePolicy) -> str:
    """Return the version that links would use, empty where yt-dlp is not installed."""
    path = [*([str(policy.ytdlp_dir)] if policy.ytdlp_dir else []), *sys.path]
    for found in distributions(name="yt-dlp", path=path):
        return found.version
    return ""


def stale_ytdlp(policy: SourcePolicy, *, max_age_days: int, today: dt.date | None = None) -> str:
    """Return a sentence where yt-dlp is missing or older than ``max_age_days``, else nothing.

    Sites change faster than this project does; yt-dlp's versions are dates, so its age is known
    without asking anybody.
    """
    version = ytdlp_version(policy)
    if not version:
        return NO_YTDLP
    date = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", version)
    if date is None:
        return f"yt-dlp calls itself {version}, which is no date; its age is unknown."
    released = dt.date(*map(int, date.groups()))
    age = ((today or dt.datetime.now(dt.UTC).date()) - released).days
    if age <= max_age_days:
        return ""
    return (
        f"yt-dlp {version} is {age} days old, and pages may fail for it. Update it as docs/links.md"
        " says; no new release of genrec is needed."
    )
