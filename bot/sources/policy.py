"""Rules for fetching: links, addresses, ports, sizes and time limits."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from bot.sources.sites import DEFAULT_SITES, SITES, Site
from genrec.errors import ClipsDisabled, LinkRefused, LinksDisabled, UnsupportedSource

if TYPE_CHECKING:
    from pathlib import Path

WANTED_S = 120.0  # of a track that comes in fragments; the settings may raise it
MIB = 1 << 20

# ``is_global`` is true for these on Python 3.11. The first six embed an IPv4 address, to which a
# translator or relay would forward the connection.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "2002::/16",  # 6to4
        "2001::/32",  # Teredo
        "::/96",  # IPv4-compatible
        "::ffff:0:0:0/96",  # IPv4-translated
        "fec0::/10",  # site-local, deprecated but routed by some
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
    )
)

# A dotted name whose last label begins with a letter, so no spelling of an IP address matches.
_HOST_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
_PROXY = re.compile(r"http://[A-Za-z0-9._-]+:[0-9]{1,5}/?")
_MAX_LINK_CHARS = 2000
_MAX_HOST_CHARS = 253


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """All limits on fetching; the caller passes them in, and nothing here reads the environment."""

    # Sources.
    links: bool = True
    uploads: bool = True
    lookup: bool = False  # of songs by their names, on sites whose sound is not fetched
    sites: frozenset[str] = DEFAULT_SITES
    extra_sites: tuple[Site, ...] = ()
    attachment_hosts: frozenset[str] = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] = frozenset({80, 443})
    # (address, port) pairs that are allowed though not public: the local Discord, and tests.
    open_endpoints: frozenset[tuple[str, int]] = frozenset()

    # Sizes.
    max_bytes: int = 50 * MIB
    max_disk_bytes: int = 1024 * MIB  # of all concurrent fetches together
    max_seconds: float = 3600.0  # of a page's track, as the page declares it
    wanted_s: float = WANTED_S  # of a track that comes in fragments
    max_redirects: int = 5
    pages_at_once: int = 3  # a yt-dlp process takes about 80 MB; one server has all but one
    lookups_at_once: int = 8
    max_waiting: int = 32  # links, and uploads
    link_share: float = 0.75  # of ``max_disk_bytes``, for links; the rest is for uploads

    # Times.
    connect_s: float = 5.0
    stall_s: float = 10.0  # without one byte
    download_s: float = 60.0
    page_s: float = 90.0
    lookup_s: float = 10.0
    lookup_pause_s: float = 60.0  # after a site has limited look-ups
    min_rate: int = 16 * 1024  # bytes per second, in every window of ``rate_window_s``
    rate_window_s: float = 10.0

    # Paths and programs.
    temp_root: Path | None = None
    ca_file: Path | None = None
    ytdlp_dir: Path | None = None
    ytdlp_plugins: bool = False
    js_runtime: Path | None = None  # YouTube only
    cookies_file: Path | None = None
    upstream_proxy: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for settings that cannot work, with the setting and its value."""
        unknown = sorted(self.sites - SITES.keys())
        if unknown:
            raise ValueError(f"sites={unknown} are unknown: expected some of {sorted(SITES)}.")
        if self.max_disk_bytes < self.page_bytes + self.max_bytes:
            raise ValueError(
                f"max_disk_bytes={self.max_disk_bytes} is too small for one page and one upload:"
                f" expected at least {self.page_bytes + self.max_bytes}, three times"
                f" max_bytes={self.max_bytes}."
            )
        if self.upstream_proxy and not is_proxy(self.upstream_proxy):
            raise ValueError("upstream_proxy must have the form http://host:port.")

    @property
    def page_bytes(self) -> int:
        """Bytes on disk that one page may take: the fragments and the file joined from them."""
        return 2 * self.max_bytes

    def check_kind(self, *, upload: bool) -> None:
        """Raise LinksDisabled or ClipsDisabled if uploads, or else links, are not allowed."""
        if not self.uploads:
            raise ClipsDisabled(
                "Uploads and links are turned off, because this bot's computer cannot analyse them"
                " safely. Please contact the bot's operator."
            )
        if not upload and not self.links:
            raise LinksDisabled(
                "Links are turned off, because this bot's computer cannot analyse them safely."
                " Upload the file instead."
            )

    @property
    def link_disk_bytes(self) -> int:
        """Bytes on disk that all links may take together."""
        room = min(int(self.max_disk_bytes * self.link_share), self.max_disk_bytes - self.max_bytes)
        return max(room, self.page_bytes)

    @property
    def enabled_sites(self) -> tuple[Site, ...]:
        """Return the sites whose pages may be fetched, in the order of ``SITES``."""
        return (*(site for site in SITES.values() if site.name in self.sites), *self.extra_sites)


def is_proxy(text: str) -> bool:
    """Return True if ``text`` has the form http://host:port, without a password."""
    return bool(_PROXY.fullmatch(text))


def is_public(address: str) -> bool:
    """Return True if ``address`` is public; an IPv4-mapped address counts as its IPv4 address."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    reserved = any(ip.version == net.version and ip in net for net in _NOT_PUBLIC)
    return ip.is_global and not ip.is_multicast and not reserved


def check_endpoint(address: str, port: int, policy: SourcePolicy) -> None:
    """Raise LinkRefused unless ``address`` is public and ``port`` is one of ``policy.ports``.

    The caller passes the address that the socket is about to use, so redirects and DNS rebinding
    are covered.
    """
    if (address, port) in policy.open_endpoints:
        return
    if not is_public(address):
        raise LinkRefused(
            "That link leads into a private network, which genrec does not reach. Send a public"
            " link, or upload the file."
        )
    if port not in policy.ports:
        raise LinkRefused(
            f"That link leads to port {port}, and only {_ports(policy)} are allowed. Send another"
            " link, or upload the file."
        )


def check_url(text: str, policy: SourcePolicy) -> URL:
    """Return ``text`` as a URL that may be fetched; raise LinkRefused if it may not."""
    # In Discord, <...> around a link hides its preview.
    text = text.strip().removeprefix("<").removesuffix(">")
    if len(text) > _MAX_LINK_CHARS:
        raise LinkRefused(
            f"That link has {len(text)} characters, and the limit is {_MAX_LINK_CHARS}. Send a"
            " shorter one."
        )
    if not text.isprintable() or " " in text or "\\" in text:
        raise LinkRefused("That is not a web link. Send one that starts with https://.")
    try:
        # An ASCII link is quoted already; requoting would break its signature.
        url = URL(text, encoded=text.isascii())
        host = (url.raw_host or "").lower()
        port = url.port
    except ValueError as error:
        raise LinkRefused("That is not a web link. Send one that starts with https://.") from error
    _check_parts(url, host, policy)
    if (host, port) in policy.open_endpoints:
        return url
    if len(host) > _MAX_HOST_CHARS or not _HOST_NAME.fullmatch(host):
        raise LinkRefused(
            "Links must name a site, not an IP address or a local machine. Send a public link."
        )
    if port not in policy.ports:
        raise LinkRefused(
            f"That link names port {port}, and only {_ports(policy)} are allowed. Send one without"
            " a port number."
        )
    return url


def _check_parts(url: URL, host: str, policy: SourcePolicy) -> None:
    if url.scheme not in policy.schemes:
        raise LinkRefused(
            f"That link starts with {url.scheme[:20]}:, which is not allowed. Send one that starts"
            " with https://."
            if url.scheme
            else "That is not a web link. Send one that starts with https://."
        )
    if "@" in url.raw_authority:
        raise LinkRefused("That link contains a user name or password. Send one without.")
    if not host:
        raise LinkRefused("That link names no site. Send one that starts with https://.")


def site_of(url: URL, policy: SourcePolicy) -> Site | None:
    """Return the supported site that ``url`` is a page of, or None for a link to a file.

    Raises UnsupportedSource for a site that the operator has switched off.
    """
    for site in (*SITES.values(), *policy.extra_sites):
        if not site.has_page(url):
            continue
        if site not in policy.enabled_sites:
            raise UnsupportedSource(
                f"Links to {site.title} are switched off on this bot. {accepted_sources(policy)}"
            )
        return site
    return None


def _ports(policy: SourcePolicy) -> str:
    return f"ports {' and '.join(map(str, sorted(policy.ports)))}"


def accepted_sources(policy: SourcePolicy) -> str:
    """Return the sentence that lists the accepted sources."""
    titles = ", ".join(site.title for site in policy.enabled_sites)
    pages = f", or a track's page on {titles}" if titles else ""
    return f"Send an upload, a direct link to a sound file{pages}."
