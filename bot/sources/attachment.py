"""Check Discord attachments: size, first bytes, and Discord's own hosts only."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from bot.sources.download import guarded_session
from bot.sources.policy import MIB, SourcePolicy, check_url
from genrec.audio.containers import SEARCH_BYTES, sniff
from genrec.errors import ClipTooLarge, GenrecError, LinkRefused

if TYPE_CHECKING:
    from yarl import URL

    from bot.sources.resolver import Resolve

# Time limit for the first bytes of an upload.
_SNIFF_S = 5.0


@dataclass(frozen=True, slots=True)
class Attachment:
    """An upload as Discord describes it; ``size`` is not trusted, since bytes are counted."""

    url: str
    filename: str
    size: int


def check_attachment(attachment: Attachment, policy: SourcePolicy) -> URL:
    """Return the URL of an acceptable upload; raise without I/O if size or host is wrong."""
    if attachment.size > policy.max_bytes:
        raise ClipTooLarge(
            f"That file has {attachment.size / MIB:.0f} MB, and the limit is"
            f" {policy.max_bytes / MIB:.0f} MB. Send a smaller or shorter file."
        )
    if attachment.size <= 0:
        raise LinkRefused("That file is empty. Upload it again.")
    return check_attachment_url(attachment.url, policy)


async def sniff_attachment(
    attachment: Attachment, *, policy: SourcePolicy, resolve: Resolve
) -> bool | None:
    """Return whether an upload's first bytes are those of sound; None if they cannot be read."""
    try:
        url = check_attachment(attachment, policy)
        async with asyncio.timeout(_SNIFF_S), guarded_session(policy, resolve) as session:
            wanted = {"Range": f"bytes=0-{SEARCH_BYTES - 1}", "Accept-Encoding": "identity"}
            async with session.get(url, allow_redirects=False, headers=wanted) as response:
                if response.status not in (200, 206):
                    return None
                head = b""
                while len(head) < SEARCH_BYTES and (chunk := await response.content.readany()):
                    head += chunk
    except (GenrecError, aiohttp.ClientError, OSError, ValueError):  # also a TimeoutError
        return None
    # The sound after a tag with a large picture is beyond these bytes.
    tagged = head.startswith((b"ID3", b"APETAGEX"))
    return tagged or await asyncio.to_thread(sniff, io.BytesIO(head)) is not None


def check_attachment_url(text: str, policy: SourcePolicy) -> URL:
    """Return the URL of an upload or of a redirect of one; raise LinkRefused for another host."""
    url = check_url(text, policy)
    host, port = (url.raw_host or "").lower(), url.port or 0
    if host not in policy.attachment_hosts and (host, port) not in policy.open_endpoints:
        raise LinkRefused("That attachment is not on a Discord host. Upload the file again.")
    return url
