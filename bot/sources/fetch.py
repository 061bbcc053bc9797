"""Fetch an upload or a link as a clip, and always remove its directory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from bot.sources.attachment import (
    Attachment,
    check_attachment,
    check_attachment_url,
    sniff_attachment,
)
from bot.sources.budget import Budget, BudgetLease, Limit
from bot.sources.download import LeadsToPageError, download
from bot.sources.links import LinkKind, check_sound, link_kind
from bot.sources.media import title_of
from bot.sources.page import fetch_page
from bot.sources.policy import SourcePolicy, check_url, site_of
from bot.sources.receiving import ClipReceiver
from bot.sources.resolver import DnsResolver, Resolve
from bot.sources.song_lookup import SongLookupError, look_up
from bot.sources.song_sites import expand_uris, song_link
from bot.sources.tempdirs import clip_dir, directory_size, remove_stale
from genrec.errors import GenrecError, LinkRefused, UnsupportedSource
from genrec.types import Clip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path
    from types import TracebackType

    from yarl import URL

    from bot.sources.sites import Site
    from bot.sources.song_metadata import PageSong
    from bot.sources.song_sites import SongLink


_MOST_CLIPS = 5  # in the body of one request


@dataclass(frozen=True, slots=True)
class CheckedSource:
    """An upload or a link that ``Sources.check`` has accepted."""

    policy: SourcePolicy  # ``Sources.fetch`` accepts sources of its own policy only
    url: URL
    site: Site | None = None  # of a link to a supported site's page
    attachment: Attachment | None = None
    song: SongLink | None = None  # to be looked up by its name, if its sound cannot be fetched
    no_sound: GenrecError | None = None  # why no sound is fetched; the song is looked up instead

    @property
    def is_link(self) -> bool:
        """Return whether the clip comes from outside Discord."""
        return self.attachment is None


@dataclass(frozen=True, slots=True)
class CheckedSources:
    """Sources as `Sources.check_all` has sorted them, with the names of the clips."""

    accepted: tuple[tuple[str, CheckedSource], ...]
    refused: tuple[tuple[str, GenrecError], ...]


class Sources:
    """Fetch clips concurrently, within the policy's limits on disk space and yt-dlp processes.

    Open it once, in the composition root; tests pass ``resolve`` to fake DNS.
    """

    def __init__(self, policy: SourcePolicy, *, resolve: Resolve | None = None) -> None:
        self._policy = policy
        self._resolve = resolve or DnsResolver()
        self._disk = _disk_budget(policy)
        self._pages = _page_budget(policy)
        self._lookups = _lookup_budget(policy)
        self._limited: dict[str, float] = {}  # sites that limit look-ups, and until when

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(remove_stale, self._policy.temp_root)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: each fetch removes its own directory."""

    @property
    def waiting(self) -> int:
        """Return the number of fetches that wait for disk space or a yt-dlp process."""
        return self._disk.waiting + self._pages.waiting + self._lookups.waiting

    def check(self, source: str | Attachment, *, lookup: bool = False) -> CheckedSource:
        """Return the source as accepted, or raise its refusal; without I/O, before a deferral.

        With ``lookup``, a link to a song whose sound may not be fetched is accepted too, if the
        policy allows it. It has ``no_sound``, and only `look_up` takes it.
        """
        policy = self._policy
        policy.check_kind(upload=isinstance(source, Attachment))
        if isinstance(source, Attachment):
            return CheckedSource(policy, check_attachment(source, policy), attachment=source)
        url = check_url(expand_uris(source), policy)
        song = song_link(url) if lookup and policy.lookup else None
        try:
            site = site_of(url, policy)
            check_sound(url, policy)
        except UnsupportedSource as error:
            if song is None:
                raise
            return CheckedSource(policy, url, song=song, no_sound=error)
        return CheckedSource(policy, url, site, song=song if song and song.may_be_song else None)

    def check_all(self, sources: Iterable[str | Attachment]) -> CheckedSources:
        """Return the sources that `check` accepts, lookups included, and the others' refusals."""
        accepted, refused = [], []
        for source in sources:
            name = source.filename if isinstance(source, Attachment) else source
            try:
                accepted.append((name, self.check(source, lookup=True)))
            except GenrecError as error:
                refused.append((name, error))
        return CheckedSources(tuple(accepted), tuple(refused))

    def link_kind(self, link: str) -> LinkKind:
        """Return what a link may lead to under this policy; without I/O."""
        return link_kind(link, self._policy)

    async def sniff(self, attachment: Attachment) -> bool | None:
        """Return whether an upload's first bytes are those of sound; None if unreadable."""
        return await sniff_attachment(attachment, policy=self._policy, resolve=self._resolve)

    @asynccontextmanager
    async def fetch(
        self, source: str | Attachment | CheckedSource, *, owner: Hashable = None
    ) -> AsyncIterator[Clip]:
        """Fetch ``source``; the clip and its directory last as long as the ``async with``.

        An unchecked source is checked first. ``owner`` is the guild whose share the fetch takes.
        All direct messages have the share of None together.
        """
        checked = source if isinstance(source, CheckedSource) else self.check(source)
        if checked.policy is not self._policy:
            raise ValueError("The source was checked with another policy: check it again.")
        if checked.no_sound is not None:
            raise checked.no_sound
        policy, attachment = self._policy, checked.attachment
        with self._disk.lease(owner, upload=attachment is not None) as disk:
            if attachment is not None:
                await disk.reserve(attachment.size)
            with clip_dir(policy.temp_root) as folder:
                if attachment is None:
                    yield await self._link(checked.url, checked.site, folder, disk)
                else:
                    yield await self._upload(attachment, checked.url, folder, disk)

    @asynccontextmanager
    async def receiving(self, size: int, *, owner: Hashable) -> AsyncIterator[ClipReceiver]:
        """Receive the clips in the body of one request; they last as long as the ``async with``.

        ``size`` is the length of the body, 0 if it is unknown. All clips of one ``owner`` may take
        `receivable` bytes.
        """
        policy = self._policy
        policy.check_kind(upload=True)
        with self._disk.lease(owner, upload=True) as disk:
            await disk.reserve(size, wait_s=policy.stall_s)
            with clip_dir(policy.temp_root) as folder:
                yield ClipReceiver(folder, disk, policy)

    @property
    def policy(self) -> SourcePolicy:
        """The rules and limits of the sources."""
        return self._policy

    @property
    def receivable(self) -> int:
        """Largest body of one request in bytes: several clips, within the share of one owner."""
        policy = self._policy
        share = max(policy.max_disk_bytes // 2, policy.max_bytes)
        return min(_MOST_CLIPS * policy.max_bytes, share)

    async def look_up(self, link: SongLink, *, owner: Hashable = None) -> PageSong:
        """Return the song of a link as its site names it; raise SongLookupError or Busy.

        A site that limits look-ups gets none for ``lookup_pause_s``.
        """
        site = link.site
        if time.monotonic() < self._limited.get(site.name, 0.0):
            raise SongLookupError("limit", site)
        with self._lookups.lease(owner) as request:
            await request.reserve(1)
            try:
                return await look_up(link, policy=self._policy, resolve=self._resolve)
            except SongLookupError as error:
                if error.reason == "limit":
                    self._limited[site.name] = time.monotonic() + self._policy.lookup_pause_s
                raise

    async def _upload(
        self, attachment: Attachment, url: URL, folder: Path, disk: BudgetLease
    ) -> Clip:
        """Download an upload; the clip has no ``source``, because the signed link expires."""
        policy = self._policy
        got = await download(
            url,
            folder,
            policy=policy,
            resolve=self._resolve,
            check_hop=lambda text: check_attachment_url(text, policy),
            disk=disk,
            sound_only=False,  # the decoder reports more precisely what is wrong with the file
        )
        return Clip(path=got.path, sha256=got.sha256, title=title_of(attachment.filename))

    async def _link(self, url: URL, site: Site | None, folder: Path, disk: BudgetLease) -> Clip:
        policy = self._policy
        try:
            if site is not None:
                raise LeadsToPageError(url, site)
            got = await download(
                url, folder, policy=policy, resolve=self._resolve, check_hop=self._hop, disk=disk
            )
        except LeadsToPageError as page:
            return await self._page(page, folder, disk)
        return Clip(path=got.path, sha256=got.sha256, title=title_of(got.url.path), source=str(url))

    async def _page(self, page: LeadsToPageError, folder: Path, disk: BudgetLease) -> Clip:
        with self._pages.lease(disk.owner) as process:
            await process.reserve(1)
            await disk.reserve(self._policy.page_bytes)
            clip = await fetch_page(
                page.url, page.site, folder, policy=self._policy, resolve=self._resolve
            )
        disk.shrink(directory_size(folder))
        return clip

    def _hop(self, text: str) -> URL:
        """Return a link or redirect target as a URL; raise LeadsToPageError for a site's page."""
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
async def fetch_or_look_up(
    source: str, *, policy: SourcePolicy, resolve: Resolve | None = None
) -> AsyncIterator[Clip | PageSong]:
    """Fetch one clip or, where a link gives no sound, its song's name; for the command line.

    Raises SongLookupError if neither a clip nor a song is found, or the site's own refusal.
    """
    async with Sources(policy, resolve=resolve) as sources, AsyncExitStack() as stack:
        checked = sources.check(source, lookup=True)
        found: Clip | PageSong
        try:
            found = await stack.enter_async_context(sources.fetch(checked))
        except (LinkRefused, UnsupportedSource) as refusal:
            if checked.song is None:
                raise
            try:
                found = await sources.look_up(checked.song)
            except SongLookupError as error:
                if checked.no_sound is None:
                    raise refusal from error
                raise
        yield found


def _disk_budget(policy: SourcePolicy) -> Budget:
    """Return the budget of bytes on disk; one owner may hold half of what each kind may."""
    total, links = policy.max_disk_bytes, policy.link_disk_bytes
    return Budget(
        uploads=Limit(total, max(total // 2, policy.max_bytes)),
        links=Limit(links, max(links // 2, policy.page_bytes)),
        max_waiting=policy.max_waiting,
    )


def _page_budget(policy: SourcePolicy) -> Budget:
    """Return the budget of yt-dlp processes; one owner leaves one of several to the others."""
    limit = Limit(policy.pages_at_once, max(1, policy.pages_at_once - 1))
    return Budget(uploads=limit, links=limit, max_waiting=policy.max_waiting)


def _lookup_budget(policy: SourcePolicy) -> Budget:
    """Return the budget of concurrent look-ups; one owner may have half of them."""
    limit = Limit(policy.lookups_at_once, max(1, policy.lookups_at_once // 2))
    return Budget(uploads=limit, links=limit, max_waiting=policy.max_waiting)
