"""Pointing discord.py at another address: the three places where it keeps Discord's."""

from __future__ import annotations

import ipaddress
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import yarl
from discord.asset import Asset
from discord.gateway import DiscordWebSocket
from discord.http import Route

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_loopback(host: str) -> bool:
    """Tell whether a host name is this machine and nothing else."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def patch_discord_py(url: str) -> Iterator[None]:
    """Let discord.py in this process talk to the local Discord at ``url``, and restore it after.

    Attachments and the address to resume at come inside payloads, so three are enough.
    """
    if not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError(f"{url} is not on loopback: discord.py is only pointed at this machine.")
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, Asset.BASE
    Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"{url.replace('http', 'ws', 1)}/gateway/")
    Asset.BASE = f"{url}/cdn"
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, Asset.BASE = before
