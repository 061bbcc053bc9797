"""The local Discord server: one port for REST, gateway, attachments and chat page."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Self, TypeVar

from aiohttp import web

from bot.local_discord import interaction_routes, resource_routes, thread_routes
from bot.local_discord.cdn import Cdn
from bot.local_discord.chat_page import ChatPage
from bot.local_discord.commands import CommandRegistry
from bot.local_discord.discord_py_patch import is_loopback, patch_discord_py
from bot.local_discord.faults import Faults
from bot.local_discord.gateway import Gateway
from bot.local_discord.guild_editor import GuildEditor
from bot.local_discord.host_guard import allowed_hosts, check_host
from bot.local_discord.interactions import InteractionRegistry
from bot.local_discord.message_writer import MessageWriter
from bot.local_discord.other_app import OtherApp
from bot.local_discord.permissions import EVERYONE_PERMISSIONS
from bot.local_discord.person import Person
from bot.local_discord.rest import BodySchema, LoggedRequest, Rest
from bot.local_discord.server_context import ServerContext
from bot.local_discord.state import Channel, DiscordState, Guild, Member
from genrec.errors import GenrecError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import TracebackType

EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - for a container, which publishes one port
MAX_REQUEST_BYTES = 256 << 20  # for a person's uploads; the bot's have Discord's limit of 10 MiB

T = TypeVar("T")


class LocalDiscord:
    """A local Discord server; the package's docstring describes its interface."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        listen: str = "",
        token: str | None = None,
        page_key: str = "",
        message_content: bool = True,
        schema: BodySchema | None = None,
        ack_deadline_s: float = 3.0,
        token_lifetime_s: float = 900.0,
        heartbeat_s: float = 41.25,
    ) -> None:
        if not is_loopback(host):
            raise ValueError(
                f"host={host} is not a loopback address. The local Discord accepts connections"
                " from this machine only: use 127.0.0.1."
            )
        if listen and not is_loopback(listen) and listen not in EVERY_ADDRESS:
            raise ValueError(f"listen={listen}: expected a loopback address, 0.0.0.0 or ::")
        self.host, self.port, self._listen = host, port, listen or host
        self.token = token or f"local.{secrets.token_urlsafe(16)}"
        self.state = DiscordState()
        self.cdn = Cdn()
        self.faults = Faults()
        self.commands = CommandRegistry(self.state)
        self.gateway = Gateway(
            self.state,
            token=self.token,
            message_content=message_content,
            heartbeat_s=heartbeat_s,
        )
        self.interactions = InteractionRegistry(
            self.state, ack_deadline_s=ack_deadline_s, token_lifetime_s=token_lifetime_s
        )
        self._context = ServerContext(
            state=self.state,
            cdn=self.cdn,
            messages=MessageWriter(self.state, self.cdn),
            commands=self.commands,
            interactions=self.interactions,
            gateway=self.gateway,
            token=self.token,
            message_content=message_content,
        )
        self._rest = Rest(
            self._context,
            (resource_routes.table, interaction_routes.table, thread_routes.table),
            self.faults,
            schema,
        )
        self.edit = GuildEditor(self._context)
        self.you = Person(self._context, self.state.you)
        self._page = ChatPage(self._context, self.you, page_key)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[check_host])
        app.router.add_route("*", "/api/v10/{tail:.*}", self._rest.serve)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/gateway/", self.gateway.serve)
        app.router.add_get("/cdn/{key:.*}", self.cdn.serve)
        self._page.add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen, self.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise GenrecError(
                f"Port {self.port} of {self._listen} cannot be used ({error.strerror}). Set"
                " GENREC_LOCAL_DISCORD_PORT to another port, or to 0 for any free port."
            ) from error
        self.port = self._runner.addresses[0][1]
        app[allowed_hosts].update({f"{name}:{self.port}" for name in self._names()})
        self.gateway.url = f"{self.url.replace('http', 'ws', 1)}/gateway/"
        self.cdn.base = self.cdn_url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.interactions.close()
        await self._page.close()
        await self.gateway.close(1001)
        if self._runner is not None:
            await self._runner.cleanup()

    def _names(self) -> set[str]:
        return {"127.0.0.1", "localhost", "[::1]", self._url_host}

    @property
    def _url_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def url(self) -> str:
        """The base URL of the server."""
        return f"http://{self._url_host}:{self.port}"

    @property
    def cdn_url(self) -> str:
        """The base URL of attachments."""
        return f"{self.url}/cdn"

    @property
    def page_url(self) -> str:
        """The URL of the chat page, with its access key."""
        return f"{self.url}{self._page.path}"

    def patch_discord_py(self) -> AbstractContextManager[None]:
        """Redirect discord.py in this process to this server until the block ends."""
        return patch_discord_py(self.url)

    @property
    def guild(self) -> Guild:
        """The first guild; every person and the bot are members."""
        return self.state.guild

    def channel(self, name: str) -> Channel:
        """Return a channel of ``guild`` by name: music, general or bot-corner."""
        return self.guild.channel(name)

    def dm(self, person: Person) -> Channel:
        """Return the direct message channel of a person and the bot."""
        return self.state.dm(person.user)

    def person(self, name: str, *, permissions: int = EVERYONE_PERMISSIONS) -> Person:
        """Add a person to every guild and return it; by default with everyone's permissions."""
        user = self.state.add_user(name)
        for guild in self.state.guilds.values():
            guild.members[user.id] = Member(user, permissions)
        return Person(self._context, user)

    def app(self, name: str) -> OtherApp:
        """Add another bot to every guild and return it."""
        user = self.state.add_user(name, bot=True)
        for guild in self.state.guilds.values():
            guild.members[user.id] = Member(user)
        return OtherApp(self._context, user)

    def add_guild(
        self, name: str, *, with_bot: bool = True, channels: tuple[str, ...] = ("music",)
    ) -> Guild:
        """Create and return another guild that ``you`` own; call it before the bot connects."""
        return self.state.add_guild(
            name, owner=self.state.you, with_bot=with_bot, channels=channels
        )

    @property
    def online(self) -> bool:
        """True if the bot is connected."""
        return self.gateway.online

    async def wait_for(self, test: Callable[[], T], timeout_s: float = 10.0) -> T:
        """Wait until ``test()`` returns a true value, and return it."""
        return await self.state.wait_for(test, timeout_s)

    async def wait_ready(self, timeout_s: float = 10.0) -> None:
        """Wait until the bot has identified."""
        await self.wait_for(lambda: self.online, timeout_s)

    async def wait_commands(self, *names: str, timeout_s: float = 10.0) -> None:
        """Wait until these commands are registered, globally or in ``guild``."""
        await self.wait_for(lambda: set(names) <= set(self._registered()), timeout_s)

    def _registered(self) -> Iterator[str]:
        for scope in (None, self.guild.id):
            yield from (command["name"] for command in self.commands.all(scope))

    @property
    def requests(self) -> deque[LoggedRequest]:
        """The REST calls, oldest first."""
        return self._rest.requests

    def calls(self, method: str, path: str) -> list[LoggedRequest]:
        """Return the REST calls whose path matches a regular expression."""
        return [r for r in self.requests if r.method == method and re.search(path, r.path)]

    @property
    def violations(self) -> list[str]:
        """Violations of Discord's rules by the bot."""
        return self.state.violations

    def assert_clean(self) -> None:
        """Raise AssertionError with all violations, if there are any."""
        assert not self.violations, "\n".join(self.violations)
