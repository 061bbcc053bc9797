"""Being on Discord: connect, fall back where an intent is refused, stop in order and in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import discord

from bot.client.client import Client
from bot.config import SettingsError
from bot.runtime.health import serve_health
from bot.runtime.wiring import App, make_client
from genrec.errors import PoolError, PresetError
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)

# All three together stay under the 20 s in which a stop has to be over.
FINISH_S, CORRECT_S, CLOSE_S = 10.0, 5.0, 3.0
LOGIN_REFUSED = (
    "Discord refuses the token in GENREC_DISCORD_TOKEN: copy it anew from"
    " https://discord.com/developers/applications, page Bot."
)
_BLIND = (
    "Discord refused the Message Content intent, so uploads without a mention are not seen;"
    " commands, menus and mentions work. To change that, turn on 'Message Content Intent' for the"
    " bot at https://discord.com/developers/applications and restart."
)


async def run_until_stopped(app: App, token: str, *, stop: asyncio.Event) -> None:
    """Be on Discord until ``stop``; then finish or correct what is in work, and leave."""
    connection = _Connection(app)
    watch = serve_health(
        port=app.settings.http_port, metrics=app.metrics, ready=lambda: connection.missing
    )
    async with watch if app.settings.http_port else contextlib.nullcontext():
        _watch_figures(app)
        warming = asyncio.create_task(_warm(app.pool))
        running = asyncio.create_task(connection.run(token))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            await app.admission.close(finish_s=FINISH_S, correct_s=CORRECT_S)
        finally:
            stopping.cancel()
            warming.cancel()
            await connection.leave()
            # A shard that cannot connect tries for ever, also when the client is closed.
            running.cancel()
            await asyncio.wait((running, warming))
        if not running.cancelled():
            running.result()


class _Connection:
    """The client in use: it is another one where an intent was refused."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._client: Client | None = None

    @property
    def missing(self) -> str:
        """What is missing to be ready; nothing where all is well."""
        ready = (
            self._client is not None and self._client.is_ready() and not self._client.is_closed()
        )
        return "" if ready else "not connected to Discord"

    async def run(self, token: str) -> None:
        """Connect, without the Message Content intent where Discord refuses it."""
        try:
            if self._app.settings.message_content:
                try:
                    await self._start(token, sees_uploads=True)
                except discord.PrivilegedIntentsRequired:
                    log.warning(_BLIND)
                else:
                    return
            await self._start(token, sees_uploads=False)
        except discord.LoginFailure as error:
            raise SettingsError(LOGIN_REFUSED) from error

    async def _start(self, token: str, *, sees_uploads: bool) -> None:
        self._client = make_client(self._app, sees_uploads=sees_uploads)
        async with self._client:
            await self._client.start(token)

    async def leave(self) -> None:
        """Close the client, for a bounded time."""
        if self._client is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._client.close()


async def _warm(pool: AnalysisPool) -> None:
    """Start the workers while the bot connects, so that the first clip does not wait for one."""
    try:
        await pool.warm()
    except (PoolError, PresetError) as error:
        log.warning("no worker could be started, clips try again: %s", error)


def _watch_figures(app: App) -> None:
    app.metrics.watch(
        "genrec_in_work", "Questions in work or waiting", lambda: app.admission.running
    )
    app.metrics.watch("genrec_waiting", "Clips waiting for a worker", lambda: app.pool.waiting)
    app.metrics.watch("genrec_workers", "Analysis processes", lambda: app.pool.size)
