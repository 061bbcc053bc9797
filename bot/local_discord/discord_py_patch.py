"""Redirect discord.py to another server by patching its three base URLs."""

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
    """Return True if ``host`` is localhost or a loopback address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def patch_discord_py(url: str) -> Iterator[None]:
    """Redirect discord.py in this process to the local Discord at ``url`` until the block ends.

    Three URLs are enough: payloads contain those of attachments and of the resume gateway.
    """
    if not is_loopback(urlsplit(url).hostname or ""):
        raise ValueError(f"url={url}: expected a loopback address such as http://127.0.0.1:8080")
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, Asset.BASE
    Route.BASE = f"{url}/api/v10"
    DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(f"{url.replace('http', 'ws', 1)}/gateway/")
    Asset.BASE = f"{url}/cdn"
    try:
        yield
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY, Asset.BASE = before
