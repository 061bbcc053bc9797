"""Interactions: uses of a command, button, select menu or modal, with their deadlines."""

from __future__ import annotations

import asyncio
import copy
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.local_discord import payloads
from bot.local_discord.api_types import ApiError, Json, snowflake
from bot.local_discord.message_limits import LOADING
from bot.local_discord.permissions import ATTACH_FILES, EMBED_LINKS, EVERYONE_PERMISSIONS
from bot.local_discord.state import Channel, DiscordState, Member, Message, User

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
FILE_LIMIT_BYTES = 10 << 20
KEPT_INTERACTIONS = 5_000


@dataclass(eq=False)
class Interaction:
    """One interaction and its responses."""

    state: DiscordState
    kind: int
    name: str
    user: User
    channel: Channel
    source: Message | None = None
    """The message of the component that was used."""
    user_installed: bool = False
    opened_by: Interaction | None = None
    """The interaction that opened the modal that this one submits."""
    id: str = field(default_factory=snowflake)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    created: float = field(default_factory=time.monotonic)
    acked_at: float | None = None
    ack_type: int | None = None
    failed: bool = False
    original_message: Message | None = None
    follow_ups: list[Message] = field(default_factory=list)
    history: list[Json] = field(default_factory=list)
    """The original response after each change, without the "thinking" state."""
    choices: list[Json] | None = None
    modal: Json | None = None

    @property
    def response(self) -> Message | None:
        """The original response or, after its deletion, the first follow-up."""
        original = self.original_message
        if original is None or original.id in original.channel.messages:
            return original
        return self.follow_ups[0] if self.follow_ups else None

    @property
    def original(self) -> Json | None:
        """The current payload of the response."""
        return self.response.data if self.response else None

    @property
    def followups(self) -> list[Json]:
        """The current payloads of the follow-up messages."""
        return [message.data for message in self.follow_ups]

    @property
    def thinking(self) -> bool:
        """True after a deferral until the first edit."""
        return bool(self.original and self.original["flags"] & LOADING)

    @property
    def ephemeral(self) -> bool:
        """True if the response is ephemeral."""
        return self.response is not None and self.response.only_for is not None

    def metadata(self) -> Json:
        """Return the ``interaction_metadata`` of the interaction's messages."""
        about: Json = {
            "id": self.id,
            "type": self.kind,
            "user": payloads.user(self.user),
            "authorizing_integration_owners": self.owners(),
            "name": self.name,
        }
        if self.kind == COMPONENT and self.source is not None:
            about["interacted_message_id"] = self.source.id
        if self.opened_by is not None:
            about["triggering_interaction_metadata"] = self.opened_by.metadata()
        return about

    def owners(self) -> Json:
        """Return ``authorizing_integration_owners``: the user or guild that installed the bot."""
        guild = self.channel.guild
        if self.user_installed:
            return {"1": self.user.id}
        return {"0": guild.id if guild else "0"}

    def record(self) -> None:
        """Append the current original response to ``history``."""
        if self.original and not self.thinking:
            self.history.append(copy.deepcopy(self.original))

    def expire(self) -> None:
        """Expire the token, as if 15 minutes had passed."""
        self.created -= 3600

    async def wait_ack(self, timeout_s: float = 10.0) -> float:
        """Wait for the acknowledgement; return the seconds that it took."""
        acked = await self.state.wait_for(lambda: self.acked_at, timeout_s)
        assert acked is not None
        return acked - self.created

    async def wait_edited(self, timeout_s: float = 15.0) -> Json:
        """Wait for the original response's content (a button's: its first change); return it."""
        await self.state.wait_for(lambda: self.history, timeout_s)
        assert self.original is not None
        return self.original

    async def wait_until(self, test: Callable[[Json], object], timeout_s: float = 15.0) -> Json:
        """Wait until the original response satisfies ``test``; return it or raise TimeoutError."""
        try:
            await self.state.wait_for(
                lambda: self.original and not self.thinking and test(self.original), timeout_s
            )
        except TimeoutError:
            raise TimeoutError(f"/{self.name}: the original response is {self.original}") from None
        assert self.original is not None
        return self.original

    async def wait_followup(self, count: int = 1, timeout_s: float = 15.0) -> Json:
        """Wait for the ``count``-th follow-up and return it."""
        await self.state.wait_for(lambda: len(self.follow_ups) >= count, timeout_s)
        return self.followups[count - 1]

    async def wait_choices(self, timeout_s: float = 10.0) -> list[Json]:
        """Wait for the autocomplete choices and return them."""
        await self.state.wait_for(lambda: self.choices is not None, timeout_s)
        return self.choices or []

    async def wait_modal(self, timeout_s: float = 10.0) -> Json:
        """Wait for the modal that the bot opens and return it."""
        await self.state.wait_for(lambda: self.modal, timeout_s)
        assert self.modal is not None
        return self.modal


class InteractionRegistry:
    """Opens interactions, finds them by token, and fails those without a timely acknowledgement."""

    def __init__(
        self, state: DiscordState, *, ack_deadline_s: float, token_lifetime_s: float
    ) -> None:
        self._state = state
        self.ack_deadline_s = ack_deadline_s
        self.token_lifetime_s = token_lifetime_s
        self.by_token: dict[str, Interaction] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def open(
        self, kind: int, name: str, user: User, channel: Channel, source: Message | None = None
    ) -> Interaction:
        """Return a new interaction; its acknowledgement deadline starts now."""
        guild = channel.guild
        user_installed = guild is not None and not guild.with_bot
        interaction = Interaction(
            self._state, kind, name, user, channel, source, user_installed=user_installed
        )
        self.by_token[interaction.token] = interaction
        if len(self.by_token) > KEPT_INTERACTIONS:
            del self.by_token[next(iter(self.by_token))]
        loop = asyncio.get_running_loop()
        handle = loop.call_later(self.ack_deadline_s, self._expire, interaction)
        self._timers[interaction.id] = handle
        return interaction

    def close(self) -> None:
        """Cancel all deadlines."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def acknowledge(self, interaction: Interaction, kind: int) -> None:
        """Record the acknowledgement and stop its deadline; raise ApiError for a second one."""
        if interaction.acked_at is not None:
            self._state.violations.append(f"{interaction.name} was acknowledged twice")
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        interaction.acked_at, interaction.ack_type = time.monotonic(), kind
        if timer := self._timers.pop(interaction.id, None):
            timer.cancel()

    def _expire(self, interaction: Interaction) -> None:
        self._timers.pop(interaction.id, None)
        interaction.failed = True
        self._state.touch()

    def for_callback(self, interaction_id: str, token: str) -> Interaction:
        """Return the interaction of a callback; raise ApiError after its deadline."""
        interaction = self.by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise ApiError(404, 10062, "Unknown interaction")
        age = time.monotonic() - interaction.created
        if interaction.acked_at is None and age > self.ack_deadline_s:
            self._state.violations.append(
                f"{interaction.name} was acknowledged after {age:.2f} s "
                f"(the limit is {self.ack_deadline_s} s)"
            )
            raise ApiError(404, 10062, "Unknown interaction")
        return interaction

    def for_webhook(self, token: str) -> Interaction:
        """Return the interaction of an edit or follow-up; raise ApiError for an expired token."""
        interaction = self.by_token.get(token)
        if interaction is None or interaction.acked_at is None:
            raise ApiError(404, 10015, "Unknown Webhook")
        if time.monotonic() - interaction.created > self.token_lifetime_s:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        return interaction

    def payload(self, interaction: Interaction, data: Json, locale: str) -> Json:
        """Return the payload of INTERACTION_CREATE."""
        channel, user, bot = interaction.channel, interaction.user, self._state.bot
        guild = channel.guild
        allowed = EVERYONE_PERMISSIONS
        if guild is not None and guild.with_bot:
            # In its responses an application may always attach files and embed links.
            allowed = self._state.permissions(bot, channel) | ATTACH_FILES | EMBED_LINKS
        payload: Json = {
            "id": interaction.id,
            "application_id": bot.id,
            "type": interaction.kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": channel.id,
            "channel": payloads.channel(channel, bot),
            "app_permissions": str(allowed),
            "locale": locale,
            "entitlements": [],
            "attachment_size_limit": FILE_LIMIT_BYTES,
            "authorizing_integration_owners": interaction.owners(),
            "context": 0 if guild else 1,
        }
        if interaction.source is not None:
            payload["message"] = interaction.source.data
        if guild is None:
            return payload | {"user": payloads.user(user)}
        member = guild.members.get(user.id) or Member(user)
        resolved = str(self._state.permissions(user, channel))
        return payload | {
            "guild_id": guild.id,
            "guild": {"id": guild.id, "locale": "en-US", "features": []},
            "guild_locale": "en-US",
            "member": payloads.member(member) | {"permissions": resolved},
        }
