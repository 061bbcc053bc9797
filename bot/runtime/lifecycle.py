"""Connect to Discord, run without an intent that Discord refuses, and stop in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Collection
from functools import partial

import aiohttp
import discord

from bot.client.client import Client
from bot.config import service_manager_address
from bot.errors import SettingsError
from bot.metrics import Metrics
from bot.runtime.database_watch import DatabaseWatch
from bot.runtime.exported_state import latencies
from bot.runtime.health import serve_health
from bot.runtime.http_interface import http_interface
from bot.runtime.service_manager import service_manager
from bot.runtime.wiring import App, make_client
from bot.sharding import POLL_S, ShardClaims, spans
from genrec.errors import GenrecError, PoolError, PresetError
from genrec.workers.pool import AnalysisPool

log = logging.getLogger(__name__)

# The sum stays under the 20 s that a stop may take.
FINISH_S, CORRECT_S, CLOSE_S = 10.0, 5.0, 3.0
# Once leases are lost; with RETAKE_S less than GRACE_S, after which another process answers.
CORRECT_AT_ONCE_S, CLOSE_AT_ONCE_S = 1.0, 0.5
LOGIN_REFUSED = (
    "Discord refuses the token in GENREC_DISCORD_TOKEN: copy it anew from"
    " https://discord.com/developers/applications, page Bot."
)
_LEASES_LOST = (
    "The database was out of reach for too long, so another bot process may have taken over: start"
    " this one again when the database can be reached."
)
_UNREACHABLE = (
    discord.GatewayNotFound, discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError,
)  # fmt: skip
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_REASON_CHARS = 200  # a proxy may respond with a whole page
_TOKEN_REFUSED, _SHARD_CODES = 4004, (4010, 4011)  # https://docs.discord.com: gateway close codes
_NO_MESSAGE_CONTENT = (
    "message content intent refused: uploads without a mention get no response. Turn on 'Message"
    " Content Intent' for the bot at https://discord.com/developers/applications and restart."
)


class StopEvent(asyncio.Event):
    """The event that stops the bot; ``reason`` stands in the log."""

    reason = "requested"

    def set_by(self, name: signal.Signals) -> None:
        """Stop because of a signal."""
        self.reason = name.name
        self.set()


async def run_until_stopped(app: App, token: str, *, stop: asyncio.Event) -> None:
    """Run the bot on Discord until ``stop``, then finish or correct running requests."""
    database, started = DatabaseWatch(app.resources.db), time.monotonic()
    connection = _Connection(app, database)
    settings = app.resources.settings
    health = serve_health(
        host=settings.http_host,
        port=settings.http_port,
        metrics=app.metrics,
        ready=lambda: connection.missing,
    )
    connection.export(app.metrics)
    async with (
        database.watching(),
        health if settings.http_port else contextlib.nullcontext(),
        http_interface(app.resources, sources=app.sources, metrics=app.metrics),
        service_manager(
            service_manager_address(),
            lambda: connection.status,
            ready=lambda: not connection.missing,
        ) as report_stopping,
    ):
        warming = asyncio.create_task(warm(app.resources.pool))
        running = asyncio.create_task(connection.run(token))
        stopping = asyncio.create_task(stop.wait())
        lost = app.sharing.keeper.lost if app.sharing else asyncio.Event()
        losing = asyncio.create_task(lost.wait())
        try:
            await asyncio.wait((running, stopping, losing), return_when=asyncio.FIRST_COMPLETED)
            report_stopping()
            await _finish(app, at_once=lost.is_set())
        finally:
            stopping.cancel()
            losing.cancel()
            warming.cancel()
            await connection.leave(CLOSE_AT_ONCE_S if lost.is_set() else CLOSE_S)
            # A shard that cannot connect retries for ever, even after the client is closed.
            running.cancel()
            await asyncio.wait((running, warming))
            reason = "leases lost" if lost.is_set() else _reason(running, stop)
            _log_stop(app, reason, seconds=time.monotonic() - started)
        if lost.is_set():
            raise GenrecError(_LEASES_LOST)
        if not running.cancelled():
            running.result()


async def _finish(app: App, *, at_once: bool) -> None:
    """Finish or correct running requests; ``at_once`` if another process may have them soon."""
    if not at_once:
        await app.admission.close(finish_s=FINISH_S, correct_s=CORRECT_S)
        await app.recovery.flush()
        return
    await app.admission.close(finish_s=0, correct_s=CORRECT_AT_ONCE_S)


def _reason(running: asyncio.Task[None], stop: asyncio.Event) -> str:
    """Return why the bot stops: a signal, a request of the program, or an error."""
    if stop.is_set():
        return stop.reason if isinstance(stop, StopEvent) else "requested"
    error = None if running.cancelled() else running.exception()
    return f"error {type(error).__name__}" if error else "connection closed"


def _log_stop(app: App, reason: str, *, seconds: float) -> None:
    log.info(
        "stopped: %s, answered %d requests, %d unanswered, ran %d h %d min",
        reason, app.metrics.answered, app.metrics.unanswered, seconds // 3600, seconds % 3600 // 60,
    )  # fmt: skip


class _Connection:
    """The connected client; another one replaces it if an intent is refused."""

    def __init__(self, app: App, database: DatabaseWatch) -> None:
        self._app = app
        self._database = database
        self._client: Client | None = None

    def export(self, metrics: Metrics) -> None:
        """Export the state of the connection."""
        recovery = self._app.recovery
        metrics.export("genrec_ready", lambda: not self.missing)
        metrics.export(
            "genrec_database_writable",
            lambda: recovery.writable and not self._database.missing,
        )
        metrics.export("genrec_guilds", lambda: len(self._client.guilds) if self._client else 0)
        metrics.export("genrec_shards", lambda: {spans(self._shards): len(self._shards)})
        metrics.export("genrec_gateway_latency_seconds", lambda: latencies(self._client))

    @property
    def _shards(self) -> Collection[int]:
        """The shards of this process."""
        if self._app.sharing is not None:
            return self._app.sharing.claims.held
        return range((self._client and self._client.shard_count) or 0)

    @property
    def _spare(self) -> bool:
        return self._app.sharing is not None and self._app.sharing.claims.spare

    @property
    def status(self) -> str:
        """What the bot does, in one line."""
        if self._spare and not self.missing:
            return "spare: all shards are taken"
        guilds = len(self._client.guilds) if self._client else 0
        return self.missing or f"serving {guilds} server{'' if guilds == 1 else 's'}"

    @property
    def missing(self) -> str:
        """The reason why the bot is not ready; "" if it is.

        A spare process is ready: it serves as soon as a shard is free.
        """
        client = self._client
        ready = client is not None and client.is_ready() and not client.is_closed()
        discord_missing = "" if ready or self._spare else "not connected to Discord"
        return ", ".join(filter(None, (discord_missing, self._database.missing)))

    async def run(self, token: str) -> None:
        """Connect, without the Message Content intent if Discord refuses it.

        Raises
        ------
        SettingsError
            Discord refuses the token or the number of shards.
        GenrecError
            Discord closed the connection for another reason that lasts.
        """
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
        except discord.ConnectionClosed as error:
            raise _closed_for_good(error.code) from error

    async def _start(self, token: str, *, message_content: bool) -> None:
        """Log in and connect; while Discord is unreachable, log that and try again."""
        previous, pause_s = self._client, _FIRST_PAUSE_S
        while True:
            client = make_client(self._app, message_content=message_content)
            self._client = client
            async with client:
                try:
                    await client.login(token)
                    if previous is not None:
                        previous.successor = client
                    previous = client
                    await self._take_shards(client)
                    await client.connect()
                except discord.LoginFailure:
                    raise
                except _UNREACHABLE as error:
                    reason = str(error)[:_REASON_CHARS] or type(error).__name__
                    log.warning("discord unreachable: %s; retry in %.0f s", reason, pause_s)
                else:
                    return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _take_shards(self, client: Client) -> None:
        """Give the client the shards of this process, if there are others; wait for free ones."""
        sharing = self._app.sharing
        if sharing is None:
            return
        claims = sharing.claims
        recommended, _, limits = await client.http.get_bot_gateway()
        sharing.turns.max_concurrency = limits["max_concurrency"]
        if not claims.held:
            await claims.wait(recommended)
            await self._app.guilds.reload()
        client.shard_count, client.shard_ids = claims.total, list(claims.held)
        client.run_in_background(partial(self._take_more, client, claims))

    async def _take_more(self, client: Client, claims: ShardClaims) -> None:
        """Take shards that fall free, as long as the process wants more, and connect them."""
        while claims.wanted > 0 or client.not_launched(claims.held):
            await asyncio.sleep(POLL_S)
            if not client.is_ready():
                continue
            try:
                await claims.claim(claims.total)
                if new := client.not_launched(claims.held):
                    await self._app.guilds.reload()
                    await client.launch_more(new)
            except GenrecError as error:
                log.warning("shards not taken: %s", error)

    async def leave(self, within_s: float) -> None:
        """Close the client; it dispatches no event from the beginning of that."""
        if self._client is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._client.close()


def _closed_for_good(code: int) -> GenrecError:
    """Return the error of a gateway close code after which discord.py does not connect again."""
    if code == _TOKEN_REFUSED:
        return SettingsError(LOGIN_REFUSED)
    if code in _SHARD_CODES:
        return SettingsError(
            f"Discord refuses the number of shards (close code {code}): set GENREC_SHARDS to 0,"
            " Discord's recommendation."
        )
    return GenrecError(
        f"Discord closed the connection (close code {code}): start again, or update genrec."
    )


async def warm(pool: AnalysisPool) -> None:
    """Start the workers while the bot connects, so that the first clip need not wait for one."""
    try:
        await pool.warm()
    except (PoolError, PresetError) as error:
        log.warning("worker start failed at warm-up: %s; retry at the next clip", error)
