"""Fetch an upload or a link as a clip, and always remove its directory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bot.sources.attachment import Attachment, check_attachment, fetch_attachment
from bot.sources.download import LeadsToPageError, download
from bot.sources.media import title_of
from bot.sources.page import fetch_page
from bot.sources.policy import SourcePolicy, check_url, site_of
from bot.sources.resolver import Resolve, SystemResolver
from bot.sources.tempdirs import clip_dir, remove_stale
from genrec.errors import Busy
from genrec.types import Clip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import TracebackType

    from yarl import URL

    from bot.sources.sites import Site


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """An upload or a link that ``Sources.check`` has accepted."""

    policy: SourcePolicy  # ``Sources.fetch`` accepts sources of its own policy only
    url: URL
    site: Site | None = None  # of a link to a supported site's page
    attachment: Attachment | None = None


class Sources:
    """Fetch clips concurrently, within the policy's limits on disk space and yt-dlp processes.

    Open it once, in the composition root; tests pass ``resolve`` to fake DNS.
    """

    def __init__(self, policy: SourcePolicy, *, resolve: Resolve | None = None) -> None:
        self._policy = policy
        self._system = SystemResolver()
        self._resolve = resolve or self._system
        self._disk = _DiskBudget(policy.max_disk_bytes, policy.max_waiting)
        self._pages = asyncio.Semaphore(policy.pages_at_once)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(remove_stale, self._policy.temp_root)
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
        """Return the number of fetches that wait for disk space."""
        return self._disk.waiting

    def check(self, source: str | Attachment) -> CheckedSource:
        """Return an accepted source, without I/O: fast enough before a command is deferred."""
        policy = self._policy
        policy.check_kind(upload=isinstance(source, Attachment))
        if isinstance(source, Attachment):
            return CheckedSource(policy, check_attachment(source, policy), attachment=source)
        url = check_url(source, policy)
        return CheckedSource(policy, url, site_of(url, policy))

    @asynccontextmanager
    async def fetch(self, source: str | Attachment | CheckedSource) -> AsyncIterator[Clip]:
        """Fetch ``source``; the clip and its directory last as long as the ``async with``.

        An unchecked source is checked first, before waiting for disk space.
        """
        checked = source if isinstance(source, CheckedSource) else self.check(source)
        if checked.policy is not self._policy:
            raise ValueError("The source was checked with another policy: check it again.")
        policy, attachment = self._policy, checked.attachment
        if attachment is not None:
            async with self._disk.reserve(policy.max_bytes), _folder(policy) as folder:
                yield await fetch_attachment(
                    attachment, checked.url, folder, policy=policy, resolve=self._resolve
                )
            return
        async with self._disk.reserve(policy.page_bytes), _folder(policy) as folder:
            yield await self._link(checked.url, checked.site, folder)

    async def _link(self, url: URL, site: Site | None, folder: Path) -> Clip:
        policy = self._policy
        try:
            if site is not None:
                raise LeadsToPageError(url, site)
            got = await download(
                url, folder, policy=policy, resolve=self._resolve, check_hop=self._hop
            )
        except LeadsToPageError as page:
            async with self._pages:
                return await fetch_page(
                    page.url, page.site, folder, policy=policy, resolve=self._resolve
                )
        return Clip(path=got.path, sha256=got.sha256, title=title_of(got.url.path), source=str(url))

    def _hop(self, text: str) -> URL:
        """Check a link or redirect target; raise LeadsToPageError for a supported site's page."""
        url = check_url(text, self._policy)
        site = site_of(url, self._policy)
        if site is not None:
            raise LeadsToPageError(url, site)
        return url


@asynccontextmanager
async def fetch(
    source: str | Attachment, *, policy: SourcePolicy, resolve: Resolve | None = None
) -> AsyncIterator[Clip]:
    """Fetch one clip without keeping a `Sources` open, for the command line."""
    async with Sources(policy, resolve=resolve) as sources, sources.fetch(source) as clip:
        yield clip


@asynccontextmanager
async def _folder(policy: SourcePolicy) -> AsyncIterator[Path]:
    with clip_dir(policy.temp_root) as folder:
        yield folder


class _DiskBudget:
    """Bytes of disk space, reserved in order of arrival; the queue is limited."""

    def __init__(self, total: int, max_waiting: int) -> None:
        self.waiting = 0
        self._free, self._max_waiting = total, max_waiting
        self._lock = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[None]:
        """Reserve ``size`` bytes, the most that one fetch may write, for the ``async with``."""
        if self.waiting >= self._max_waiting:
            raise Busy("Too many clips are being fetched at the moment. Try again in a minute.")
        self.waiting += 1
        try:
            async with self._lock:
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
