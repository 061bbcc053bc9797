"""A server with a small library of invented songs, and a client that knows nothing of genrec."""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from db.connection import open_db
from db.details import TrackDetails
from db.generations import NewTrack
from db.tracks import LIBRARY, Catalogue
from genrec.preset import Preset
from tests.bot.end_to_end.fakes import DIMENSION
from tests.bot.http_api.conftest import Interface, OpenServer, Reply, serving

__all__ = ["serving"]

USER, PASSWORD, KEY = "listener", "long-password-&=+%", "0123456789abcdef-api-key"
ACCESS = {"subsonic_user": USER, "subsonic_password": PASSWORD, "subsonic_api_key": KEY}
RELEASE = "11111111-2222-3333-4444-555555555555"
RECORDING = "99999999-2222-3333-4444-555555555555"


# Of the songs, in radians: loose songs and "Four" lie between "One" and "Five".
ANGLES = (0.0, 0.05, 0.6, 0.4, 0.5, 0.7, 0.1, 0.25, 0.65, 0.66)


@dataclass(frozen=True)
class Client:
    """Calls the server as a Subsonic client does, with parameters that every call has."""

    interface: Interface
    common: Mapping[str, str]

    async def reply(self, endpoint: str, *, post: bool = False, **given: object) -> Reply:
        """Call an endpoint and return status, headers and body."""
        values = {**self.common, **{name: str(value) for name, value in given.items()}}
        query = urllib.parse.urlencode(values)

        def send() -> Reply:
            if post:
                form = {"Content_Type": "application/x-www-form-urlencoded"}
                return self.interface.send("POST", f"/rest/{endpoint}", query.encode(), **form)
            return self.interface.send("GET", f"/rest/{endpoint}?{query}")

        return await asyncio.to_thread(send)

    async def call(self, endpoint: str, **given: Any) -> dict[str, Any]:
        """Return the ``subsonic-response`` of an endpoint."""
        found: dict[str, Any] = json.loads((await self.reply(endpoint, **given)).body)
        return dict(found["subsonic-response"])

    async def ok(self, endpoint: str, **given: Any) -> dict[str, Any]:
        """Return a response that must have succeeded."""
        response = await self.call(endpoint, **given)
        assert response["status"] == "ok", response
        return response

    async def code(self, endpoint: str, **given: Any) -> int:
        """Return the code of a response that must have failed with a sentence."""
        response = await self.call(endpoint, **given)
        assert response["status"] == "failed", response
        assert response["error"]["message"].endswith("."), response
        return int(response["error"]["code"])

    async def song(self, query: str) -> dict[str, Any]:
        """Return the first song that a search finds."""
        found = (await self.ok("search3", query=query))["searchResult3"]["song"]
        assert found, query
        return dict(found[0])

    def without(self, *names: str) -> Client:
        """Return a client that leaves some parameters out."""
        kept = {name: value for name, value in self.common.items() if name not in names}
        return replace(self, common=kept)


def token(salt: str = "c19b2d", password: str = PASSWORD) -> dict[str, str]:
    """Return the parameters of a login by token."""
    digest = hashlib.md5(f"{password}{salt}".encode(), usedforsecurity=False).hexdigest()
    return {"u": USER, "t": digest, "s": salt, "v": "1.16.1", "c": "test", "f": "json"}


def on_arc(angle: float) -> np.ndarray:
    """Return the unit vector at an angle on a circle."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[:2] = np.cos(angle), np.sin(angle)
    return vector


def library_tracks() -> list[NewTrack]:
    """Return ten songs: two albums of one artist, a release of two artists, and loose songs."""
    songs = [
        ("Anna", "One", "First", 1999, "Rock", ""),
        ("Anna", "Two", "First", 1999, "Rock", ""),
        ("Anna", "Three", "Second", 2005, "Rock; Indie", ""),
        ("The Beat", "Four", "Both", 2010, "Jazz", RELEASE),
        ("Çelik", "Five", "Both", 2010, "Jazz", RELEASE),
        ("Çelik", "音楽", "", 0, "Folk", ""),
        ("", "07 track", "", 0, "", ""),
        ("3 Kings", 'Evil "<&>" \x01\ufffe', "First", 1980, "Pop", ""),
        ("Anna", "Six (Live)", "First", 1999, "Rock", ""),
        ("Anna", "Six (2011 Remaster)", "First", 1999, "Rock", ""),
    ]
    return [
        NewTrack(
            title=title,
            artist=artist,
            genre=genre or "jazz",
            label="jazz",
            embedding=on_arc(ANGLES[number]),
            source=f"/nowhere/{number}.flac",
            duration_s=200.4 + number,
            mtime_ns=(1_700_000_000 + number) * 10**9,
            tagged=bool(genre),
            details=TrackDetails(
                album=album,
                year=year,
                release_id=release,
                recording_id=RECORDING if number == 0 else "",
                isrc="DEA621500123" if number == 0 else "",
            ),
        )
        for number, (artist, title, album, year, genre, release) in enumerate(songs)
    ]


@pytest.fixture
async def server(serving: OpenServer, tmp_path: Path) -> AsyncIterator[Interface]:
    """Serve the library to the user and the API key."""
    async with serving():  # makes the preset and the database
        pass
    model = Preset.load(tmp_path / "preset").model_id
    own = replace(library_tracks()[0], title="Private", artist="Members", source="a clip")
    async with open_db(tmp_path / "genrec.db") as db:
        await Catalogue(db).add(LIBRARY, model, library_tracks())
        await Catalogue(db).add("guild:7", model, [replace(own, content="ff" * 32)])
    async with serving(**ACCESS) as running:
        yield running


@pytest.fixture
def client(server: Interface) -> Client:
    return Client(server, token())
