"""yt-dlp extractor for tests: its pages are results in JSON, or commands to misbehave."""

from __future__ import annotations

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

from yt_dlp.extractor.common import ExtractorError, InfoExtractor


class LocalTestIE(InfoExtractor):
    """Extractor for ``http://pages.test/...``; the key ``do`` names a method to run."""

    _VALID_URL = r"https?://pages\.test/(?P<id>[\w-]+)"

    def _real_extract(self, url: str) -> dict:
        name = self._match_id(url)
        page = self._download_json(url, name)
        action = page.pop("do", None)
        if action:
            getattr(self, f"_do_{action}")(page)
        if page.get("extractor_error"):
            raise ExtractorError(page["extractor_error"], expected=True)
        if page.pop("hls", None):
            page["formats"] = self._extract_m3u8_formats(page["m3u8"], name, "mp3")
            for entry in page["formats"]:
                entry.update(vcodec="none", acodec="mp3")
        return {"id": name, "title": name, **page}

    def _do_login(self, _page: dict) -> None:
        self.raise_login_required()

    def _do_geo(self, _page: dict) -> None:
        self.raise_geo_restricted(countries=["FR"])

    def _do_drm(self, _page: dict) -> None:
        self.report_drm("x")

    def _do_hang(self, _page: dict) -> None:
        time.sleep(600)

    def _do_spin(self, _page: dict) -> None:
        while True:
            pass

    def _do_exit(self, _page: dict) -> None:
        os._exit(0)

    def _do_die(self, _page: dict) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _do_segfault(self, _page: dict) -> None:
        ctypes.string_at(0)

    def _do_raise(self, _page: dict) -> None:
        raise RuntimeError("an extractor's own bug")

    def _do_eat_memory(self, _page: dict) -> None:
        bytearray(8 << 30)

    def _do_fork(self, _page: dict) -> None:
        """Start a child that only a kill of the process group ends."""
        libc = ctypes.CDLL(None)  # bypasses Python's audit hook
        if libc.fork() == 0:
            libc.sleep(600)
            libc._exit(0)
        time.sleep(600)

    def _do_escape(self, page: dict) -> None:
        """Try all ways out that Python offers, and report those that succeeded."""
        here = pathlib.Path.cwd()
        tries = {
            "connect": lambda: socket.create_connection(("127.0.0.1", page["port"]), timeout=2),
            "connect_raw": lambda: socket.socket().connect(("127.0.0.1", page["port"])),
            "unix": lambda: socket.socket(socket.AF_UNIX).connect("/run/x"),
            "udp": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 53)),
            "look_up": lambda: socket.getaddrinfo("inside.test", 80),
            "urllib": lambda: urllib.request.urlopen(f"http://127.0.0.1:{page['port']}/secret"),
            "file": lambda: self._downloader.urlopen("file:///etc/passwd"),
            "run": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
            "system": lambda: os.system("true"),
            "fork": os.fork,
            "write": lambda: (here.parent / "left-behind").write_text("x"),
            "write_home": lambda: pathlib.Path(page["target"]).write_text("x"),
            "grow": lambda: pathlib.Path("big").write_bytes(b"\1" * (page["max_bytes"] + 1)),
        }
        done = []
        for name, attempt in tries.items():
            try:
                attempt()
            except Exception:  # noqa: BLE001 - any exception counts as refused
                continue
            done.append(name)
        pathlib.Path("big").unlink(missing_ok=True)
        page["title"] = "let through: " + " ".join(done)
        page["uploader"] = "environment: " + " ".join(sorted(os.environ))
