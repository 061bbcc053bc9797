"""Create and edit messages from request bodies, with attachments, mentions and replies."""

from __future__ import annotations

import re
from typing import Any

from bot.local_discord import payloads
from bot.local_discord.api_types import Files, Json, invalid_body, snowflake, timestamp
from bot.local_discord.cdn import Cdn, Upload
from bot.local_discord.message_components import FILE, TEXT_DISPLAY, walk
from bot.local_discord.message_limits import COMPONENTS_V2, EPHEMERAL, LOADING, check_message
from bot.local_discord.state import Channel, DiscordState, Message, User

VOICE, HAS_SNAPSHOT = 1 << 13, 1 << 14
FORWARD = 1  # type of a message reference
SNAPSHOT_KEYS = (
    "type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags",
    "mentions", "mention_roles", "components",
)  # fmt: skip
KEPT_FLAGS = 4 | EPHEMERAL | 4096 | COMPONENTS_V2


class MessageWriter:
    """Creates and edits messages for the REST routes and for persons."""

    def __init__(self, state: DiscordState, cdn: Cdn) -> None:
        self._state = state
        self._cdn = cdn

    def blank(self, author: User, channel: Channel, **extra: object) -> Json:
        """Return the payload of an empty message."""
        return {
            "id": snowflake(),
            "type": 0,
            "channel_id": channel.id,
            "author": payloads.user(author),
            "content": "",
            "timestamp": timestamp(),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "components": [],
            "pinned": False,
            "flags": 0,
            **extra,
        }

    def write(
        self,
        author: User,
        channel: Channel,
        body: Json,
        files: Files,
        *,
        only_for: User | None = None,
        thinking: bool = False,
        **extra: object,
    ) -> Message:
        """Return a message from a request body, without posting it."""
        flags = (body.get("flags") or 0) & KEPT_FLAGS
        check_message(body, files, v2=bool(flags & COMPONENTS_V2), empty_allowed=thinking)
        data = self.blank(author, channel, **extra)
        data["flags"] = flags | (LOADING if thinking else 0)
        self._fill(data, body, files, channel)
        return Message(data, channel, only_for)

    def edit(self, message: Message, body: Json, files: Files) -> None:
        """Edit ``message`` in place as PATCH does, and notify the listeners."""
        data = message.data
        v2 = (data["flags"] | (body.get("flags") or 0)) & COMPONENTS_V2
        merged = {key: data[key] for key in ("content", "embeds", "components")} | body
        check_message(merged, files, v2=bool(v2), empty_allowed=True)
        changed = dict(data)
        changed["flags"] = (data["flags"] & ~LOADING) | v2
        if "attachments" in body:
            keep = {str(a.get("id")) for a in body["attachments"] or []}
            changed["attachments"] = [a for a in data["attachments"] if a["id"] in keep]
        self._fill(changed, body, files, message.channel)
        changed["edited_timestamp"] = timestamp()
        data.update(changed)
        self._state.announce("update", message)

    def say(
        self,
        author: User,
        channel: Channel,
        content: str,
        uploads: list[Upload],
        reply_to: Message | None = None,
        *,
        voice: bool = False,
    ) -> Message:
        """Post and return a person's message; with ``voice`` its upload is a voice message."""
        data = self.blank(author, channel)
        data["content"] = content
        data["attachments"] = [self._cdn.attach(channel.id, upload) for upload in uploads]
        if voice:
            data["flags"] = VOICE
            data["attachments"][0] |= {"duration_secs": 3.0, "waveform": "AAAA"}
        if reply_to is not None:
            self._refer(data, reply_to)
        self._mention(data, None, reply_to)
        return self._state.post(Message(data, channel))

    def forward(self, author: User, channel: Channel, original: Message) -> Message:
        """Post and return a person's forward; that of a forward has the message it forwards."""
        data, about = self.blank(author, channel), original.data
        snapshot = {key: about[key] for key in SNAPSHOT_KEYS}
        data["message_snapshots"] = about.get("message_snapshots") or [{"message": snapshot}]
        data["message_reference"] = {
            "type": FORWARD,
            "message_id": original.id,
            "channel_id": original.channel.id,
        }
        data["flags"] = HAS_SNAPSHOT
        return self._state.post(Message(data, channel))

    def rewrite(self, message: Message, content: str) -> None:
        """Replace the text of a person's message."""
        message.data |= {"content": content, "edited_timestamp": timestamp()}
        self._mention(message.data, None, None)
        self._state.announce("update", message)

    def reply(self, message: Message, body: Json) -> None:
        """Add the reference to a message, if the body is that of a reply."""
        reference = body.get("message_reference")
        if not reference:
            return
        original = message.channel.messages.get(str(reference["message_id"]))
        if original is None or original.only_for is not None:
            if reference.get("fail_if_not_exists", True):
                raise invalid_body("message_reference", "Unknown message")
            return
        self._refer(message.data, original)
        self._mention(message.data, body.get("allowed_mentions"), original)

    @staticmethod
    def _refer(data: Json, original: Message) -> None:
        guild = original.channel.guild
        reference = {"type": 0, "message_id": original.id, "channel_id": original.channel.id}
        data["message_reference"] = reference | ({"guild_id": guild.id} if guild else {})
        data["type"] = 19
        referenced = dict(original.data)
        referenced.pop("referenced_message", None)
        data["referenced_message"] = referenced

    def _fill(self, data: Json, body: Json, files: Files, channel: Channel) -> None:
        data["attachments"] = data["attachments"] + self._uploaded(body, files, channel)
        if "content" in body:
            data["content"] = body["content"] or ""
        if "embeds" in body:
            data["embeds"] = [{"type": "rich", **embed} for embed in body["embeds"] or []]
        if "components" in body:
            data["components"] = self._resolved(body["components"] or [], data["attachments"])
        self._mention(data, body.get("allowed_mentions"), None)

    def _uploaded(self, body: Json, files: Files, channel: Channel) -> list[Json]:
        described = {str(a.get("id")): a for a in body.get("attachments") or []}
        attachments = []
        for name, (filename, content) in files.items():
            about = described.get(re.sub(r"\D", "", name), {})
            upload = Upload(about.get("filename") or filename, content)
            attachments.append(
                self._cdn.attach(channel.id, upload, description=about.get("description"))
            )
        return attachments

    def _resolved(self, components: list[Json], attachments: list[Json]) -> list[Json]:
        """Return components as Discord stores them: numbered ids, CDN URLs for attachment://."""
        by_name = {a["filename"]: a for a in attachments}
        number = 0

        def resolve(value: object) -> Any:
            nonlocal number
            if isinstance(value, list):
                return [resolve(item) for item in value]
            if not isinstance(value, dict):
                return value
            out = value | _defaults(value)
            if "type" in out:
                number += 1
                out["id"] = out.get("id") or number
            if "emoji" in out and not out["emoji"].get("id"):  # a Unicode emoji has no id
                out["emoji"] = {k: v for k, v in out["emoji"].items() if k != "id"}
            for key, inner in value.items():
                if key in ("media", "file") and isinstance(inner, dict) and "url" in inner:
                    out[key], about = _media(inner["url"], by_name)
                    if out.get("type") == FILE:
                        out |= about
                elif key in ("components", "accessory", "component", "items"):
                    out[key] = resolve(inner)
            return out

        resolved: list[Json] = resolve(components)
        return resolved

    def _mention(self, data: Json, allowed: Json | None, replied: Message | None) -> None:
        """Set the mentions from content and text displays; embeds mention nobody."""
        shown = [c["content"] for c in walk(data["components"]) if c["type"] == TEXT_DISPLAY]
        text = "\n".join([data["content"], *shown])
        everything = ["users", "roles", "everyone"]
        parse = everything if allowed is None else allowed.get("parse") or []
        named = allowed or {}
        users = set(re.findall(r"<@!?(\d+)>", text))
        if "users" not in parse:
            users &= set(map(str, named.get("users") or []))
        if replied is not None and (allowed is None or named.get("replied_user")):
            users.add(replied.data["author"]["id"])
        mentioned = [self._state.users[id_] for id_ in sorted(users) if id_ in self._state.users]
        data["mentions"] = [payloads.user(user) for user in mentioned]
        roles = set(re.findall(r"<@&(\d+)>", text))
        if "roles" not in parse:
            roles &= set(map(str, named.get("roles") or []))
        data["mention_roles"] = sorted(roles)
        everyone = bool(re.search(r"@(everyone|here)\b", text))
        data["mention_everyone"] = "everyone" in parse and everyone


def _defaults(menu: Json) -> Json:
    """Return a menu's ``default_values`` with ids as strings, or {} without any."""
    if "default_values" not in menu:
        return {}
    return {"default_values": [each | {"id": str(each["id"])} for each in menu["default_values"]]}


def _media(url: str, by_name: dict[str, Json]) -> tuple[Json, Json]:
    if not url.startswith("attachment://"):
        return {"id": snowflake(), "url": url, "proxy_url": url}, {
            "name": url.rsplit("/", 1)[-1],
            "size": 0,
        }
    attachment = by_name.get(url.removeprefix("attachment://"))
    if attachment is None:
        raise invalid_body("url", f"The referenced attachment {url!r} was not uploaded.")
    media = {
        "id": attachment["id"],
        "url": attachment["url"],
        "proxy_url": attachment["proxy_url"],
        "width": attachment.get("width"),
        "height": attachment.get("height"),
        "content_type": attachment["content_type"],
        "attachment_id": attachment["id"],
    }
    return media, {"name": attachment["filename"], "size": attachment["size"]}
