"""Find every clip of a message: uploads, links, forwards, cards of other bots, the replied message.

Menus, mentions, direct messages and upload channels all use this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import aiohttp
import discord

from bot.client.retry import with_retry
from bot.errors import RequestDeclined
from bot.sources import Attachment, LinkKind, Sources, links_in, sound_by_name

MAX_CLIPS = 5
"""Clips of one message that are answered: a response and Discord's limit of five follow-ups."""

_Part = discord.Message | discord.MessageSnapshot

_FETCH_S = 1.0  # an interaction must be acknowledged within 3 s
_MAX_SNIFFED = 10  # uploads of one message, as many as Discord allows


@dataclass(frozen=True, slots=True)
class MessageClips:
    """The clips of a message to answer, in order, and the number of those beyond `MAX_CLIPS`."""

    sources: tuple[Attachment | str, ...] = ()
    left_out: int = 0


@dataclass(slots=True)
class _Found:
    """What a message holds; links of ``cards`` come from embeds and components."""

    uploads: list[Attachment] = field(default_factory=list)
    unknown: list[Attachment] = field(default_factory=list)  # neither name nor type says sound
    links: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)


class ClipFinder:
    """Finds the clips of messages."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def asked(
        self,
        message: discord.Message,
        *,
        own_id: int,
        direct: bool = False,
        sniff: bool = True,
        most: int = MAX_CLIPS,
    ) -> MessageClips:
        """Return the clips of a message that a user asks about, else of the one it replies to.

        ``most`` is the largest number of clips.

        ``direct`` is for a direct message to the bot, where a reply to the bot's own message is no
        request about its clip. Without ``sniff``, uploads of unknown kind count as clips.

        Raises
        ------
        RequestDeclined
            Neither message has a clip, or the replied one cannot be read.
        """
        certain, other = await self._clips(message, own_id, sniff=sniff)
        if certain or not _is_reply(message):
            return _some(
                certain or other,
                RequestDeclined("how_to_ask" if direct else "nothing_in_message"),
                most,
            )
        replied = await _replied_message(message, own_id, direct=direct)
        if replied is None or _is_hidden(replied):
            return _some(other, RequestDeclined("reply_hidden"), most)
        theirs, rest = await self._clips(replied, own_id, sniff=sniff)
        return _some(
            theirs or other or rest,
            RequestDeclined("how_to_ask" if direct else "nothing_in_reply"),
            most,
        )

    async def uploaded(self, message: discord.Message, *, own_id: int) -> MessageClips:
        """Return the clips that a message in an upload channel brings; none is no error.

        Of its links, only those count that lead to a track or sound file of an allowed source, or
        to a song that can be looked up: every other link there is conversation.
        """
        found = _found(message, own_id)
        links = self._of_kind(found.links + found.cards, LinkKind.CLIP, LinkKind.SONG)
        return _limited([*found.uploads, *await self._sniffed(found.unknown), *links])

    async def _clips(
        self, message: discord.Message, own_id: int, *, sniff: bool
    ) -> tuple[list[Attachment | str], list[Attachment | str]]:
        """Return the certain clips of a message, and what to try if there is none.

        A card has links to its bot and its artist too, so only its first one is tried.
        """
        found = _found(message, own_id)
        unknown = await self._sniffed(found.unknown) if sniff else found.unknown
        certain: list[Attachment | str] = [
            *found.uploads,
            *unknown,
            *self._of_kind(found.links, LinkKind.CLIP, LinkKind.SONG, LinkKind.REFUSED),
            *self._of_kind(found.cards, LinkKind.CLIP, LinkKind.SONG),
        ]
        refused = self._of_kind(found.cards, LinkKind.REFUSED)
        links = found.links or refused[:1] or found.cards[:1]
        return certain, [*links] or [*found.unknown]

    def _of_kind(self, links: Iterable[str], *kinds: LinkKind) -> list[str]:
        return [link for link in links if self._sources.link_kind(link) in kinds]

    async def _sniffed(self, uploads: list[Attachment]) -> list[Attachment]:
        """Return those of the uploads whose first bytes are sound."""
        uploads = uploads[:_MAX_SNIFFED]
        results = await asyncio.gather(*map(self._sources.sniff, uploads))
        return [upload for upload, is_sound in zip(uploads, results, strict=True) if is_sound]


def _limited(sources: Iterable[Attachment | str], most: int = MAX_CLIPS) -> MessageClips:
    unique = tuple(dict.fromkeys(sources))
    return MessageClips(unique[:most], max(0, len(unique) - most))


def _some(sources: Iterable[Attachment | str], refusal: RequestDeclined, most: int) -> MessageClips:
    """Return the clips; raise the refusal if there are none."""
    clips = _limited(sources, most)
    if not clips.sources:
        raise refusal
    return clips


def _found(message: discord.Message, own_id: int) -> _Found:
    """Return what a message and the messages that it forwards hold; the bot's own hold nothing."""
    found = _Found()
    for part in _parts(message):
        own = isinstance(part, discord.Message) and part.author.id == own_id
        if not own and not _is_response(part):
            _add_part(found, part)
    return found


def _parts(message: discord.Message) -> list[_Part]:
    """Return a message and the messages that it forwards."""
    return [message, *message.message_snapshots]


def _add_part(found: _Found, part: _Part) -> None:
    for attachment in part.attachments:
        upload = Attachment(attachment.url, attachment.filename, attachment.size)
        _add_upload(found, upload, attachment.content_type)
    links = links_in(part.content) if part.content else []
    found.links += links
    for embed in part.embeds:
        # Discord's preview of a link repeats it, and adds its artist and site.
        if embed.type == "rich" or not links:
            found.cards += _links_of(embed)
    known = {upload.url for upload in (*found.uploads, *found.unknown)}
    for component in _walk(part.components):
        if isinstance(component, discord.FileComponent):
            url, name, size = component.media.url, component.name or "", component.size or 1
            if url not in known:
                _add_upload(found, Attachment(url, name, size), component.media.content_type)
        else:
            found.cards += _links_in_component(component)
    found.cards = [link for link in dict.fromkeys(found.cards) if link not in found.links]


def _add_upload(found: _Found, upload: Attachment, content_type: str | None) -> None:
    named = sound_by_name(upload.filename, content_type)
    if named is not False:
        (found.uploads if named else found.unknown).append(upload)


def _links_of(embed: discord.Embed) -> list[str]:
    texts = [embed.url, embed.title, embed.description]
    for row in embed.fields:
        texts += [row.name, row.value]
    texts += [embed.author.url, embed.author.name, embed.footer.text]
    return [link for text in texts if text for link in links_in(text)]


def _walk(components: Iterable[discord.Component]) -> Iterator[discord.Component]:
    """Yield components in reading order, with those inside them."""
    for component in components:
        yield component
        yield from _walk(getattr(component, "children", ()))
        if isinstance(component, discord.SectionComponent):
            yield component.accessory


def _links_in_component(component: discord.Component) -> list[str]:
    if isinstance(component, discord.TextDisplay):
        return links_in(component.content)
    if isinstance(component, discord.Button) and component.url:
        return links_in(component.url)
    if isinstance(component, discord.MediaGalleryComponent):
        media = [item.media for item in component.items]
        return [m.url for m in media if sound_by_name("", m.content_type)]
    return []


def _is_response(part: _Part) -> bool:
    """Return True for a response of genrec, whose links lead to similar tracks.

    A forwarded message does not name its author, so its buttons tell.
    """
    ids = {
        (component.custom_id or "").partition(":")[0]
        for component in _walk(part.components)
        if isinstance(component, discord.Button)
    }
    return {"thumb", "export"} <= ids or ids - {"details"} == {"thumb"}


def _is_reply(message: discord.Message) -> bool:
    kinds = (discord.MessageType.reply, discord.MessageType.thread_starter_message)
    return message.reference is not None and message.type in kinds


async def _replied_message(
    message: discord.Message, own_id: int, *, direct: bool
) -> discord.Message | None:
    """Return the message that a message replies to; of the bot's response, the one it answers."""
    replied = await _referenced(message)
    if replied is None or replied.author.id != own_id or direct:
        return replied
    return await _referenced(replied) if replied.reference is not None else replied


async def _referenced(message: discord.Message) -> discord.Message | None:
    """Return the referenced message from the event or from Discord; None if it is unreadable."""
    reference = message.reference
    if reference is None or reference.message_id is None:
        return None
    if isinstance(reference.resolved, discord.DeletedReferencedMessage):
        return None
    if isinstance(reference.resolved, discord.Message):
        return reference.resolved
    channel, message_id = message.channel, reference.message_id
    try:
        return await with_retry(lambda: channel.fetch_message(message_id), timeout_s=_FETCH_S)
    except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError):
        return None


def _is_hidden(message: discord.Message) -> bool:
    """Return True for a message that Discord emptied, as it does without Message Content."""
    parts = _parts(message)
    full = any(p.content or p.attachments or p.embeds or p.components for p in parts)
    return not (full or message.stickers or message.poll or message.is_system())
