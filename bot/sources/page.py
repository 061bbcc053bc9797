"""Fetch a track's page with yt-dlp in its own process, behind a filtering proxy."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.sources.media import clean_name, suffix_of
from bot.sources.policy import SourcePolicy, check_url
from bot.sources.proxy import FilteringProxy
from bot.sources.tempdirs import clip_dir, directory_size
from bot.sources.ytdlp_errors import error_for
from bot.sources.ytdlp_process import RUNNER, YtdlpExitedError, YtdlpStoppedError, run_ytdlp
from genrec.errors import GenrecError, LinkRefused, UnsupportedFormat
from genrec.types import Clip
from genrec.workers.sandbox import Measure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from yarl import URL

    from bot.sources.resolver import Resolve
    from bot.sources.sites import Site

_log = logging.getLogger(__name__)

REPORT_COMMAND = RUNNER

# Pages, player scripts and manifests are read beside the sound.
_PAGE_TRAFFIC_BYTES = 32 << 20


async def fetch_page(
    url: URL,
    site: Site,
    folder: Path,
    *,
    policy: SourcePolicy,
    resolve: Resolve,
    command: Sequence[str] = RUNNER,
) -> Clip:
    """Download the audio of a track's page into ``folder`` and return the clip."""
    home = folder / "page"
    home.mkdir()
    budget = policy.max_bytes + _PAGE_TRAFFIC_BYTES
    async with FilteringProxy(site, policy=policy, resolve=resolve, budget=budget) as proxy:

        def over_limit() -> bool:
            return proxy.over_budget or directory_size(home) > policy.page_bytes

        try:
            reply = await run_ytdlp(
                _params(url, site, home, proxy, policy),
                folder=home,
                environment=_environment(home, policy),
                timeout_s=policy.page_s,
                over_limit=over_limit,
                command=command,
                pass_fds=(proxy.channel,),
            )
        except (TimeoutError, YtdlpExitedError, YtdlpStoppedError) as error:
            raise _process_error(error, proxy, policy) from error
        if "error" in reply:
            raise _reported_error(reply, proxy, url, policy)
    sound = await asyncio.to_thread(_check_file, str(reply.get("file")), home, policy)
    return _clip(sound, reply, url, policy)


async def measure_page_sandbox(
    policy: SourcePolicy, *, private: Sequence[Path] = (), timeout_s: float = 30.0
) -> tuple[Measure, ...]:
    """Return the measures in force in a yt-dlp process, and a result of each attempt to escape.

    The attempts include reading each of the ``private`` files that exist.
    """
    params = {
        "report": True,
        "private": [str(path.resolve()) for path in private if path.exists()],
        "max_bytes": policy.max_bytes,
        "js_runtime": js_runtime(policy) if "youtube" in policy.sites else None,
        "ytdlp_dir": None,
        "readable": _readable(policy),
        "channel": None,
    }
    try:
        with clip_dir(policy.temp_root) as home:
            reply = await run_ytdlp(
                params,
                folder=home,
                environment=_environment(home, policy),
                timeout_s=timeout_s,
                over_limit=lambda: False,
                command=REPORT_COMMAND,
            )
        return tuple(Measure(*measure) for measure in reply["measures"])
    except (OSError, KeyError, TypeError, YtdlpExitedError) as error:
        return (Measure("limits of pages", False, f"could not be tested: {error}"),)


def _params(
    url: URL, site: Site, home: Path, proxy: FilteringProxy, policy: SourcePolicy
) -> dict[str, object]:
    """Return the parameters for the yt-dlp process."""
    youtube = site.name == "youtube"
    return {
        "url": str(url),
        "extractors": list(site.extractors),
        "channel": proxy.channel,
        "report": False,
        "readable": _readable(policy),
        "schemes": sorted(policy.schemes),
        "max_bytes": policy.max_bytes,
        "max_seconds": policy.max_seconds,
        "wanted_s": policy.wanted_s,
        "stall_s": policy.stall_s,
        "js_runtime": js_runtime(policy) if youtube else None,
        "cookies": _cookies(home, policy) if youtube else None,
        "own_ca": policy.ca_file is not None,
        "ytdlp_dir": str(policy.ytdlp_dir.resolve()) if policy.ytdlp_dir else None,
    }


def _readable(policy: SourcePolicy) -> list[str]:
    """Return the paths that yt-dlp reads besides Python's."""
    return [str(path.resolve()) for path in (policy.ytdlp_dir, policy.ca_file) if path]


def _cookies(home: Path, policy: SourcePolicy) -> str | None:
    """Copy the cookie file into ``home``, because yt-dlp writes to it; return the copy's name."""
    if policy.cookies_file is None:
        return None
    try:
        shutil.copyfile(policy.cookies_file, home / "cookies.txt")
    except OSError as error:  # it may have been deleted since the start; some pages need none
        _log.warning("cookie file unreadable, continuing without cookies: %s", error)
        return None
    return "cookies.txt"


def js_runtime(policy: SourcePolicy) -> str | None:
    """Return the path of Deno, the JavaScript runtime that isolates scripts, or None."""
    beside_python = Path(sys.executable).with_name("deno")  # the place pip installs it to
    found = policy.js_runtime or shutil.which("deno") or shutil.which(beside_python)
    return os.path.realpath(found) if found else None


def _environment(home: Path, policy: SourcePolicy) -> Mapping[str, str]:
    """Return a minimal environment: the bot's own holds its token, proxies and Python settings."""
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}
    if policy.ca_file is not None:
        environment["SSL_CERT_FILE"] = str(policy.ca_file.resolve())
    if not policy.ytdlp_plugins:
        environment["YTDLP_NO_PLUGINS"] = "1"
    return environment


def _process_error(error: Exception, proxy: FilteringProxy, policy: SourcePolicy) -> GenrecError:
    if isinstance(error, YtdlpStoppedError) or proxy.over_budget:
        return error_for("too_large", "", policy)
    if isinstance(error, TimeoutError):
        return LinkRefused(
            "That site takes too long to send the track. Try again later, or upload the file."
        )
    return error_for("crashed", "", policy, proxy.refused)


def _reported_error(
    reply: Mapping[str, Any], proxy: FilteringProxy, url: URL, policy: SourcePolicy
) -> GenrecError:
    code, message = str(reply["error"]), str(reply.get("message"))
    _log.info("yt-dlp failed on %s: %s %s", clean_name(url.host), code, clean_name(message))
    if proxy.over_budget:
        code = "too_large"
    return error_for(code, message, policy, proxy.refused)


def _clip(sound: _SoundFile, reply: Mapping[str, Any], url: URL, policy: SourcePolicy) -> Clip:
    return Clip(
        path=sound.path.rename(sound.path.with_name(f"sound{sound.suffix}")),
        sha256=sound.sha256,
        title=clean_name(reply.get("title")),
        artist=clean_name(reply.get("artist")),
        source=_page_link(reply.get("page"), url, policy),
    )


class _SoundFile(NamedTuple):
    """The checked file of a yt-dlp process."""

    path: Path
    suffix: str
    sha256: str


def _check_file(name: str, home: Path, policy: SourcePolicy) -> _SoundFile:
    """Check the file that the process reports, without trusting its name or type.

    It only reads, so the directory may be removed while this still runs in its thread.
    """
    if not re.fullmatch(r"clip\.[A-Za-z0-9.]{1,20}", name):
        raise error_for("crashed", "", policy)
    path = home / name
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            raise error_for("crashed", "", policy)
        if state.st_size > policy.max_bytes:
            raise error_for("too_large", "", policy)
        with path.open("rb") as file:
            suffix = suffix_of(file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise error_for("crashed", "", policy) from error
    if not suffix:
        raise UnsupportedFormat(
            "That page offers its sound in no format that genrec opens. Upload the file instead."
        )
    return _SoundFile(path, suffix, digest)


def _page_link(text: object, requested: URL, policy: SourcePolicy) -> str:
    """Return the address that the page reports if it is an acceptable link, else ``requested``."""
    try:
        return str(check_url(str(text), policy))
    except GenrecError:
        return str(requested)
