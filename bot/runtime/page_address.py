"""A stable address of the local Discord's page: its key is kept, and its port where it is free."""

from __future__ import annotations

import logging
import os
import re
import secrets
import socket
from pathlib import Path

from bot.config import Settings
from bot.local_discord.chat_page import KEY_BYTES

log = logging.getLogger(__name__)

_KEY = re.compile(r"[A-Za-z0-9_-]{24}")


def page_key(database: Path) -> str:
    """Return the key of the page's address, kept in ``NAME.db-page-key`` beside the database.

    Only the operator can read the file. The key is new each time if the file cannot be kept.
    """
    file = database.with_name(f"{database.name}-page-key")
    try:
        kept = file.read_text(encoding="ascii", errors="replace").strip() if file.is_file() else ""
        if _KEY.fullmatch(kept):
            return kept
        file.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        key = secrets.token_urlsafe(KEY_BYTES)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:  # noqa: PTH123
            new.write(key + "\n")
    except (OSError, ValueError) as error:
        log.warning("page address not kept: %s", error)
        return ""
    return key


def with_free_port(settings: Settings) -> Settings:
    """Return the settings with any free port if the default one is in use.

    A port that the operator has set is never replaced.
    """
    port = settings.local_discord_port
    if "local_discord_port" in settings.model_fields_set or _is_free(settings, port):
        return settings
    return settings.model_copy(update={"local_discord_port": 0})


def _is_free(settings: Settings, port: int) -> bool:
    address = settings.local_discord_host
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((str(address), port))
        except OSError:
            return False
    return True
