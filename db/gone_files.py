"""Leave tracks out of answers whose file was deleted since the music was last indexed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from concurrent.futures import Future
from threading import Thread

from db.connection import Database
from db.folders import registered
from db.ingest.presence import is_file_source, is_gone
from db.tracks import LIBRARY
from genrec.types import Track

log = logging.getLogger(__name__)

_MAX_WAIT_S = 0.5


class GoneFiles:
    """Checks whether the files of the operator's tracks are still there.

    A folder that is missing or empty is no evidence: its disk may not be mounted, or the bot may
    run on a machine without the music. The check has a thread of its own. While a network disk
    keeps it waiting, all files count as there.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._running: Future[set[int]] | None = None
        self._late: Future[set[int]] | None = None  # a check that took too long

    async def among(self, tracks: Iterable[Track]) -> set[int]:
        """Return the ids of the tracks whose file is gone, though its indexed folder is there."""
        files = {
            track.id: track.source
            for track in tracks
            if track.scope == LIBRARY and is_file_source(track.source)
        }
        roots = await registered(self._db, LIBRARY) if files else []
        busy = self._running is not None and not self._running.done()
        if not roots or (busy and self._running is self._late):
            return set()
        try:
            async with asyncio.timeout(_MAX_WAIT_S):
                while self._running is not None and not self._running.done():
                    await asyncio.wait([asyncio.wrap_future(self._running)])
                self._running = _start(files, roots)
                return await asyncio.wrap_future(self._running)
        except TimeoutError:
            self._late = self._running
            log.warning("library files not checked: no reply within %s s", _MAX_WAIT_S)
        except (OSError, ValueError) as error:
            log.warning("library files not checked: %s", error)
        return set()


def _start(files: dict[int, str], roots: list[str]) -> Future[set[int]]:
    """Run the check in a thread that does not delay the exit of the process."""
    future: Future[set[int]] = Future()
    future.set_running_or_notify_cancel()

    def check() -> None:
        try:
            gone = {track_id for track_id, path in files.items() if is_gone(path, roots)}
        except BaseException as error:  # noqa: BLE001 - the waiting coroutine gets it
            future.set_exception(error)
        else:
            future.set_result(gone)

    Thread(target=check, name="files", daemon=True).start()
    return future
