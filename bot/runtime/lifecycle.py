"""Connect to Discord, run without an intent that Discord refuses, and stop in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import discord

from bot.client.client import Client
from bot.errors import SettingsError
from bot.runtime.health import serve_health
from bot.runtime.wiring import App, make_client
from genrec.errors import PoolError, PresetError
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)

# The sum stays under the 20 s that a stop may take.
FINISH_S, CORRECT_S, CLOSE_S = 10.0, 5.0, 3.0
LOGIN_REFUSED = (
    "Discord refuses the token in GENREC_DISCORD_TOKEN: copy it anew from"
    " https://discord.com/developers/applications, page Bot."
)
_NO_MESSAGE_CONTENT = (
    "message content intent refused: uploads without a mention get no response. Turn on 'Message"
    " Content Intent' for the bot at https://discord.com/developers/applications and restart."
)


async def run_until_stopped(app: App, token: str, *, stop: asyncio.Event) -> None:
    """Run the bot on Discord until ``stop``, then finish or correct running requests."""
    connection = _Connection(app)
    port = app.resources.settings.http_port
    health = serve_health(port=port, metrics=app.metrics, ready=lambda: connection.missing)
    async with health if port else contextlib.nullcontext():
        warming = asyncio.create_task(_warm(app.resources.pool))
        running = asyncio.create_task(connection.run(token))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
            await app.admission.close(finish_s=FINISH_S, correct_s=CORRECT_S)
            await app.recovery.flush()
        finally:
            stopping.cancel()
            warming.cancel()
            await connection.leave()
            # A shard that cannot connect retries for ever, even after the client is closed.
            running.cancel()
            await asyncio.wait((running, warming))
        if not running.cancelled():
            running.result()


class _Connection:
    """The connected client; another one replaces it if an intent is refused."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._client: Client | None = None

    @property
    def missing(self) -> str:
        """The reason why the bot is not ready; "" if it is."""
        ready = (
            self._client is not None and self._client.is_ready() and not self._client.is_closed()
        )
        return "" if ready else "not connected to Discord"

    async def run(self, token: str) -> None:
        """Connect, without the Message Content intent if Discord refuses it."""
        try:
            if self._app.resources.settings.message_content:
                try:
                    await self._start(token, message_content=True)
                except discord.PrivilegedIntentsRequired:
                    log.warning(_NO_MESSAGE_CONTENT)
                else:
                    return
            await self._start(token, message_content=False)
        except discord.LoginFailure as error:
            raise SettingsError(LOGIN_REFUSED) from error

    async def _start(self, token: str, *, message_content: bool) -> None:
        previous, client = self._client, make_client(self._app, message_content=message_content)
        self._client = client
        async with client:
            await client.login(token)
            if previous is not None:
                previous.successor = client
            await client.connect()

    async def leave(self) -> None:
        """Close the client within CLOSE_S."""
        if self._client is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await self._client.close()


async def _warm(pool: AnalysisPool) -> None:
    """Start the workers while the bot connects, so that the first clip need not wait for one."""
    try:
        await pool.warm()
    except (PoolError, PresetError) as error:
        log.warning("worker start failed at warm-up: %s; retry at the next clip", error)
