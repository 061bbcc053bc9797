"""OpenSubsonic beside the bot: one process serves Discord and a music player."""

from __future__ import annotations

from pathlib import Path

from libopensonic import AsyncConnection

from bot.local_discord import LocalDiscord
from tests.bot.end_to_end.conftest import bot_on, clip, wait_response
from tests.bot.http_api.conftest import free_port

KEY = "0123456789abcdef-api-key"


async def test_player_and_members_are_answered_by_one_bot(
    discord: LocalDiscord, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "http_api_port": port,
        "http_api_per_minute": 1000,
        "subsonic_api_key": KEY,
        "subsonic_starter": True,
    }
    async with bot_on(discord, tmp_path, **settings) as world:
        answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
        player = AsyncConnection("http://127.0.0.1", api_key=KEY, port=port)
        songs = {song.title: song.id for song in (await player.search3("song")).song}
        named = [title for title in songs if title in str(answer)]
        matches = await player.get_sonic_similar_tracks(songs[named[0]], count=20)
        await player.cleanup()
    assert len(songs) == 12
    assert set(named[1:]) <= {match.entry.title for match in matches}
