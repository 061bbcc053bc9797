"""The HTTP interface alone, with a fake pool and a starter catalogue of invented songs."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.config import Settings
from bot.runtime.serve_alone import open_interface
from bot.sources import SourcePolicy
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener

TOKEN = "0123456789abcdef-token"
WAV = b"RIFF" + bytes(4) + b"WAVE" + bytes(2000)


def free_port() -> int:
    """Return a port of loopback that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Reply:
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Interface:
    """A running interface, and a client that knows nothing but the standard library."""

    address: str
    folder: Path
    pool: FakePool
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request with urllib; header names have _ for -."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            self.address + path, data=body, method=method, headers=self.headers | named
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def ask(self, path: str, question: object, **headers: str) -> Reply:
        """Post a question as JSON."""
        body = json.dumps(question).encode()
        return self.send("POST", path, body, Content_Type="application/json", **headers)


OpenServer = Callable[..., AbstractAsyncContextManager[Interface]]


@pytest.fixture
def serving(tmp_path: Path) -> OpenServer:
    """Return a context manager that serves with the given settings."""

    @asynccontextmanager
    async def serve(
        *, songs: int = 12, floor: float = -1.0, policy: SourcePolicy | None = None, **given: Any
    ) -> AsyncIterator[Interface]:
        folder, pool = tmp_path / "preset", FakePool()
        if not folder.exists():
            make_preset(folder, songs=songs, floor=floor)
        clips = tmp_path / "clips"
        clips.mkdir(exist_ok=True)
        settings = Settings(
            _env_file=None,
            preset=folder,
            **{
                "database": tmp_path / "genrec.db",
                "http_port": 0,
                "http_api_port": free_port(),
                "http_api_per_minute": 6000,
            }
            | given,
        )
        chosen = policy or SourcePolicy(
            max_bytes=100_000, max_disk_bytes=1_000_000, temp_root=clips, min_rate=1, stall_s=1.0
        )
        async with open_interface(
            settings, policy=chosen, open_pool=opener(pool), measure_sandbox=None
        ) as address:
            headers = {"Authorization": f"Bearer {TOKEN}"} if "http_api_token" in given else {}
            yield Interface(address, tmp_path, pool, headers)
        assert list(clips.iterdir()) == [], "a clip is left in the temporary folder"

    return serve


@pytest.fixture
async def interface(serving: OpenServer) -> AsyncIterator[Interface]:
    async with serving() as running:
        yield running
