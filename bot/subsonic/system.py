"""Endpoints about the server and its user, and those of things that genrec does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.subsonic.library import SubsonicLibrary
from bot.subsonic.parameters import Parameters
from bot.subsonic.subsonic_responses import (
    EXTENSIONS,
    NOT_AUTHORIZED,
    NOT_FOUND,
    Body,
    SubsonicError,
)

_NO_SOUND = "genrec does not send sound files: play the song from the server that your music is on."
_NO_PICTURES = "genrec keeps no cover art; get it from the server that your music is on."
_READ_ONLY = "genrec's library is read-only here; the operator changes it with `genrec library`."
NOT_SERVED: Mapping[str, tuple[int, str]] = {
    **dict.fromkeys(
        ("stream", "download", "hls", "getTranscodeDecision", "getTranscodeStream"),
        (NOT_AUTHORIZED, _NO_SOUND),
    ),
    **dict.fromkeys(("getCoverArt", "getAvatar"), (NOT_FOUND, _NO_PICTURES)),
    **dict.fromkeys(
        (
            "startScan", "createPlaylist", "updatePlaylist", "deletePlaylist", "star", "unstar",
            "setRating", "scrobble", "reportPlayback", "savePlayQueue", "savePlayQueueByIndex",
            "createBookmark", "deleteBookmark", "createUser", "updateUser", "deleteUser",
            "changePassword",
        ),
        (NOT_AUTHORIZED, _READ_ONLY),
    ),
}  # fmt: skip
"""Endpoints that are refused, with the error's code and sentence."""
EMPTY: Mapping[str, Mapping[str, Any]] = {
    "getPlaylists": {"playlists": {"playlist": []}},
    "getStarred": {"starred": {"artist": [], "album": [], "song": []}},
    "getStarred2": {"starred2": {"artist": [], "album": [], "song": []}},
    "getNowPlaying": {"nowPlaying": {"entry": []}},
    "getBookmarks": {"bookmarks": {"bookmark": []}},
    "getShares": {"shares": {"share": []}},
    "getPodcasts": {"podcasts": {"channel": []}},
    "getNewestPodcasts": {"newestPodcasts": {"episode": []}},
    "getVideos": {"videos": {"video": []}},
    "getLyrics": {"lyrics": {"value": ""}},
    "getLyricsBySongId": {"lyricsList": {"structuredLyrics": []}},
    "getInternetRadioStations": {"internetRadioStations": {"internetRadioStation": []}},
}
"""Endpoints of lists that are always empty; clients ask for them at start."""
# Roles of the protocol that the one user does not have.
_ROLES = (
    "adminRole", "settingsRole", "downloadRole", "uploadRole", "playlistRole", "coverArtRole",
    "commentRole", "podcastRole", "streamRole", "jukeboxRole", "shareRole", "videoConversionRole",
)  # fmt: skip


class ServerFacts:
    """Answers the endpoints about the server and its user."""

    def __init__(self, library: SubsonicLibrary, user: str) -> None:
        self._library = library
        self._user = user

    async def ping(self, _: Parameters) -> Body:
        """Answer ``ping``."""
        return {}

    async def license(self, _: Parameters) -> Body:
        """Answer ``getLicense``: free software needs none."""
        return {"license": {"valid": True}}

    async def extensions(self, _: Parameters) -> Body:
        """Answer ``getOpenSubsonicExtensions``, which needs no login."""
        return {
            "openSubsonicExtensions": [
                {"name": name, "versions": list(versions)} for name, versions in EXTENSIONS.items()
            ]
        }

    async def token_info(self, _: Parameters) -> Body:
        """Answer ``tokenInfo``: whose API key it is."""
        return {"tokenInfo": {"username": self._user}}

    async def user(self, given: Parameters) -> Body:
        """Answer ``getUser``; there is one user, without a role that changes anything."""
        name = given.required("username")
        if name != self._user:
            raise SubsonicError(NOT_FOUND, f"There is no user {name[:40]!r}: ask for your own.")
        folders = [folder["id"] for folder in self._library.folders()]
        roles = dict.fromkeys(_ROLES, False)
        return {
            "user": {
                "username": self._user, "scrobblingEnabled": False, **roles, "folder": folders
            }
        }  # fmt: skip

    async def scan_status(self, _: Parameters) -> Body:
        """Answer ``getScanStatus``: nothing is scanned on request, and so many songs are there."""
        recommender = self._library.recommender
        await recommender.reload()
        count = recommender.count(self._library.scopes)
        return {"scanStatus": {"scanning": False, "count": count}}
