"""What may be fetched for a person: which links, which addresses, how much and for how long."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from bot.sources.sites import DEFAULT_SITES, SITES, Site
from genrec.errors import LinkRefused, UnsupportedSource

if TYPE_CHECKING:
    from pathlib import Path

WANTED_S = 120.0  # of a track in pieces, unless more of each file is heard
MIB = 1 << 20

# ``is_global`` calls these public on Python 3.11. The first five carry an IPv4 address inside,
# which a translator or a relay would unpack behind our back.
_HIDDEN_OR_RESERVED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64, local use
        "2002::/16",  # 6to4
        "2001::/32",  # Teredo
        "::/96",  # IPv4-compatible
        "fec0::/10",  # site-local, deprecated but routed by some
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
    )
)

# A dotted name whose last label begins with a letter: no address in any of its spellings.
_HOST_NAME = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)
_PROXY = re.compile(r"http://[A-Za-z0-9._-]+:[0-9]{1,5}/?")
_LONGEST_LINK = 2000
_LONGEST_HOST = 253


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """Every bound on fetching, in one place and handed in; nothing here reads the environment."""

    # Where from.
    sites: frozenset[str] = DEFAULT_SITES
    extra_sites: tuple[Site, ...] = ()
    attachment_hosts: frozenset[str] = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] = frozenset({80, 443})
    # (address, port) pairs let through though not public: a local stand-in for Discord, and tests.
    open_endpoints: frozenset[tuple[str, int]] = frozenset()

    # How much.
    max_bytes: int = 50 * MIB
    max_disk_bytes: int = 1024 * MIB  # all fetches that run at the same time, together
    max_seconds: float = 3600.0  # of a page's track, by its own word
    wanted_s: float = WANTED_S  # of a track that comes in pieces: enough for the middle to be music
    max_redirects: int = 5
    pages_at_once: int = 2  # a yt-dlp process takes about 80 MB and a core
    max_waiting: int = 32

    # For how long.
    connect_s: float = 5.0
    stall_s: float = 10.0  # without one byte
    download_s: float = 60.0
    page_s: float = 90.0
    min_rate: int = 8192  # bytes a second, on average, once ``grace_s`` has passed
    grace_s: float = 5.0

    # Where to, and with what.
    temp_root: Path | None = None
    ca_file: Path | None = None
    ytdlp_dir: Path | None = None
    ytdlp_plugins: bool = False
    js_runtime: Path | None = None  # YouTube only
    cookies_file: Path | None = None
    upstream_proxy: str = ""

    def __post_init__(self) -> None:
        """Refuse settings that cannot work, naming the setting and its value."""
        unknown = sorted(self.sites - SITES.keys())
        if unknown:
            raise ValueError(f"unknown sites {unknown}; genrec knows {sorted(SITES)}.")
        if self.max_disk_bytes < self.page_bytes:
            raise ValueError(
                f"max_disk_bytes={self.max_disk_bytes} leaves no room for one page, which may take"
                f" twice max_bytes={self.max_bytes}."
            )
        if self.upstream_proxy and not is_proxy(self.upstream_proxy):
            raise ValueError("upstream_proxy must be of the form http://host:port.")

    @property
    def page_bytes(self) -> int:
        """Disk that one page may take: the pieces and the file they are joined into."""
        return 2 * self.max_bytes

    @property
    def enabled_sites(self) -> tuple[Site, ...]:
        """Return the sites whose pages are read, the common ones first."""
        return (*(site for site in SITES.values() if site.name in self.sites), *self.extra_sites)


def is_proxy(text: str) -> bool:
    """Say whether ``text`` names a proxy as it must be named: http://host:port, no password."""
    return bool(_PROXY.fullmatch(text))


def is_public(address: str) -> bool:
    """Say whether ``address`` belongs to the public internet, whatever it hides inside."""
    ip = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    reserved = any(ip.version == net.version and ip in net for net in _HIDDEN_OR_RESERVED)
    return ip.is_global and not ip.is_multicast and not reserved


def check_endpoint(address: str, port: int, policy: SourcePolicy) -> None:
    """Refuse a connection to ``address`` unless it is public and the port is a web server's.

    Called with the address a socket is about to use, so that neither a redirect nor a name that
    changes its mind gets past.
    """
    if (address, port) in policy.open_endpoints:
        return
    if not is_public(address):
        raise LinkRefused(
            "That link leads into a private network, where genrec does not go. Send a public link,"
            " or upload the file."
        )
    if port not in policy.ports:
        raise LinkRefused(
            f"That link leads to port {port}; genrec fetches from ordinary web servers only. Send"
            " another link, or upload the file."
        )


def check_url(text: str, policy: SourcePolicy) -> URL:
    """Return ``text`` as the URL to be fetched, or refuse what is no plain web link."""
    text = text.strip().removeprefix("<").removesuffix(">")  # Discord's way to hide a preview
    if len(text) > _LONGEST_LINK:
        raise LinkRefused(
            f"That link is longer than {_LONGEST_LINK} characters. Send a shorter one."
        )
    if not text.isprintable() or " " in text or "\\" in text:
        raise LinkRefused("That is not a web link. Send one that starts with https://.")
    try:
        # A link that is quoted already stays as it is: requoting would break its signature.
        url = URL(text, encoded=text.isascii())
        host = (url.raw_host or "").lower()
        port = url.port
    except ValueError as error:
        raise LinkRefused("That is not a web link. Send one that starts with https://.") from error
    _check_parts(url, host, policy)
    if (host, port) in policy.open_endpoints:
        return url
    if len(host) > _LONGEST_HOST or not _HOST_NAME.fullmatch(host):
        raise LinkRefused("Links must name a site, not a number or a machine. Send a public link.")
    if port not in policy.ports:
        raise LinkRefused(f"Links to port {port} are not fetched. Send one without a port number.")
    return url


def _check_parts(url: URL, host: str, policy: SourcePolicy) -> None:
    if url.scheme not in policy.schemes:
        raise LinkRefused(
            f"Links of the kind {url.scheme[:20]}: are not fetched. Send one that starts with https://."
            if url.scheme
            else "That is not a web link. Send one that starts with https://."
        )
    if "@" in url.raw_authority:
        raise LinkRefused("That link holds a user name or a password. Send one without.")
    if not host:
        raise LinkRefused("That link names no site. Send one that starts with https://.")


def site_of(url: URL, policy: SourcePolicy) -> Site | None:
    """Return the site whose page ``url`` is, or None for a link to a file.

    A site that genrec knows and the operator switched off is refused here, by its name.
    """
    for site in (*SITES.values(), *policy.extra_sites):
        if not site.has_page(url):
            continue
        if site not in policy.enabled_sites:
            raise UnsupportedSource(
                f"Links to {site.title} are switched off here. {known_sites(policy)}"
            )
        return site
    return None


def known_sites(policy: SourcePolicy) -> str:
    """Return the sentence that says what can be sent instead."""
    titles = ", ".join(site.title for site in policy.enabled_sites)
    pages = f", or a track's page on {titles}" if titles else ""
    return f"Send an upload, a direct link to a sound file{pages}."
