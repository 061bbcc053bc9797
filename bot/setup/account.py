"""Checks of a token and its bot over Discord's REST API, without a gateway connection."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp
import discord
from discord.http import Route

from bot.client.channel_permissions import missing_for
from bot.errors import SettingsError
from bot.runtime.lifecycle import LOGIN_REFUSED
from bot.ui.invites import NEEDED
from genrec.errors import GenrecError

PORTAL = "https://discord.com/developers/applications"
_LIMIT_S = 20.0
_USER_AGENT = f"DiscordBot (genrec, {discord.__version__})"
_MOST_CHANNELS = 100
_STATUS_PAGE = "https://discordstatus.com"


class DiscordUnavailable(GenrecError):
    """Discord cannot be reached or does not answer now; a later try may succeed."""

    code = "discord"


@dataclass(frozen=True, slots=True)
class Reachability:
    """Discord answered: after how long, and how much this machine's clock is ahead of Discord's."""

    seconds: float
    clock_ahead_s: float | None


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """A server of the bot, and the permissions that its roles lack, by their discord.py names."""

    id: int
    name: str
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BotAccount:
    """Facts about the bot of a token; ``faults`` are wrong settings of its application."""

    id: int
    name: str
    owner: str
    message_content: bool
    faults: tuple[str, ...]
    servers: tuple[ServerAccess, ...]


async def read_account(token: str, *, turn_on_message_content: bool = False) -> BotAccount:
    """Return the facts about a token's bot, after a change of its intent if that is wanted.

    Raises
    ------
    SettingsError
        The text is no token, or Discord refuses it.
    DiscordUnavailable
        Discord cannot be reached, has a fault, or limits requests.
    """
    await reach_discord()
    async with signed_in(token) as client:
        application = client.application
        assert application is not None, "login fetches it"
        if turn_on_message_content:
            application = await grant_message_content(application)
        return BotAccount(
            id=application.id,
            name=str(client.user),
            owner=owner_of(application),
            message_content=has_message_content(application),
            faults=tuple(application_faults(application)),
            servers=tuple(await servers(client)),
        )


async def reach_discord() -> Reachability:
    """Request the gateway's address from Discord, which needs no token."""
    began = time.monotonic()
    async with discord_errors(), aiohttp.ClientSession() as session:
        agent = {"User-Agent": _USER_AGENT}
        async with session.get(f"{Route.BASE}/gateway", headers=agent) as response:
            now, took = time.time(), time.monotonic() - began
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise _refused(response.status, response.reason or "")
            date = response.headers.get("Date", "")
    # Discord's header has whole seconds.
    ahead = now - took / 2 - parsedate_to_datetime(date).timestamp() - 0.5 if date else None
    return Reachability(took, ahead)


@asynccontextmanager
async def signed_in(token: str) -> AsyncIterator[discord.Client]:
    """Yield a client of the token's bot that is logged in and not connected.

    Raises
    ------
    SettingsError
        The text is no token, or Discord refuses it.
    DiscordUnavailable
        Discord cannot be reached, has a fault, or limits requests.
    """
    if mistake := token_mistake(token):
        raise SettingsError(mistake)
    # No intent is used; discord.py warns about a client without this one.
    intents = discord.Intents(guilds=True)
    client = discord.Client(intents=intents, max_ratelimit_timeout=30.0)
    async with client:
        async with discord_errors():
            await client.login(token)
        yield client


@asynccontextmanager
async def discord_errors() -> AsyncIterator[None]:
    """Limit the time of the block, and raise its errors of Discord and of the network in words."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            yield
    except discord.LoginFailure as error:
        raise SettingsError(LOGIN_REFUSED) from error
    except discord.RateLimited as error:
        raise DiscordUnavailable(
            f"Discord limits requests of this bot: try again in {error.retry_after:.0f} s."
        ) from error
    except discord.HTTPException as error:
        raise _refused(error.status, error.text) from error
    except TimeoutError as error:
        raise DiscordUnavailable(
            f"Discord has not answered within {_LIMIT_S:.0f} s: check the network, or look at"
            f" {_STATUS_PAGE}."
        ) from error
    except (aiohttp.ClientError, OSError) as error:
        reason = str(error) or type(error).__name__
        raise DiscordUnavailable(
            f"Discord cannot be reached ({reason}): check the network and the firewall."
        ) from error


def token_mistake(text: str) -> str:
    """Return which other text was taken for the token, with the fix; "" if it may be a token."""
    fix = f"copy the token from {PORTAL}, page Bot, Reset Token"
    if not text:
        return f"The token is empty: {fix}."
    if re.search(r"\s", text) or not text.isprintable() or not text.isascii():
        return f"The token contains a space, a line break or a foreign character: {fix}."
    if text.isdigit():
        return f"This is an id, as of the application, and not the token: {fix}."
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return f"This is the application's public key and not the token: {fix}."
    if "." not in text:
        return f"This is not the token; it may be the OAuth2 client secret: {fix}."
    return ""


def owner_of(application: discord.AppInfo) -> str:
    """Return the name of the team or the person that an application belongs to."""
    return application.team.name if application.team else application.owner.name


def application_faults(application: discord.AppInfo) -> list[str]:
    """Return what is wrong with an application's settings, each with the fix."""
    page = f"{PORTAL}/{application.id}"
    faults = []
    if application.interactions_endpoint_url:
        faults.append(
            "Discord sends commands to another address, so genrec gets none: empty 'Interactions"
            f" Endpoint URL' at {page}/information."
        )
    if application.bot_require_code_grant:
        faults.append(
            f"Invites fail while 'Requires OAuth2 Code Grant' is on: turn it off at {page}/bot."
        )
    return faults


def has_message_content(application: discord.AppInfo) -> bool:
    """Return whether the bot gets the content of messages, and with it uploads."""
    flags = application.flags
    return flags.gateway_message_content or flags.gateway_message_content_limited


async def grant_message_content(application: discord.AppInfo) -> discord.AppInfo:
    """Turn the Message Content intent on, as its switch in the developer portal does."""
    flags = discord.ApplicationFlags(gateway_message_content_limited=True) | application.flags
    async with discord_errors():
        return await application.edit(flags=flags)


async def servers(client: discord.Client) -> list[ServerAccess]:
    """Return the servers of the bot, with the permissions that its roles lack there."""
    found: list[ServerAccess] = []
    async with discord_errors():
        while True:
            last = found[-1].id if found else None
            page: Any = await client.http.get_guilds(200, after=last)  # no type has permissions
            found += [
                ServerAccess(int(each["id"]), each["name"], _lacking(int(each["permissions"])))
                for each in page
            ]
            if len(page) < 200:
                return found


async def channels_without_answers(
    client: discord.Client, upload_channels: Mapping[int, int]
) -> dict[str, tuple[str, ...]]:
    """Return the missing permissions of upload channels, by "server #channel".

    ``upload_channels`` maps the id of a channel to that of its server; the first 100 are checked.
    """
    found: dict[str, tuple[str, ...]] = {}
    chosen = dict(list(upload_channels.items())[:_MOST_CHANNELS])
    for guild_id in sorted(set(chosen.values())):
        async with discord_errors():
            try:
                guild = await client.fetch_guild(guild_id, with_counts=False)
                me = await guild.fetch_member(client.user.id if client.user else 0)
                channels = await guild.fetch_channels()
            except discord.NotFound:
                continue  # a server that the bot has left is forgotten at the next start
        for channel in channels:
            if chosen.get(channel.id) == guild_id:
                missing = missing_for(channel, me)
                if missing:
                    found[f"{guild.name} #{channel.name}"] = (*missing.post, *missing.part)
    return found


def _lacking(granted: int) -> tuple[str, ...]:
    has = discord.Permissions(granted)
    return () if has.administrator else tuple(_names(NEEDED.value & ~granted))


def _names(permissions: int) -> Iterator[str]:
    for name, wanted in discord.Permissions(permissions):
        if wanted:
            yield "view_channel" if name == "read_messages" else name


def _refused(status: int, text: str) -> GenrecError:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return DiscordUnavailable("Discord limits requests of this machine: try again later.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return DiscordUnavailable(
            f"Discord has a fault (HTTP {status}): try again later, or look at {_STATUS_PAGE}."
        )
    return DiscordUnavailable(
        f"Discord refuses the request (HTTP {status} {text[:100]}): update genrec."
    )
