"""A small discord.py bot for the tests of the local Discord."""

from __future__ import annotations

import asyncio
import io
import re
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import discord
from discord import app_commands, ui

from bot.local_discord import LocalDiscord

GENRES = ("blues", "classical", "disco", "jazz", "metal", "reggae")


def picture(width: int = 480, height: int = 120) -> bytes:
    """Return a PNG with a gradient."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    rows = b"".join(
        b"\0" + bytes(v for x in range(width) for v in (x * 255 // width, (x * y) % 200, 120 + y))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


class More(ui.DynamicItem[ui.Button[Any]], template=r"more:(?P<track>\d+)"):
    """A button with its state in the custom_id, so that it works after a restart."""

    def __init__(self, track: int) -> None:
        label = "More like this"
        super().__init__(ui.Button(label=label, custom_id=f"more:{track}"))
        self.track = track

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, _item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["track"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(f"More like track {self.track}", ephemeral=True)


class Like(ui.DynamicItem[ui.Button[Any]], template=r"like:(?P<count>\d+)"):
    """A button that edits its message."""

    def __init__(self, count: int) -> None:
        style = discord.ButtonStyle.success if count else discord.ButtonStyle.secondary
        super().__init__(
            ui.Button(label=f"Like {count}", emoji="👍", custom_id=f"like:{count}", style=style)
        )
        self.count = count

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, _item: ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        return cls(int(match["count"]))

    async def callback(self, interaction: discord.Interaction) -> None:
        await interaction.response.edit_message(view=Answer("again", likes=self.count + 1))


class Answer(ui.LayoutView):
    """A layout with each kind of Components V2 part."""

    def __init__(self, name: str, *, likes: int = 0, tracks: int = 2, media: bool = False) -> None:
        super().__init__(timeout=None)
        parts: list[ui.Item[Any]] = [ui.TextDisplay(f"# Jazz\n**{name}** is *jazz*, 87 %")]
        if media:
            gallery: ui.MediaGallery[Any] = ui.MediaGallery()
            gallery.add_item(
                media="attachment://spectrogram.png", description="Spectrogram of the clip"
            )
            parts.append(gallery)
        for n in range(tracks):
            text = f"{n + 1}. **Artist {n}** – Title {n}\n-# 0.{90 - n} · same tempo"
            parts += [ui.Separator(), ui.Section(text, accessory=More(n))]
        link: ui.Button[Any] = ui.Button(label="Search", url="https://example.org/?q=jazz")
        parts.append(ui.ActionRow(Like(likes), link))
        self.add_item(ui.Container(*parts, accent_colour=0x8A5CF6))


class Note(ui.Modal, title="A note"):
    """A modal with one text input."""

    text: ui.Label[Any] = ui.Label(text="What is wrong?", component=ui.TextInput(required=True))

    async def on_submit(self, interaction: discord.Interaction, /) -> None:
        assert isinstance(self.text.component, ui.TextInput)
        await interaction.response.send_message(f"Noted: {self.text.component.value}")


class SmallBot(discord.Client):
    """The bot."""

    def __init__(self, *, message_content: bool = True) -> None:
        intents = discord.Intents.default()
        intents.message_content = message_content
        super().__init__(
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=0.1,
        )
        self.tree = app_commands.CommandTree(
            self,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        self.events: list[str] = []
        self.messages: list[discord.Message] = []
        add_commands(self.tree)

    async def setup_hook(self) -> None:
        self.add_dynamic_items(More, Like)
        await self.tree.sync()

    async def on_ready(self) -> None:
        self.events.append("ready")

    async def on_resumed(self) -> None:
        self.events.append("resumed")

    async def on_message(self, message: discord.Message) -> None:
        if message.author == self.user:
            return
        self.messages.append(message)
        if message.attachments:
            async with message.channel.typing():
                size = len(await message.attachments[0].read())
            await message.reply(view=Answer(f"{size} bytes"), mention_author=False)


def add_commands(tree: app_commands.CommandTree[SmallBot]) -> None:
    """Add the commands to the tree."""

    @tree.command()
    @app_commands.describe(clip="A sound file", genre="Only this genre", count="How many")
    async def identify(
        interaction: discord.Interaction,
        clip: discord.Attachment,
        genre: str = "",
        count: app_commands.Range[int, 1, 10] = 2,
        private: bool = False,
    ) -> None:
        """Identify the genre of a clip."""
        await interaction.response.defer(thinking=True, ephemeral=private)
        size = len(await clip.read())
        view = Answer(f"{clip.filename} {size} {genre}".strip(), tracks=count, media=True)
        image = discord.File(io.BytesIO(picture()), "spectrogram.png", description="A spectrogram")
        await interaction.edit_original_response(view=view, attachments=[image])

    @identify.autocomplete("genre")
    async def genres(
        _interaction: discord.Interaction, typed: str
    ) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=g.title(), value=g) for g in GENRES if typed in g]

    @tree.command()
    async def note(interaction: discord.Interaction) -> None:
        """Open a form."""
        await interaction.response.send_modal(Note())

    @tree.command()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    async def reindex(interaction: discord.Interaction) -> None:
        """Rebuild the index."""
        allowed = interaction.permissions.manage_guild
        text = "Reindexing." if allowed else "You may not do that."
        await interaction.response.send_message(text, ephemeral=True)
        await interaction.followup.send("@everyone done", ephemeral=True)

    @tree.command()
    async def pick(interaction: discord.Interaction) -> None:
        """Show a menu."""
        await interaction.response.send_message("Pick one", view=Menu())

    @tree.command()
    async def sleepy(_interaction: discord.Interaction) -> None:
        """Respond too late."""
        await asyncio.sleep(3600)

    @tree.context_menu(name="What genre is this?")
    async def what_is_this(interaction: discord.Interaction, message: discord.Message) -> None:
        names = ", ".join(a.filename for a in message.attachments) or "nothing"
        await interaction.response.send_message(f"I see {names}")

    library = app_commands.Group(name="library", description="The library")

    @library.command()
    async def add(interaction: discord.Interaction, title: str) -> None:
        """Add a track."""
        await interaction.response.defer(thinking=True)
        await interaction.followup.send(f"Added {title}")

    tree.add_command(library)


class Menu(ui.View):
    """A select menu."""

    @ui.select(
        custom_id="genre-menu",
        options=[discord.SelectOption(label=g.title(), value=g) for g in GENRES],
    )
    async def chosen(self, interaction: discord.Interaction, select: ui.Select[Any]) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content=f"You like {select.values[0]}", view=None)


@asynccontextmanager
async def running(local: LocalDiscord, *, message_content: bool = True) -> AsyncIterator[SmallBot]:
    """Run the small bot on a local Discord; it is ready when the block begins."""
    with local.patch_discord_py():
        small = SmallBot(message_content=message_content)
        task = asyncio.create_task(small.start(local.token))
        try:
            await local.wait_ready()
            await asyncio.wait_for(small.wait_until_ready(), 10)
            yield small
        finally:
            await small.close()
            await asyncio.wait([task], timeout=5)
