"""The one door: an upload or a link goes in, a clip comes out, and its directory always goes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

from bot.sources.attachment import Attachment, check_attachment, fetch_attachment
from bot.sources.download import LeadsToPageError, download
from bot.sources.media import title_of
from bot.sources.page import fetch_page
from bot.sources.policy import SourcePolicy, check_url, site_of
from bot.sources.resolver import Resolve, SystemResolver
from bot.sources.tempdirs import clip_dir, sweep
from genrec.errors import Busy
from genrec.types import Clip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from yarl import URL


class Sources:
    """Fetch clips for many people at once, within one policy's disk and processes.

    Open it once, in the composition root; ``resolve`` is for tests that play name server.
    """

    def __init__(self, policy: SourcePolicy, *, resolve: Resolve | None = None) -> None:
        self._policy = policy
        self._system = SystemResolver()
        self._resolve = resolve or self._system
        self._disk = _Disk(policy.max_disk_bytes, policy.max_waiting)
        self._pages = asyncio.Semaphore(policy.pages_at_once)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(sweep, self._policy.temp_root)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._system.close()

    @property
    def waiting(self) -> int:
        """Return how many fetches wait for room on the disk."""
        return self._disk.waiting

    def check(self, source: str | Attachment) -> None:
        """Refuse what can be refused without I/O, before a command is even deferred."""
        if isinstance(source, Attachment):
            check_attachment(source, self._policy)
        else:
            site_of(check_url(source, self._policy), self._policy)

    @asynccontextmanager
    async def fetch(self, source: str | Attachment) -> AsyncIterator[Clip]:
        """Fetch ``source``; the clip and its directory last as long as the ``async with``."""
        policy = self._policy
        self.check(source)  # before waiting for room
        if isinstance(source, Attachment):
            async with self._disk.room(policy.max_bytes), _folder(policy) as folder:
                yield await fetch_attachment(source, folder, policy=policy, resolve=self._resolve)
            return
        async with self._disk.room(policy.page_bytes), _folder(policy) as folder:
            yield await self._link(check_url(source, policy), folder)

    async def _link(self, url: URL, folder: Path) -> Clip:
        policy = self._policy
        try:
            got = await download(
                self._hop(str(url)),
                folder,
                policy=policy,
                resolve=self._resolve,
                check_hop=self._hop,
            )
        except LeadsToPageError as page:
            async with self._pages:
                return await fetch_page(
                    page.url, page.site, folder, policy=policy, resolve=self._resolve
                )
        return Clip(path=got.path, sha256=got.sha256, title=title_of(got.url.path), source=str(url))

    def _hop(self, text: str) -> URL:
        """Judge where a link, or a redirect of it, leads; LeadsToPageError for a site's page."""
        url = check_url(text, self._policy)
        site = site_of(url, self._policy)
        if site is not None:
            raise LeadsToPageError(url, site)
        return url


@asynccontextmanager
async def fetch(
    source: str | Attachment, *, policy: SourcePolicy, resolve: Resolve | None = None
) -> AsyncIterator[Clip]:
    """Fetch one clip and be done, as the command line does."""
    async with Sources(policy, resolve=resolve) as sources, sources.fetch(source) as clip:
        yield clip


@asynccontextmanager
async def _folder(policy: SourcePolicy) -> AsyncIterator[Path]:
    with clip_dir(policy.temp_root) as folder:
        yield folder


class _Disk:
    """Room on the disk, handed out first come, first served; the line has an end."""

    def __init__(self, total: int, max_waiting: int) -> None:
        self.waiting = 0
        self._free, self._max_waiting = total, max_waiting
        self._line = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def room(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes: what the fetch may take at most, not what it will."""
        if self.waiting >= self._max_waiting:
            raise Busy("Too many clips are being fetched just now. Try again in a minute.")
        self.waiting += 1
        try:
            async with self._line:
                while self._free < size:
                    self._freed.clear()
                    await self._freed.wait()
                self._free -= size
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._free += size
            self._freed.set()
