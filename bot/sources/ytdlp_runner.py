"""Fetch one page's sound with yt-dlp: a program of its own, locked in before it meets the network.

Run by ``bot.sources.ytdlp_process`` and never imported by it. One line of JSON comes in on stdin,
one goes out on stdout; stdin then stays open as a lifeline, and its end is this process group's
end. Needs nothing of genrec, so that it runs with ``-I`` from any directory, and nothing of yt-dlp
until the locks are in place.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_AUDIO = "clip"
_CPU_S = 120
_OPEN_FILES = 256
_MEMORY = 2 << 30
_WHOLE_FILE_BYTES = 12 << 20  # above this, a track in pieces is cheaper than a whole file
_GOOD_KBPS = 128  # more does not change what a spectrogram of 11 kHz shows
_KEPT_SUFFIXES = {"mp3", "m4a", "mp4", "aac", "webm", "opus", "ogg", "oga", "flac", "wav"}
_PROTOCOLS = {"http", "https", "m3u8_native", "http_dash_segments"}
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

Job = dict[str, Any]
Info = dict[str, Any]


def hold_lifeline() -> None:
    """End the whole process group when the parent is gone, however it went."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def limit(job: Job) -> None:
    """Bound what a page's worth of hostile input can make this process take."""

    def cap(kind: int, value: int) -> None:
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))

    cap(resource.RLIMIT_CORE, 0)
    cap(resource.RLIMIT_FSIZE, job["max_bytes"])
    cap(resource.RLIMIT_NOFILE, _OPEN_FILES)
    cap(resource.RLIMIT_CPU, _CPU_S)
    # V8 reserves far more address space than it uses, so with it only what is written to counts.
    cap(resource.RLIMIT_DATA if job["js_runtime"] else resource.RLIMIT_AS, _MEMORY)
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def lock_in(job: Job) -> None:
    """Let Python code connect to the proxy, write to this directory, and start nothing.

    yt-dlp is told the same by its options; the hook holds where an option is forgotten.
    """
    proxy, home, runtime = (
        ("127.0.0.1", job["proxy_port"]),
        os.path.realpath("."),
        job["js_runtime"],
    )
    never = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn"}
    never |= {"socket.sendto", "socket.sendmsg", "socket.bind", "pty.spawn"}

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in never:
            raise PermissionError(f"{event} is not for this process")
        if event == "socket.connect" and tuple(args[1][:2]) != proxy:
            raise PermissionError("only the proxy may be connected to")
        if event == "socket.getaddrinfo" and args[0] != proxy[0]:
            raise PermissionError("names are looked up by the proxy")
        if event == "subprocess.Popen" and (not runtime or args[0] != runtime):
            raise PermissionError("only the JavaScript runtime may be started")
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR):
            where = os.path.realpath(os.fsdecode(args[0])) if not isinstance(args[0], int) else home
            if where not in (os.devnull, home) and not where.startswith(home + os.sep):
                raise PermissionError("only this directory may be written to")

    sys.addaudithook(hook)


def options(job: Job, log: object, hook: Callable[[Info], None]) -> dict[str, Any]:
    """Return yt-dlp's options: one track's sound, over the proxy, and none of the conveniences."""
    return {
        "allowed_extractors": job["extractors"],  # without "generic", which fetches anything
        "default_search": "error",
        "proxy": job["proxy"],
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlist_items": "1:2",  # enough to tell one track from several
        "lazy_playlist": True,
        "format": lambda context: choose(context["formats"], job),
        "outtmpl": {"default": f"{_AUDIO}.%(ext)s"},
        "max_filesize": job["max_bytes"],
        "progress_hooks": [hook],
        "external_downloader": "native",
        "hls_prefer_native": True,
        "fixup": "never",
        "postprocessors": [],
        "js_runtimes": {"deno": {"path": job["js_runtime"]}} if job["js_runtime"] else {},
        "remote_components": [],
        "cookiefile": job["cookies"],
        "usenetrc": False,
        "cachedir": False,
        "enable_file_urls": False,
        "allow_unplayable_formats": False,
        "check_formats": False,
        "geo_bypass": False,
        "updatetime": False,
        "continuedl": False,
        "writethumbnail": False,
        "writesubtitles": False,
        "socket_timeout": job["stall_s"],
        "retries": 1,
        "fragment_retries": 1,
        "extractor_retries": 1,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "compat_opts": {"no-certifi"} if job["own_ca"] else set(),
        "logger": log,
        "noprogress": True,
        "quiet": True,
        "no_color": True,
    }


def choose(formats: list[Info], job: Job) -> list[Info]:
    """Return the one format to fetch: sound alone, small, by a protocol that Python speaks."""

    def usable(entry: Info) -> bool:
        scheme = str(entry.get("url", "")).partition("://")[0].lower()
        return (
            entry.get("protocol") in _PROTOCOLS
            and scheme in job["schemes"]
            and entry.get("acodec") != "none"
            and not entry.get("has_drm")
            and str(entry.get("ext")) in _KEPT_SUFFIXES
            and (in_pieces(entry) or (size(entry) or 0) <= job["max_bytes"])
        )

    def cost(entry: Info) -> tuple[bool, bool, bool, float]:
        whole = not in_pieces(entry)
        kbps = entry.get("abr") or entry.get("tbr") or _GOOD_KBPS
        too_big = whole and (size(entry) or 0) > _WHOLE_FILE_BYTES
        return (entry.get("vcodec") != "none", too_big, not whole, abs(kbps - _GOOD_KBPS))

    return sorted(filter(usable, formats), key=cost)[:1]


def in_pieces(entry: Info) -> bool:
    """Say whether the format comes in fragments, of which the first ones stand for themselves."""
    return entry.get("protocol") not in ("http", "https")


def size(entry: Info) -> float | None:
    """Return the bytes a format is said to have."""
    return entry.get("filesize") or entry.get("filesize_approx")


def refuse(info: Info, job: Job) -> str:
    """Return the reason not to fetch a track, from what its page says; empty for none."""
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
        return "live"
    if (info.get("duration") or 0) > job["max_seconds"]:
        return "too_long"
    return ""


class Downloader(Protocol):
    """What is used of ``yt_dlp.YoutubeDL``."""

    def extract_info(self, url: str, download: bool) -> Info | None:
        """Read a page."""

    def process_ie_result(self, ie_result: Info, download: bool) -> Info | None:
        """Go on from what a page gave."""


class Fetch:
    """One page's fetch; also yt-dlp's logger, which keeps its last complaint and nothing else."""

    def __init__(self, job: Job, yt_dlp: ModuleType) -> None:
        self._job, self._yt_dlp, self._said = job, yt_dlp, ""
        # Raised to end a download early; yt-dlp lets this base class through.
        self._stop: type[Exception] = type("Stop", (yt_dlp.utils.DownloadCancelled,), {})

    def run(self) -> Info:
        """Fetch the page's track into this directory and return what the parent is to know."""
        info: Info = {}
        try:
            with self._yt_dlp.YoutubeDL(options(self._job, self, self._progress)) as ydl:
                info = one_track(ydl, ydl.extract_info(self._job["url"], download=False) or {})
                reason = info.get("refused") or refuse(info, self._job)
                if reason:
                    return failed(reason)
                ydl.process_ie_result(info, download=True)
        except self._stop as stop:
            if str(stop) != "enough":
                return failed(str(stop))
        except self._yt_dlp.utils.YoutubeDLError as error:
            return failed("yt_dlp", error)
        return report(info) or failed(
            "too_large" if "larger than max-filesize" in self._said else "yt_dlp", self._said
        )

    def _progress(self, state: Info) -> None:
        if (state.get("downloaded_bytes") or 0) > self._job["max_bytes"]:
            raise self._stop("too_large")
        pieces, duration = state.get("fragment_count") or 0, state["info_dict"].get("duration")
        written = (state.get("fragment_index") or 0) - 1  # the newest is not in the file yet
        if pieces > 1 and duration and written / pieces * duration >= self._job["wanted_s"]:
            raise self._stop("enough")

    def debug(self, text: str) -> None:
        """Keep the one refusal that yt-dlp takes for a detail."""
        if "max-filesize" in text:
            self._said = text

    def warning(self, text: str) -> None:
        """Drop it: warnings are for people at a terminal."""

    def error(self, text: str) -> None:
        """Keep it."""
        self._said = text


def failed(code: str, message: object = "") -> Info:
    """Return the reply for a failure; an exception is named, so that its class can be told."""
    if isinstance(message, BaseException):
        message = f"{type(message).__name__}: {message}"
    return {"error": code, "message": str(message)[:2000]}


def one_track(ydl: Downloader, info: Info) -> Info:
    """Return the track a result holds, ``refused`` where that is none or several."""
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return info
    entries = [entry for entry in info.get("entries") or () if entry]
    if len(entries) != 1:
        return {"refused": "playlist" if entries else "empty"}
    found = ydl.process_ie_result(entries[0], download=False) or {}
    nested = found.get("_type", "video") in ("playlist", "multi_video")
    return {"refused": "playlist"} if nested else found


def report(info: Info) -> Info:
    """Name the file that lies here and what the page says about it; empty where there is none."""
    names = [path.name for path in Path().glob(f"{_AUDIO}.*")]
    files = [name for name in names if "-Frag" not in name and not name.endswith(".ytdl")]
    if len(files) != 1:
        return {}
    artists = info.get("artists") or info.get("creators") or []
    return {
        "file": files[0],
        "title": info.get("track") or info.get("title"),
        "artist": info.get("artist") or ", ".join(map(str, artists)) or info.get("uploader"),
        "page": info.get("webpage_url"),
    }


def run(job: Job) -> Info:
    """Load yt-dlp, which is heavy and may be missing, and fetch."""
    try:
        yt_dlp = importlib.import_module("yt_dlp")
    except ImportError:
        return failed("not_installed")
    return Fetch(job, yt_dlp).run()


def read_job() -> Job:
    """Read the line that says what to fetch, and leave the rest of stdin to the lifeline."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 1 << 16)
        if not chunk:
            raise SystemExit("stdin ended before the job did")
        line += chunk
    job: Job = json.loads(line)
    return job


def main() -> NoReturn:
    """Read the job, fetch, answer, and wait to be ended together with anything started."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what yt-dlp prints is no part of the answer
    job = read_job()
    hold_lifeline()
    limit(job)
    if job["ytdlp_dir"]:
        sys.path.insert(0, job["ytdlp_dir"])
    lock_in(job)
    try:
        reply = run(job)
    except BaseException as error:  # noqa: BLE001 - what yt-dlp trips over becomes a sentence
        reply = failed("crashed", error)
    answer.write(json.dumps(reply) + "\n")
    answer.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
