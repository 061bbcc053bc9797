"""Server of the chat page: its files, its actions as the person "you", and live updates."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, web

from bot.local_discord import payloads
from bot.local_discord.api_types import Json
from bot.local_discord.cdn import Upload
from bot.local_discord.commands import NotOffered
from bot.local_discord.host_guard import allowed_hosts, same_origin
from bot.local_discord.state import WITHOUT_MESSAGES

if TYPE_CHECKING:
    from bot.local_discord.interactions import Interaction
    from bot.local_discord.person import Person
    from bot.local_discord.server_context import ServerContext
    from bot.local_discord.state import Channel, Message

FOLDER = Path(__file__).parent / "page"
KEY_BYTES = 18
KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
KEPT_FORMS = 20
EXAMPLES = ("first-example.ogg", "second-example.ogg", "third-example.ogg")
"""Clips to try; LICENCES.md names their licence."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Uploads = dict[str, Upload]
Action = Callable[[Json, Uploads], Awaitable[Json]]


class ChatPage:
    """Serves the page's files, actions and live updates to clients that have the key."""

    def __init__(self, context: ServerContext, you: Person, key: str = "") -> None:
        self._context = context
        self._you = you
        self._key = key or secrets.token_urlsafe(KEY_BYTES)
        self._live: dict[web.WebSocketResponse, asyncio.Queue[Json]] = {}
        self._forms: dict[str, Interaction] = {}
        self._actions: dict[str, Action] = {
            "say": self._say,
            "try": self._try,
            "forward": self._forward,
            "command": self._command,
            "menu": self._menu,
            "autocomplete": self._autocomplete,
            "press": self._press,
            "select": self._select,
            "submit": self._submit,
            "commands": self._commands,
        }
        context.state.listeners.append(self._on_message)

    @property
    def path(self) -> str:
        """The page's path, with its key."""
        return f"/page/{self._key}/"

    def add_to(self, app: web.Application) -> None:
        """Add the page's routes to the application."""
        app[allowed_hosts] = set()
        app.router.add_get("/page/{key}/live", self._serve_live)
        app.router.add_post("/page/{key}/api/{action}", self._serve_action)
        app.router.add_get("/page/{key}/{file:[a-z_]*[.]?[a-z]*}", self._serve_file)

    async def close(self) -> None:
        """Close the connection of every open page."""
        for socket in list(self._live):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def _check_access(self, request: web.Request, *, browser: bool) -> None:
        given = request.match_info["key"].encode()
        if not secrets.compare_digest(given, self._key.encode()):
            raise web.HTTPNotFound(text="Open the page at the address that genrec printed.")
        if browser and not same_origin(request):
            raise web.HTTPForbidden(text="Only the chat page itself may send this request.")

    async def _serve_file(self, request: web.Request) -> web.StreamResponse:
        self._check_access(request, browser=False)
        file = FOLDER / (request.match_info["file"] or "index.html")
        if file.suffix not in KINDS or not file.is_file():
            raise web.HTTPNotFound
        kind = f"{KINDS[file.suffix]}; charset=utf-8"
        return web.Response(body=file.read_bytes(), headers={**HEADERS, "Content-Type": kind})

    async def _serve_action(self, request: web.Request) -> web.StreamResponse:
        self._check_access(request, browser=True)
        action = self._actions.get(request.match_info["action"])
        if action is None:
            raise web.HTTPNotFound
        body, uploads = await _read(request)
        self._you.locale = body.get("locale") or self._you.locale
        try:
            result = await action(body, uploads)
        except NotOffered as error:
            return web.json_response({"error": str(error)}, status=400, headers=HEADERS)
        return web.json_response(result, headers=HEADERS)

    # Actions

    async def _say(self, body: Json, uploads: Uploads) -> Json:
        location = self._you.find_channel(body["channel"])
        reply = location.messages.get(body.get("reply_to") or "")
        return await self._you.say(
            body.get("content") or "",
            uploads=list(uploads.values()),
            channel=location,
            reply_to=reply.data if reply else None,
        )

    async def _try(self, body: Json, _: Uploads) -> Json:
        name = body["example"]
        if name not in EXAMPLES:
            raise NotOffered(f"There is no example {name!r}. Reload the page.")
        data = await asyncio.to_thread((FOLDER / name).read_bytes)
        upload = Upload(name, data, "audio/ogg")
        channel = self._you.find_channel(body["channel"])
        return await self._you.say("", uploads=[upload], channel=channel)

    async def _forward(self, body: Json, _: Uploads) -> Json:
        return await self._you.forward({"id": body["message"]}, channel=body["channel"])

    async def _command(self, body: Json, uploads: Uploads) -> Json:
        options = {**body["options"], **uploads}
        used = await self._you.slash(body["path"], options, channel=body["channel"])
        return await self._outcome(used)

    async def _menu(self, body: Json, _: Uploads) -> Json:
        return await self._outcome(await self._you.menu(body["name"], {"id": body["message"]}))

    async def _autocomplete(self, body: Json, _: Uploads) -> Json:
        with contextlib.suppress(TimeoutError):
            choices = await self._you.autocomplete(
                body["path"],
                body["option"],
                body["typed"],
                body.get("options"),
                channel=body["channel"],
            )
            return {"choices": choices}
        return {"choices": [], "failed": True}

    async def _press(self, body: Json, _: Uploads) -> Json:
        used = await self._you.press({"id": body["message"]}, body["custom_id"])
        return await self._outcome(used)

    async def _select(self, body: Json, _: Uploads) -> Json:
        message = {"id": body["message"]}
        return await self._outcome(
            await self._you.select(message, body["custom_id"], body["values"])
        )

    async def _submit(self, body: Json, _: Uploads) -> Json:
        form = self._forms.get(body["form"])
        if form is None:
            raise NotOffered("That form is no longer open. Use the command again.")
        return await self._outcome(await self._you.submit(form, body["values"]))

    async def _commands(self, body: Json, _: Uploads) -> Json:
        location = self._you.find_channel(body["channel"])
        return {"commands": self._context.commands.offered(self._you.user, location)}

    async def _outcome(self, used: Interaction) -> Json:
        """Wait for the acknowledgement, as Discord's client does, and return the outcome."""
        limit = self._context.interactions.ack_deadline_s + 5
        with contextlib.suppress(TimeoutError):
            await used.state.wait_for(lambda: used.acked_at or used.failed, limit)
        if used.acked_at is None:
            return {"failed": True}
        if used.modal is not None:
            self._forms[used.id] = used
            for old in list(self._forms)[:-KEPT_FORMS]:
                del self._forms[old]
        return {"failed": False, "form": used.modal and {**used.modal, "form": used.id}}

    # Live updates

    def _shown(self, message: Message) -> Json | None:
        channel = message.channel
        mine = channel.recipient in (None, self._you.user) and (
            channel.guild in (None, self._context.state.guild)
        )
        if not mine or message.only_for not in (None, self._you.user):
            return None
        return message.data | {"ephemeral": message.only_for is not None}

    def _on_message(self, change: str, message: Message) -> None:
        shown = self._shown(message)
        if shown is None:
            return
        # A copy, because the payload may change before it is sent.
        event = json.loads(json.dumps({"type": change, "message": shown}))
        for queue in self._live.values():
            queue.put_nowait(event)

    def _snapshot(self) -> Json:
        state = self._context.state
        listed = [c for c in state.guild.channels.values() if c.kind not in WITHOUT_MESSAGES]
        channels = [*listed, state.dm(self._you.user)]
        return {
            "type": "snapshot",
            "you": payloads.user(state.you),
            "bot": payloads.user(state.bot),
            "guild": state.guild.name,
            "users": {id_: user.name for id_, user in state.users.items()},
            "roles": {role.id: role.name for role in payloads.roles(state.guild)},
            "channels": [self._channel(channel) for channel in channels],
            "online": self._context.gateway.online,
            "examples": EXAMPLES,
        }

    def _channel(self, channel: Channel) -> Json:
        shown = [self._shown(message) for message in channel.messages.values()]
        return {
            "id": channel.id,
            "name": self._context.state.bot.name if channel.recipient else channel.name,
            "direct": channel.recipient is not None,
            "topic": channel.topic,
            "messages": [message for message in shown[-200:] if message],
        }

    async def _serve_live(self, request: web.Request) -> web.StreamResponse:
        self._check_access(request, browser=True)
        socket = web.WebSocketResponse(heartbeat=20.0)
        await socket.prepare(request)
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._live[socket] = queue
        queue.put_nowait(json.loads(json.dumps(self._snapshot())))
        tasks = [
            asyncio.create_task(_pump(socket, queue)),
            asyncio.create_task(self._watch(queue)),
        ]
        try:
            async for _ in socket:
                pass
        finally:
            for task in tasks:
                task.cancel()
            del self._live[socket]
        return socket

    async def _watch(self, queue: asyncio.Queue[Json]) -> None:
        """Send a status event when the bot connects, disconnects or changes its commands."""
        context = self._context

        def new_status(previous: tuple[bool, int]) -> tuple[bool, int] | None:
            now = context.gateway.online, context.commands.writes
            return None if now == previous else now

        previous = context.gateway.online, context.commands.writes
        while True:
            with contextlib.suppress(TimeoutError):
                changed = await context.state.wait_for(partial(new_status, previous), 60)
                assert changed is not None
                previous = changed
                queue.put_nowait({"type": "status", "online": previous[0]})


async def _pump(socket: web.WebSocketResponse, queue: asyncio.Queue[Json]) -> None:
    while not socket.closed:
        event = await queue.get()
        try:
            await socket.send_json(event)
        except (ConnectionError, RuntimeError):
            return


async def _read(request: web.Request) -> tuple[Json, Uploads]:
    """Return body and uploads of a JSON request, or of a form with a field ``json``."""
    if request.content_type != "multipart/form-data":
        body: Any = await request.json()
        return body, {}
    form = await request.post()
    uploads: Uploads = {}
    for name, value in form.items():
        if isinstance(value, web.FileField):
            kind = value.content_type
            content_type = None if kind == "application/octet-stream" else kind
            uploads[name] = Upload(value.filename, value.file.read(), content_type)
    return json.loads(str(form["json"])), uploads
