"""Reactions of the bot on the local Discord are added once and removed once, as on Discord."""

from __future__ import annotations

from bot.local_discord import LocalDiscord
from tests.bot.local_discord.small_bot import SmallBot


async def test_repeated_reactions_change_nothing(discord: LocalDiscord, bot: SmallBot) -> None:
    channel = discord.channel("general")
    posted = await bot.get_partial_messageable(int(channel.id)).send("hello")

    def reactions() -> list[tuple[str, int]]:
        data = channel.messages[str(posted.id)].data
        return [(one["emoji"]["name"], one["count"]) for one in data["reactions"]]

    for _ in range(2):
        await posted.add_reaction("👍")
        assert reactions() == [("👍", 1)]
    assert bot.user is not None
    for _ in range(2):
        await posted.remove_reaction("👍", bot.user)
        assert reactions() == []
