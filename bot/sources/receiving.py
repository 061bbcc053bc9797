"""Receive clips in the body of a request, within the limits of a download."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from bot.sources.budget import BudgetLease
from bot.sources.download import LeastRate, file_suffix
from bot.sources.media import clean_name, title_of
from bot.sources.policy import SourcePolicy
from bot.sources.ytdlp_errors import DISK_FULL
from genrec.errors import Busy, ClipTooLarge, InputRefused, UnreadableAudio
from genrec.types import Clip

_SLOW = (
    "The clip arrives too slowly: less than {rate:.3g} KiB/s over {window:g} s. Send a smaller one."
)


class ClipReceiver:
    """Writes the clips of one request into one temporary folder."""

    def __init__(self, folder: Path, disk: BudgetLease, policy: SourcePolicy) -> None:
        self._folder, self._disk, self._policy = folder, disk, policy
        self._received = self._clips = 0

    async def receive(
        self,
        chunks: AsyncIterator[bytes],
        *,
        file_name: str = "",
        title: str = "",
        artist: str = "",
    ) -> Clip:
        """Write a clip and return it; its title is that of its file name unless one is given.

        Raises
        ------
        ClipTooLarge
            The clip has more bytes than the policy allows.
        UnreadableAudio
            The clip is empty.
        InputRefused
            The clip arrives too slowly.
        Busy
            The disk has no room.
        """
        self._clips += 1
        path = self._folder / f"clip{self._clips}"
        try:
            digest, size = await self._write(path, chunks)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Busy(DISK_FULL) from error
            raise
        if not size:
            raise UnreadableAudio("The clip is empty: send the bytes of a sound file.")
        path = path.rename(path.with_suffix(await asyncio.to_thread(file_suffix, path)))
        named = clean_name(title) or title_of(file_name)
        return Clip(path=path, sha256=digest, title=named, artist=clean_name(artist))

    async def _write(self, path: Path, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
        policy, digest, size = self._policy, hashlib.sha256(), 0
        rate = LeastRate(policy, _SLOW, InputRefused)
        with path.open("xb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > policy.max_bytes:
                    raise ClipTooLarge(
                        f"The clip is larger than {policy.max_bytes / (1 << 20):.0f} MB. Send a"
                        " smaller or shorter file."
                    )
                rate.check(size)
                self._received += len(chunk)
                self._disk.grow(self._received)
                digest.update(chunk)
                file.write(chunk)
        return digest.hexdigest(), size
