"""A site's page to a clip: yt-dlp in its own process, all its traffic through our proxy."""

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

from bot.sources.media import HEAD_BYTES, plain_name, suffix_of
from bot.sources.policy import SourcePolicy, check_url
from bot.sources.proxy import FilteringProxy
from bot.sources.tempdirs import size_of
from bot.sources.ytdlp_errors import explain
from bot.sources.ytdlp_process import RUNNER, ChildFailedError, ChildStoppedError, run_child
from genrec.errors import GenrecError, LinkRefused, UnsupportedFormat
from genrec.types import Clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from yarl import URL

    from bot.sources.resolver import Resolve
    from bot.sources.sites import Site

_log = logging.getLogger(__name__)

# Beside the sound there are pages, player scripts and manifests to read.
_PAGES_BYTES = 32 << 20


async def fetch_page(
    url: URL,
    site: Site,
    folder: Path,
    *,
    policy: SourcePolicy,
    resolve: Resolve,
    command: Sequence[str] = RUNNER,
) -> Clip:
    """Fetch the sound of one track's page into ``folder``."""
    home = folder / "page"
    home.mkdir()
    budget = policy.max_bytes + _PAGES_BYTES
    async with FilteringProxy(policy=policy, resolve=resolve, budget=budget) as proxy:

        def over_limit() -> bool:
            return proxy.over_budget or size_of(home) > policy.page_bytes

        try:
            reply = await run_child(
                _job(url, site, home, proxy, policy),
                folder=home,
                environment=_environment(home, policy),
                timeout_s=policy.page_s,
                over_limit=over_limit,
                command=command,
            )
        except (TimeoutError, ChildFailedError, ChildStoppedError) as error:
            raise _ended(error, proxy) from error
        if "error" in reply:
            raise _failed(reply, proxy, url)
    sound = await asyncio.to_thread(_judge, str(reply.get("file")), home, policy)
    return _clip(sound, reply, url, policy)


def _job(
    url: URL, site: Site, home: Path, proxy: FilteringProxy, policy: SourcePolicy
) -> dict[str, object]:
    """Return what the process is told; the proxy's password goes no other way than this."""
    youtube = site.name == "youtube"
    return {
        "url": str(url),
        "extractors": list(site.extractors),
        "proxy": proxy.url,
        "proxy_port": proxy.port,
        "schemes": sorted(policy.schemes),
        "max_bytes": policy.max_bytes,
        "max_seconds": policy.max_seconds,
        "wanted_s": policy.wanted_s,
        "stall_s": policy.stall_s,
        "js_runtime": _js_runtime(policy) if youtube else None,
        "cookies": _cookies(home, policy) if youtube else None,
        "own_ca": policy.ca_file is not None,
        "ytdlp_dir": str(policy.ytdlp_dir.resolve()) if policy.ytdlp_dir else None,
    }


def _cookies(home: Path, policy: SourcePolicy) -> str | None:
    """Lay a copy of the cookies where yt-dlp, which writes them back, may; return its name."""
    if policy.cookies_file is None:
        return None
    try:
        shutil.copyfile(policy.cookies_file, home / "cookies.txt")
    except OSError as error:  # it was there at the start: without it some pages still answer
        _log.warning("The file of cookies cannot be read, so they are left out: %s", error)
        return None
    return "cookies.txt"


def _js_runtime(policy: SourcePolicy) -> str | None:
    """Return the Deno that yt-dlp may start: it keeps scripts off files and network."""
    beside_python = Path(sys.executable).with_name("deno")  # where pip puts it
    found = policy.js_runtime or shutil.which("deno") or shutil.which(beside_python)
    return os.path.realpath(found) if found else None


def _environment(home: Path, policy: SourcePolicy) -> Mapping[str, str]:
    """Return an environment of our own: the bot's holds its token, proxies and Python settings."""
    kept = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}
    if policy.ca_file is not None:
        kept["SSL_CERT_FILE"] = str(policy.ca_file.resolve())
    if not policy.ytdlp_plugins:
        kept["YTDLP_NO_PLUGINS"] = "1"
    return kept


def _ended(error: Exception, proxy: FilteringProxy) -> GenrecError:
    if isinstance(error, ChildStoppedError) or proxy.over_budget:
        return explain("too_large", "")
    if isinstance(error, TimeoutError):
        return LinkRefused(
            "That site takes too long to give the track out. Try again later, or upload the file."
        )
    return explain("crashed", "", proxy.refused)


def _failed(reply: Mapping[str, Any], proxy: FilteringProxy, url: URL) -> GenrecError:
    code, message = str(reply["error"]), str(reply.get("message"))
    _log.info("yt-dlp on %s: %s %s", plain_name(url.host), code, plain_name(message))
    if proxy.over_budget:
        code = "too_large"
    return explain(code, message, proxy.refused)


def _clip(sound: _Sound, reply: Mapping[str, Any], url: URL, policy: SourcePolicy) -> Clip:
    return Clip(
        path=sound.path.rename(sound.path.with_name(f"sound{sound.suffix}")),
        sha256=sound.sha256,
        title=plain_name(reply.get("title")),
        artist=plain_name(reply.get("artist")),
        source=_page(reply.get("page"), url, policy),
    )


class _Sound(NamedTuple):
    """The file a process left, once it has been judged."""

    path: Path
    suffix: str
    sha256: str


def _judge(name: str, home: Path, policy: SourcePolicy) -> _Sound:
    """Judge the file a process left as if a stranger had: neither name nor kind is believed.

    It only reads, so that a directory can be removed while this still runs in its thread.
    """
    if not re.fullmatch(r"clip\.[A-Za-z0-9.]{1,20}", name):
        raise explain("crashed", "")
    path = home / name
    try:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode):
            raise explain("crashed", "")
        if state.st_size > policy.max_bytes:
            raise explain("too_large", "")
        with path.open("rb") as file:
            suffix = suffix_of(file.read(HEAD_BYTES))
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise explain("crashed", "") from error
    if not suffix:
        raise UnsupportedFormat(
            "That page offers its sound in no form genrec opens. Upload the file instead."
        )
    return _Sound(path, suffix, digest)


def _page(text: object, asked: URL, policy: SourcePolicy) -> str:
    """Return the page's own address where it is a plain link, else the one that was asked for."""
    try:
        return str(check_url(str(text), policy))
    except GenrecError:
        return str(asked)
