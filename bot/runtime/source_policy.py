"""Make the source policy from the settings; errors name the variable."""

from __future__ import annotations

import logging
from pathlib import Path

from bot.config import PREFIX, Settings
from bot.errors import SettingsError
from bot.sources import SITES, SourcePolicy, stale_ytdlp
from bot.sources.policy import WANTED_S, is_proxy
from bot.sources.sites import DEFAULT_SITES

log = logging.getLogger(__name__)


def source_policy(settings: Settings) -> SourcePolicy:
    """Return the source policy of the settings."""
    if settings.clip_disk_bytes < 3 * settings.max_upload_bytes:
        raise _unusable(
            "clip_disk_mb",
            f"is {settings.clip_disk_mb:g} and must be at least {3 * settings.max_upload_mb:g},"
            f" three times {PREFIX}MAX_UPLOAD_MB",
        )
    if settings.link_proxy and not is_proxy(settings.link_proxy):
        # The value is not repeated if it may contain a password.
        fault = (
            "contains a user name" if "@" in settings.link_proxy else f"is {settings.link_proxy!r}"
        )
        raise _unusable("link_proxy", f"{fault} and must have the form http://host:port")
    if settings.ytdlp_dir is not None and not settings.ytdlp_dir.is_dir():
        raise _unusable(
            "ytdlp_dir",
            f"there is no folder {settings.ytdlp_dir}; install yt-dlp there or unset the variable",
        )
    return SourcePolicy(
        lookup=settings.link_lookup,
        sites=_sites(settings),
        max_bytes=settings.max_upload_bytes,
        max_disk_bytes=settings.clip_disk_bytes,
        link_share=settings.link_share,
        min_rate=int(settings.min_rate_kb_s * 1024),
        max_seconds=settings.max_clip_minutes * 60,
        wanted_s=max(WANTED_S, 2 * settings.analyzed_s),
        download_s=settings.fetch_timeout_s,
        page_s=settings.fetch_timeout_s,
        ytdlp_dir=settings.ytdlp_dir,
        ytdlp_plugins=settings.ytdlp_plugins,
        js_runtime=_file("js_runtime", settings.js_runtime),
        cookies_file=_file("cookies_file", settings.cookies_file),
        upstream_proxy=settings.link_proxy,
    )


def old_ytdlp(settings: Settings, policy: SourcePolicy) -> str:
    """Return a warning if yt-dlp is missing or older than the setting allows; else ""."""
    if not settings.ytdlp_max_age_days:
        return ""
    return stale_ytdlp(policy, max_age_days=settings.ytdlp_max_age_days)


def warn_of_old_ytdlp(settings: Settings) -> None:
    """Log the warning of ``old_ytdlp``, if there is one."""
    sentence = old_ytdlp(settings, source_policy(settings))
    if sentence:
        log.warning("yt-dlp outdated or missing: %s", sentence)


def _sites(settings: Settings) -> frozenset[str]:
    """Return the names of the enabled sites; YouTube has a setting of its own."""
    named = frozenset(name.lower() for name in settings.sites)
    chosen = frozenset[str]() if named == {"off"} else named or DEFAULT_SITES
    if "youtube" in chosen:
        raise _unusable("sites", f"YouTube is not enabled here; set {PREFIX}YOUTUBE=on instead")
    unknown = sorted(chosen - SITES.keys())
    if unknown:
        known = ", ".join(sorted(DEFAULT_SITES))
        raise _unusable("sites", f"there is no {', '.join(unknown)}; choose from {known}")
    return chosen | ({"youtube"} if settings.youtube else frozenset())


def _file(name: str, path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise _unusable(
            name, f"there is no file {path}; name an existing one, or unset the variable"
        )
    return path


def _unusable(name: str, why: str) -> SettingsError:
    return SettingsError(f"A setting cannot be used: {PREFIX}{name.upper()}: {why}.")
