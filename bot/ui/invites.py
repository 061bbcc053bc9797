"""Addresses that add the bot to a server or to an account, with the least permissions."""

from __future__ import annotations

from dataclasses import dataclass

import discord

NEEDED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,
    attach_files=True,
    embed_links=True,
)
"""Permissions that the bot asks for on a server; docs/admins.md says what each is for."""

_TO_SERVER, _TO_ACCOUNT = 0, 1  # https://docs.discord.com: application integration types


@dataclass(frozen=True, slots=True)
class Invites:
    """The addresses for a server, and for the account of a user."""

    server: str
    account: str


def invites(application_id: int) -> Invites:
    """Return the addresses with which an application is added."""
    server = discord.utils.oauth_url(
        application_id, permissions=NEEDED, scopes=("bot", "applications.commands")
    )
    account = discord.utils.oauth_url(application_id, scopes=("applications.commands",))
    return Invites(
        f"{server}&integration_type={_TO_SERVER}", f"{account}&integration_type={_TO_ACCOUNT}"
    )
