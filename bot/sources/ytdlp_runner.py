"""Standalone program that downloads one page's sound with yt-dlp under restrictions.

`bot.sources.ytdlp_process` starts it and never imports it. It reads one line of JSON from stdin
and writes one to stdout. Stdin then stays open, and its end kills this process group. It runs with
``-I`` from any directory. It imports yt-dlp only after the sandbox is in force.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_FILE_STEM = "clip"
_MAX_WHOLE_FILE_BYTES = 12 << 20  # above this, a fragmented track is cheaper than a whole file
_WANTED_KBPS = 128  # a spectrogram up to 11 kHz gains nothing from more
_AUDIO_SUFFIXES = {"mp3", "m4a", "mp4", "aac", "webm", "opus", "ogg", "oga", "flac", "wav"}
_PROTOCOLS = {"http", "https", "m3u8_native", "http_dash_segments"}

Params = dict[str, Any]
Info = dict[str, Any]


def exit_with_parent() -> None:
    """Kill the process group when stdin ends, which it does however the parent exits."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(PermissionError):  # without programs, the group is this process
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def load_sandbox() -> ModuleType:
    """Load `bot.sources.ytdlp_sandbox` by its path, because ``-I`` leaves out its folders."""
    path = Path(__file__).resolve().with_name("ytdlp_sandbox.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.append(str(path.parents[2]))  # the folder with the package genrec
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop()
    return module


def options(params: Params, log: object, hook: Callable[[Info], None]) -> dict[str, Any]:
    """Return yt-dlp's options: one track's sound, through the proxy, all extras off."""
    return {
        "allowed_extractors": params["extractors"],  # never "generic", which fetches any URL
        "default_search": "error",
        "proxy": params["proxy"],  # an address that `ytdlp_sandbox.ProxySocket` recognises
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlist_items": "1:2",  # enough to distinguish one track from several
        "lazy_playlist": True,
        "format": lambda context: choose_format(context["formats"], params),
        "outtmpl": {"default": f"{_FILE_STEM}.%(ext)s"},
        "max_filesize": params["max_bytes"],
        "progress_hooks": [hook],
        "external_downloader": "native",
        "hls_prefer_native": True,
        "fixup": "never",
        "postprocessors": [],
        "js_runtimes": {"deno": {"path": params["js_runtime"]}} if params["js_runtime"] else {},
        "remote_components": [],
        "cookiefile": params["cookies"],
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
        "socket_timeout": params["stall_s"],
        "retries": 1,
        "fragment_retries": 1,
        "extractor_retries": 1,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "compat_opts": {"no-certifi"} if params["own_ca"] else set(),
        "logger": log,
        "noprogress": True,
        "quiet": True,
        "no_color": True,
    }


def choose_format(formats: list[Info], params: Params) -> list[Info]:
    """Return the best format: audio only, small, by a protocol that yt-dlp speaks itself."""

    def usable(entry: Info) -> bool:
        scheme = str(entry.get("url", "")).partition("://")[0].lower()
        return (
            entry.get("protocol") in _PROTOCOLS
            and scheme in params["schemes"]
            and entry.get("acodec") != "none"
            and not entry.get("has_drm")
            and str(entry.get("ext")) in _AUDIO_SUFFIXES
            and (is_fragmented(entry) or (declared_size(entry) or 0) <= params["max_bytes"])
        )

    def cost(entry: Info) -> tuple[bool, bool, bool, float]:
        whole = not is_fragmented(entry)
        kbps = entry.get("abr") or entry.get("tbr") or _WANTED_KBPS
        too_big = whole and (declared_size(entry) or 0) > _MAX_WHOLE_FILE_BYTES
        return (entry.get("vcodec") != "none", too_big, not whole, abs(kbps - _WANTED_KBPS))

    return sorted(filter(usable, formats), key=cost)[:1]


def is_fragmented(entry: Info) -> bool:
    """Return True if the format comes in fragments, so that the first ones decode alone."""
    return entry.get("protocol") not in ("http", "https")


def declared_size(entry: Info) -> float | None:
    """Return the declared size of a format in bytes, or None."""
    return entry.get("filesize") or entry.get("filesize_approx")


def rejection(info: Info, params: Params) -> str:
    """Return the code for refusing a track by its page's declarations, or ""."""
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
        return "live"
    if (info.get("duration") or 0) > params["max_seconds"]:
        return "too_long"
    return ""


class Downloader(Protocol):
    """The methods of ``yt_dlp.YoutubeDL`` that are used."""

    def extract_info(self, url: str, download: bool) -> Info | None:
        """Return the metadata of a page."""

    def process_ie_result(self, ie_result: Info, download: bool) -> Info | None:
        """Resolve a result of ``extract_info`` and return it; ``download`` fetches the file."""


class PageDownload:
    """Download of one page; also yt-dlp's logger, which keeps only the last error."""

    def __init__(self, params: Params, yt_dlp: ModuleType) -> None:
        self._params, self._yt_dlp, self._last_message = params, yt_dlp, ""
        # Raised to end a download early; yt-dlp does not catch this base class.
        self._stop: type[Exception] = type("Stop", (yt_dlp.utils.DownloadCancelled,), {})

    def run(self) -> Info:
        """Download the page's track into this directory and return the reply."""
        info: Info = {}
        try:
            with self._yt_dlp.YoutubeDL(options(self._params, self, self._progress)) as ydl:
                info = single_track(
                    ydl, ydl.extract_info(self._params["url"], download=False) or {}
                )
                reason = info.get("refused") or rejection(info, self._params)
                if reason:
                    return failure(reason)
                ydl.process_ie_result(info, download=True)
        except self._stop as stop:
            if str(stop) != "enough":
                return failure(str(stop))
        except self._yt_dlp.utils.YoutubeDLError as error:
            return failure("yt_dlp", error)
        return downloaded_track(info) or failure(
            "too_large" if "larger than max-filesize" in self._last_message else "yt_dlp",
            self._last_message,
        )

    def _progress(self, state: Info) -> None:
        if (state.get("downloaded_bytes") or 0) > self._params["max_bytes"]:
            raise self._stop("too_large")
        fragments, duration = state.get("fragment_count") or 0, state["info_dict"].get("duration")
        written = (state.get("fragment_index") or 0) - 1  # the newest is not in the file yet
        if (
            fragments > 1
            and duration
            and written / fragments * duration >= self._params["wanted_s"]
        ):
            raise self._stop("enough")

    def debug(self, text: str) -> None:
        """Keep the size error, which yt-dlp logs as a detail."""
        if "max-filesize" in text:
            self._last_message = text

    def warning(self, text: str) -> None:
        """Ignore warnings."""

    def error(self, text: str) -> None:
        """Keep the message."""
        self._last_message = text


def failure(code: str, message: object = "") -> Info:
    """Return the reply for a failure, with the class name if ``message`` is an exception."""
    if isinstance(message, BaseException):
        message = f"{type(message).__name__}: {message}"
    return {"error": code, "message": str(message)[:2000]}


def single_track(ydl: Downloader, info: Info) -> Info:
    """Return the single track of a result; ``refused`` if it holds none or several."""
    if info.get("_type", "video") not in ("playlist", "multi_video"):
        return info
    entries = [entry for entry in info.get("entries") or () if entry]
    if len(entries) != 1:
        return {"refused": "playlist" if entries else "empty"}
    track = ydl.process_ie_result(entries[0], download=False) or {}
    nested = track.get("_type", "video") in ("playlist", "multi_video")
    return {"refused": "playlist"} if nested else track


def downloaded_track(info: Info) -> Info:
    """Return the name of the downloaded file with its metadata, or {} without a file."""
    names = [path.name for path in Path().glob(f"{_FILE_STEM}.*")]
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


def run(params: Params) -> Info:
    """Import yt-dlp, which is slow and may be missing, and download the page."""
    try:
        yt_dlp = importlib.import_module("yt_dlp")
    except ImportError:
        return failure("not_installed")
    return PageDownload(params, yt_dlp).run()


def report(sandbox: ModuleType, measures: tuple[Any, ...], params: Params) -> Info:
    """Return the measures in force, and a result for each attempt to leave the sandbox."""
    attempts = sandbox.try_escapes(params)
    return {"measures": [[each.name, each.in_force, each.note] for each in (*measures, *attempts)]}


def read_params() -> Params:
    """Read the line of parameters from stdin, and leave stdin open for `exit_with_parent`."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 1 << 16)
        if not chunk:
            raise SystemExit("stdin ended before the line of parameters")
        line += chunk
    params: Params = json.loads(line)
    return params


def main() -> NoReturn:
    """Read the parameters, download, write the reply, and wait to be killed with the group."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # yt-dlp's own output is not part of the reply
    params = read_params()
    sandbox = load_sandbox()
    if params["ytdlp_dir"]:
        sys.path.insert(0, params["ytdlp_dir"])
    measures = (sandbox.set_limits(params), *sandbox.enter(params))
    exit_with_parent()  # a thread, so only now: the sandbox covers no thread that runs already
    sandbox.restrict_python(params)
    params["proxy"] = "http://{}:{}".format(*sandbox.PROXY)
    if params["channel"] is not None:
        sandbox.connect_by(params["channel"])
    try:
        reply = report(sandbox, measures, params) if params["report"] else run(params)
    except BaseException as error:  # noqa: BLE001 - any failure becomes a reply
        reply = failure("crashed", error)
    output.write(json.dumps(reply) + "\n")
    output.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
