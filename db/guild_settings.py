"""Settings of a guild."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from db.connection import Database
from db.deletions import DELETE_GUILD, SEEN, record_deletion
from db.index.snapshot import snapshot_path
from db.key_values import get_value, set_value
from db.map_cache import remove_maps
from db.tracks import Catalogue, guild_scope
from db.upsert import upsert
from genrec.errors import CatalogueError

MOST_TRACKS = 10
_PRESENT = "guilds:{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuildSettings:
    """Settings of a guild; the defaults are those of a guild without stored settings.

    ``allowed_role`` is the role that may use the bot; None allows everyone. The bot responds to
    every clip that is uploaded in ``upload_channels``.

    None in the other fields stands for the operator's setting. The title of a track links to
    ``link_site``, or to an address made from ``link_template``. ``starter`` is the policy of the
    starter catalogue: ``auto``, ``always`` or ``never``. ``compact`` chooses short answers.
    """

    guild_id: int
    default_count: int = 5
    private: bool = False
    allowed_role: int | None = None
    upload_channels: frozenset[int] = frozenset()
    link_site: str | None = None
    link_template: str | None = None
    starter: str | None = None
    compact: bool | None = None


# Columns of table ``guild`` after ``guild_id``; each is a field of the same name.
_COLUMNS = (
    "default_count", "private", "allowed_role", "link_site", "link_template", "starter", "compact",
)  # fmt: skip
_BOOLEANS = frozenset({"private", "compact"})
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM guild WHERE guild_id = ?"
_UPSERT = upsert("guild", ("guild_id",), _COLUMNS)
_PUT_CHANNEL = upsert("upload_channel", ("channel_id",), ("guild_id",))


async def load_settings(db: Database, guild_id: int) -> GuildSettings:
    """Return a guild's settings, or the defaults."""
    async with db.snapshot() as session:
        row = await session.one(_SELECT, (guild_id,))
        channels = await session.all(
            "SELECT channel_id FROM upload_channel WHERE guild_id = ?", (guild_id,)
        )
    if row is None:
        return GuildSettings(guild_id=guild_id)
    stored: dict[str, Any] = {
        column: bool(value) if column in _BOOLEANS and value is not None else value
        for column, value in zip(_COLUMNS, row, strict=True)
    }
    return GuildSettings(
        guild_id=guild_id,
        upload_channels=frozenset(channel_id for (channel_id,) in channels),
        **stored,
    )


async def save_settings(db: Database, settings: GuildSettings) -> None:
    """Store all settings of a guild."""
    if not 1 <= settings.default_count <= MOST_TRACKS:
        raise CatalogueError(
            f"A response has 1 to {MOST_TRACKS} tracks, not {settings.default_count}: choose a"
            " number in that range."
        )
    guild_id = settings.guild_id
    async with db.transaction() as tx:
        await tx.run(_UPSERT, (guild_id, *(getattr(settings, name) for name in _COLUMNS)))
        await tx.run("DELETE FROM upload_channel WHERE guild_id = ?", (guild_id,))
        await tx.many(
            _PUT_CHANNEL,
            [(channel_id, guild_id) for channel_id in settings.upload_channels],
        )


async def upload_channels(db: Database) -> dict[int, int]:
    """Return the guild of every upload channel, by channel id."""
    return dict(await db.all("SELECT channel_id, guild_id FROM upload_channel"))


async def forget_guild(db: Database, guild_id: int) -> None:
    """Delete a guild's settings, votes, list, pending replies, taught genres, tracks and maps."""
    async with db.transaction() as tx:
        if listed := await record_deletion(db.file, "guild", guild_id):
            await tx.run(SEEN, listed)
        for statement in DELETE_GUILD:
            await tx.run(statement, (guild_id,))
    if await Catalogue(db).remove_scope(guild_scope(guild_id)) and db.file is not None:
        # It holds the tracks too, and is only a cache.
        await asyncio.to_thread(snapshot_path(db.file).unlink, missing_ok=True)
    if db.file is not None:
        await asyncio.to_thread(remove_maps, db.file, guild_scope(guild_id))


async def departed_guilds(
    db: Database, application_id: int, present: Collection[int]
) -> frozenset[int]:
    """Return the guilds that were present at the last ``record_guilds`` and are not in ``present``.

    Lists are kept for each application, because a bot of another name is in other guilds.
    """
    value = await get_value(db, _PRESENT.format(application_id))
    return frozenset(json.loads(value) if value else ()) - frozenset(present)


async def record_guilds(
    db: Database,
    application_id: int,
    present: Collection[int],
    *,
    served: Callable[[int], bool] = lambda _: True,
) -> None:
    """Store the ids of the guilds that an application is a member of.

    Stored guilds that ``served`` rejects stay: another process serves them.
    """
    name = _PRESENT.format(application_id)
    async with db.transaction(lock=name) as tx:
        stored = await get_value(tx, name)
        others = {guild for guild in json.loads(stored or "[]") if not served(guild)}
        value = json.dumps(sorted(others | set(present)))
        if stored != value:
            await set_value(tx, name, value)
