"""The gateway: websockets for events, with sessions that can be resumed."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from bot.local_discord import payloads
from bot.local_discord.content_access import without_content
from bot.local_discord.gateway_session import (
    KEPT_EVENTS,
    GatewayConnection,
    GatewaySession,
    zstandard,
)
from bot.local_discord.identify_limit import IdentifyLimit
from bot.local_discord.permissions import VIEW_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.local_discord.api_types import Json
    from bot.local_discord.state import Channel, DiscordState, Guild, Message

GUILDS, GUILD_MEMBERS, PRESENCES = 1 << 0, 1 << 1, 1 << 8
GUILD_MESSAGES, DIRECT_MESSAGES, MESSAGE_CONTENT = 1 << 9, 1 << 12, 1 << 15
DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT = 0, 1, 2, 6, 7
REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 8, 9, 10, 11
KEPT_SESSIONS = 20
# discord.py notes a heartbeat's time in a thread once it is sent. An earlier acknowledgement would
# count from the heartbeat before.
_ACK_AFTER_S = 0.05


class Gateway:
    """Sends events to all gateway sessions, and injects gateway faults."""

    def __init__(
        self,
        state: DiscordState,
        *,
        token: str,
        message_content: bool,
        heartbeat_s: float,
    ) -> None:
        self._state = state
        self._token = token
        # genrec needs neither member lists nor presences, so these intents are never granted.
        self._refused_intents = GUILD_MEMBERS | PRESENCES
        self._application_flags = 0
        self.grant_message_content(on=message_content)
        self._heartbeat_s = heartbeat_s
        self.compression = True
        self._lossy = False
        self.shards = 1
        """Number of shards that ``GET /gateway/bot`` recommends."""
        self.identify_limit = IdentifyLimit()
        self.url = ""
        self.refuse = False
        """Refuse new websockets with 503."""
        self.acknowledge_heartbeats = True
        self.sessions: dict[str, GatewaySession] = {}
        self.connections: list[GatewayConnection] = []
        self.log: deque[Json] = deque(maxlen=KEPT_EVENTS)
        state.listeners.append(self._on_message)

    def grant_message_content(self, *, on: bool) -> None:
        """Grant the Message Content intent to bots that connect from now on, or refuse it."""
        self._refused_intents &= ~MESSAGE_CONTENT
        self._refused_intents |= 0 if on else MESSAGE_CONTENT
        self._application_flags = payloads.MESSAGE_CONTENT_LIMITED if on else 0

    @property
    def online(self) -> bool:
        """True if a bot is connected and identified."""
        return any(session.connection for session in self.sessions.values())

    @property
    def connected_shards(self) -> list[int]:
        """The shards with a connected session, in order; twice if two sessions have one."""
        connected = (session for session in self.sessions.values() if session.connection)
        return sorted(session.shard[0] for session in connected)

    def dispatch(self, event: str, data: Json, channel: Channel | None = None) -> None:
        """Send an event to every session whose shard has this channel."""
        for session in self.sessions.values():
            if self._concerns(session, channel):
                self._send(session, event, data)

    def dispatch_to(self, guild: Guild, event: str, data: Json) -> None:
        """Send an event to every session whose shard has this guild."""
        for session in self.sessions.values():
            if _shard_of(guild, session.shard[1]) == session.shard[0]:
                self._send(session, event, data)

    @staticmethod
    def _concerns(session: GatewaySession, channel: Channel | None) -> bool:
        index, count = session.shard
        return channel is None or index == _shard_of(channel.guild, count)

    def _send(self, session: GatewaySession, event: str, data: Json) -> None:
        # A copy, because a message may change before it is sent.
        data = json.loads(json.dumps(data))
        session.seq += 1
        payload = {"op": DISPATCH, "t": event, "s": session.seq, "d": data}
        session.sent.append(payload)
        if session.connection and not self._lossy:
            session.connection.send(payload)

    def _on_message(self, change: str, message: Message) -> None:
        """Send a message event to the bot, without content if the intent is missing."""
        channel, guild = message.channel, message.channel.guild
        if message.only_for is not None or (guild and not guild.with_bot):
            return
        if not self._state.permissions(self._state.bot, channel) & VIEW_CHANNEL:
            return
        location: Json = {"guild_id": guild.id} if guild else {}
        author = message.data["author"]["id"]
        if guild and author in guild.members and "webhook_id" not in message.data:
            member = payloads.member(guild.members[author])
            location["member"] = {key: value for key, value in member.items() if key != "user"}
        for session in list(self.sessions.values()):
            wanted = session.intents & (GUILD_MESSAGES if guild else DIRECT_MESSAGES)
            if not wanted or not self._concerns(session, channel):
                continue
            if change == "delete":
                data = {"id": message.id, "channel_id": channel.id, **location}
                self._send(session, "MESSAGE_DELETE", data)
                continue
            data = message.data | location
            if guild is not None and not session.intents & MESSAGE_CONTENT:
                data = without_content(data, self._state.bot.id)
            self._send(session, f"MESSAGE_{change.upper()}", data)

    def reconnect(self) -> None:
        """Send Reconnect (op 7) to every connection."""
        for connection in self.connections:
            connection.send({"op": RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Send Invalid Session (op 9) to every connection."""
        for connection in self.connections:
            if connection.session and not resumable:
                self.sessions.pop(connection.session.id, None)
            connection.send({"op": INVALID_SESSION, "d": resumable})

    async def close(self, code: int = 4000) -> None:
        """Close every websocket with a close code."""
        for connection in list(self.connections):
            await connection.socket.close(code=code)

    def abort(self) -> None:
        """Abort every connection without a close frame, as a network failure does."""
        for connection in list(self.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def repeat_last(self) -> None:
        """Send the last event of every session again."""
        for session in self.sessions.values():
            if session.connection and session.sent:
                session.connection.send(session.sent[-1])

    @contextmanager
    def losing(self) -> Iterator[None]:
        """Withhold all events in the block; only a resume replays them."""
        self._lossy = True
        try:
            yield
        finally:
            self._lossy = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket from Hello until it is closed."""
        if self.refuse:
            return web.Response(status=503)
        compress = request.query.get("compress", "") if self.compression else ""
        if compress == "zstd-stream" and zstandard is None:
            return web.Response(
                status=400, text="compress=zstd-stream needs the package zstandard. Install it."
            )
        socket = web.WebSocketResponse(max_msg_size=4096)
        await socket.prepare(request)
        connection = GatewayConnection(socket, request, compress)
        self.connections.append(connection)
        self.log.append({"event": "open", "query": dict(request.query)})
        hello = {"heartbeat_interval": int(self._heartbeat_s * 1000), "_trace": []}
        connection.send({"op": HELLO, "d": hello})
        pump = asyncio.create_task(connection.pump())
        try:
            async for raw in socket:
                if raw.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                payload = json.loads(raw.data)
                if payload["op"] != HEARTBEAT:
                    self.log.append({"event": "received", "op": payload["op"]})
                await self._receive(connection, payload["op"], payload.get("d"))
                self._state.touch()
        finally:
            pump.cancel()
            self._remove(connection)
        return socket

    def _remove(self, connection: GatewayConnection) -> None:
        self.connections.remove(connection)
        session = connection.session
        if session and session.connection is connection:
            session.connection = None
        self.log.append({"event": "close", "code": connection.socket.close_code})
        self._state.touch()

    async def _receive(self, connection: GatewayConnection, op: int, data: Json) -> None:
        if op == HEARTBEAT:
            connection.heartbeats += 1
            if self.acknowledge_heartbeats:
                ack = {"op": HEARTBEAT_ACK, "d": None}
                asyncio.get_running_loop().call_later(_ACK_AFTER_S, connection.send, ack)
        elif op == IDENTIFY:
            await self._identify(connection, data)
        elif op == RESUME:
            self._resume(connection, data)
        elif op == REQUEST_MEMBERS and connection.session:
            self._members(connection.session, data)

    async def _identify(self, connection: GatewayConnection, data: Json) -> None:
        if data["token"] != self._token:
            await connection.socket.close(code=4004, message=b"Authentication failed.")
            return
        if data["intents"] & self._refused_intents:
            await connection.socket.close(code=4014, message=b"Disallowed intent(s).")
            return
        index, count = shard = data.get("shard") or [0, 1]
        if not 0 <= index < count:
            await connection.socket.close(code=4010, message=b"Invalid shard.")
            return
        allowed = self.identify_limit.take(index)
        self.log.append({"event": "identify", "shard": shard, "allowed": allowed})
        if not allowed:
            connection.send({"op": INVALID_SESSION, "d": False})
            return
        session = GatewaySession(data["intents"], shard)
        self.sessions[session.id] = session
        for old in list(self.sessions.values())[:-KEPT_SESSIONS]:
            if old.connection is None:
                del self.sessions[old.id]
        connection.session, session.connection = session, connection
        joined = [guild for guild in self._state.guilds.values() if guild.with_bot]
        guilds = [guild for guild in joined if _shard_of(guild, count) == index]
        ready = {
            "v": 10,
            "user": payloads.user(self._state.bot),
            "guilds": [{"id": guild.id, "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "application": {"id": self._state.bot.id, "flags": self._application_flags},
            "shard": session.shard,
            "_trace": [],
        }
        self._send(session, "READY", ready)
        for guild in guilds if session.intents & GUILDS else []:
            self._send(session, "GUILD_CREATE", payloads.guild_create(guild, self._state.bot))

    def _resume(self, connection: GatewayConnection, data: Json) -> None:
        session = self.sessions.get(data["session_id"])
        if session is None or data["token"] != self._token:
            connection.send({"op": INVALID_SESSION, "d": False})
            return
        connection.session, session.connection = session, connection
        for payload in session.sent:
            if payload["s"] > (data["seq"] or 0):
                connection.send(payload)
        self._send(session, "RESUMED", {"_trace": []})

    def _members(self, session: GatewaySession, data: Json) -> None:
        guild = self._state.guilds[str(data["guild_id"])]
        wanted = set(map(str, data.get("user_ids") or guild.members))
        chunk = {
            "guild_id": guild.id,
            "members": [payloads.member(guild.members[i]) for i in wanted & set(guild.members)],
            "chunk_index": 0,
            "chunk_count": 1,
            "nonce": data.get("nonce"),
        }
        self._send(session, "GUILD_MEMBERS_CHUNK", chunk)


def _shard_of(guild: Guild | None, count: int) -> int:
    """Return the shard of a guild's events; those without a guild are on shard 0."""
    return (int(guild.id) >> 22) % count if guild else 0
