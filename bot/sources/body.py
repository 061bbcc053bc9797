"""Check the first bytes of a download, so that a body that is no sound file ends early."""

from __future__ import annotations

import asyncio
import io

from bot.sources.media import not_audio_error, suffix_of
from bot.sources.policy import SourcePolicy, accepted_sources
from genrec.audio.containers import SEARCH_BYTES
from genrec.audio.other_files import other_kind
from genrec.errors import GenrecError

# Enough to recognise pages, playlists, archives and most kinds of files that are not read.
HEAD_BYTES = 512


class BodyCheck:
    """Refuses a body that is no sound file as early as its first bytes show it."""

    def __init__(self, policy: SourcePolicy) -> None:
        self._policy = policy
        self._head = bytearray()
        self._checks = [(HEAD_BYTES, _is_other_file), (SEARCH_BYTES, _has_no_sound)]

    async def add(self, chunk: bytes) -> None:
        """Add the next bytes; raise the error of a body that is no sound file."""
        while self._checks:
            count, refuses = self._checks[0]
            taken = chunk[: count - len(self._head)]
            self._head += taken
            chunk = chunk[len(taken) :]
            if len(self._head) < count:
                return
            del self._checks[0]
            if await asyncio.to_thread(refuses, bytes(self._head)):
                raise self.error()

    def error(self) -> GenrecError:
        """Return the error that names what the body is."""
        return not_audio_error(bytes(self._head), accepted_sources(self._policy))


def _is_other_file(head: bytes) -> bool:
    """Return whether the first `HEAD_BYTES` show that no sound follows."""
    return not _suffix(head) and bool(other_kind(head, sure=True) or _is_page(head))


def _has_no_sound(head: bytes) -> bool:
    """Return whether no sound begins in the first `SEARCH_BYTES`; a tag may be longer."""
    return head[:3] != b"ID3" and head[:8] != b"APETAGEX" and not _suffix(head)


def _suffix(head: bytes) -> str:
    return suffix_of(io.BytesIO(head))


def _is_page(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith(b"<") or b"<html" in text
