"""Checks of ``genrec doctor`` that ask Discord: token, application, intents, servers, clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import discord

from bot.cli.findings import Finding, skip
from bot.config import Settings
from bot.i18n import ENGLISH, Localizer, Translations
from bot.setup.account import (
    PORTAL,
    application_faults,
    channels_without_answers,
    has_message_content,
    owner_of,
    reach_discord,
    servers,
    signed_in,
)
from db.connection import open_db
from db.guild_settings import upload_channels
from genrec.errors import GenrecError

_SHOWN = 5
_MOST_SECONDS_AHEAD = 5.0
_WITH_TOKEN = ("token", "application", "intents", "servers", "upload channels")
_LOCAL = "no token, so genrec runs on the local Discord; `genrec setup` sets one"
_FIX = "give it these permissions, or let an admin invite it again (`genrec setup` has the address)"


def discord_findings(settings: Settings) -> list[Finding]:
    """Return the findings about Discord, in the order of the checks."""
    return asyncio.run(_collect(settings))


async def _collect(settings: Settings) -> list[Finding]:
    if settings.token is None:
        return [skip(name, _LOCAL) for name in ("discord", "clock", *_WITH_TOKEN)]
    try:
        reached = await reach_discord()
    except GenrecError as error:
        bad = Finding("discord", ok=False, note=str(error))
        return [bad, *(skip(name, "no connection") for name in ("clock", *_WITH_TOKEN))]
    found = [
        Finding("discord", ok=True, note=f"answers within {1000 * reached.seconds:.0f} ms"),
        _clock(reached.clock_ahead_s),
    ]
    try:
        async with signed_in(settings.token) as client:
            async for finding in _of_bot(client, settings):
                found.append(finding)  # noqa: PERF401 - those before an error are kept
    except GenrecError as error:
        done = {finding.name for finding in found}
        missing = [name for name in _WITH_TOKEN if name not in done]
        found.append(Finding(missing[0], ok=False, note=str(error)))
        found += [skip(name, f"the check of {missing[0]} failed") for name in missing[1:]]
    return found


async def _of_bot(client: discord.Client, settings: Settings) -> AsyncIterator[Finding]:
    application = client.application
    assert application is not None, "login fetches it"
    owner = owner_of(application)
    yield Finding("token", ok=True, note=f"of the bot {client.user}, which belongs to {owner}")
    faults = application_faults(application)
    note = (
        " ".join(faults) or f"{application.name}, in {application.approximate_guild_count} servers"
    )
    yield Finding("application", ok=not faults, note=note)
    yield _intents(application, settings)
    yield _servers(await _lacking(client))
    channels = await _upload_channels(settings)
    yield _channels(len(channels), await channels_without_answers(client, channels))


def _clock(ahead_s: float | None) -> Finding:
    if ahead_s is None:
        return skip("clock", "Discord did not send the time")
    if abs(ahead_s) <= _MOST_SECONDS_AHEAD:
        return Finding("clock", ok=True, note="agrees with Discord's", vital=False)
    way = "ahead of" if ahead_s > 0 else "behind"
    note = f"{abs(ahead_s):.0f} s {way} Discord's: let the system set it, as with systemd-timesyncd"
    return Finding("clock", ok=False, note=note, vital=False)


def _intents(application: discord.AppInfo, settings: Settings) -> Finding:
    if has_message_content(application):
        return Finding("intents", ok=True, note="Message Content is on")
    where = f"{PORTAL}/{application.id}/bot"
    if not settings.message_content:
        note = "Message Content is off, as GENREC_MESSAGE_CONTENT=off wants"
        return Finding("intents", ok=True, note=note)
    note = (
        f"Message Content is off, so uploads without a mention get no answer: turn it on at {where}"
    )
    return Finding("intents", ok=False, note=note, vital=False)


async def _lacking(client: discord.Client) -> dict[str, tuple[str, ...]]:
    """Return the permissions that the bot's roles lack, by the name of each of its servers."""
    return {f"{each.name} ({each.id})": each.lacking for each in await servers(client)}


def _servers(found: Mapping[str, tuple[str, ...]]) -> Finding:
    if not found:
        note = "the bot is in no server: `genrec setup` prints its invite address"
        return Finding("servers", ok=False, note=note, vital=False)
    lacking = {name: names for name, names in found.items() if names}
    if not lacking:
        note = f"all permissions in {_count(len(found), 'server')}"
        return Finding("servers", ok=True, note=note, vital=False)
    return Finding("servers", ok=False, note=_listed(lacking), vital=False)


async def _upload_channels(settings: Settings) -> Mapping[int, int]:
    """Return the server of each upload channel; none if the database does not exist yet."""
    file = settings.database_file
    if file is not None and not file.exists():
        return {}
    async with open_db(settings.database, check=False) as db:
        return await upload_channels(db)


def _channels(count: int, lacking: Mapping[str, tuple[str, ...]]) -> Finding:
    if lacking:
        return Finding("upload channels", ok=False, note=_listed(lacking), vital=False)
    note = f"all permissions in {_count(count, 'upload channel')}" if count else "none are set"
    return Finding("upload channels", ok=True, note=note, vital=False)


def _listed(lacking: Mapping[str, tuple[str, ...]]) -> str:
    localizer = Localizer(Translations.load((ENGLISH,)), ENGLISH)
    parts = [
        f"{name} lacks " + ", ".join(localizer(f"permissions.{one}") for one in names)
        for name, names in list(lacking.items())[:_SHOWN]
    ]
    more = f"; and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
    return f"{'; '.join(parts)}{more}: {_FIX}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
