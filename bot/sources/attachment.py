"""Discord's attachments: fetched like any link, and from Discord's own hosts only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.sources.download import download
from bot.sources.media import title_of
from bot.sources.policy import MIB, SourcePolicy, check_url
from genrec.errors import ClipTooLarge, LinkRefused
from genrec.types import Clip

if TYPE_CHECKING:
    from pathlib import Path

    from yarl import URL

    from bot.sources.resolver import Resolve


@dataclass(frozen=True, slots=True)
class Attachment:
    """What Discord says about an upload; the size is a claim, and bytes are counted anyway."""

    url: str
    filename: str
    size: int


def check_attachment(attachment: Attachment, policy: SourcePolicy) -> URL:
    """Refuse what can be refused without I/O, before a command is even deferred."""
    if attachment.size > policy.max_bytes:
        raise ClipTooLarge(
            f"That file has {attachment.size / MIB:.0f} MB; genrec takes up to"
            f" {policy.max_bytes / MIB:.0f} MB. Send a smaller or a shorter one."
        )
    if attachment.size <= 0:
        raise LinkRefused("That file is empty. Upload it again.")
    return _check_hop(attachment.url, policy)


async def fetch_attachment(
    attachment: Attachment, folder: Path, *, policy: SourcePolicy, resolve: Resolve
) -> Clip:
    """Fetch an upload into ``folder``.

    Its link is signed and expires, so it is not the clip's source: nobody could follow it later.
    """
    url = check_attachment(attachment, policy)
    got = await download(
        url,
        folder,
        policy=policy,
        resolve=resolve,
        check_hop=lambda text: _check_hop(text, policy),
        sound_only=False,  # the decoder says better what is wrong with somebody's own file
    )
    return Clip(path=got.path, sha256=got.sha256, title=title_of(attachment.filename))


def _check_hop(text: str, policy: SourcePolicy) -> URL:
    url = check_url(text, policy)
    host, port = (url.raw_host or "").lower(), url.port or 0
    if host not in policy.attachment_hosts and (host, port) not in policy.open_endpoints:
        raise LinkRefused("That attachment does not come from Discord. Upload the file again.")
    return url
