"""``genrec sync`` on the local Discord: registered commands, or one sentence that says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.local_discord import LocalDiscord
from tests.bot.end_to_end.conftest import COMMANDS
from tests.bot.end_to_end.fakes import make_preset
from tests.bot.end_to_end.test_unreachable import free_port
from tests.bot.setup.typist import Typist

TOKEN = "a-secret.of-the.local-discord"


async def sync(discord: LocalDiscord, folder: Path, token: str | None = TOKEN) -> tuple[int, str]:
    """Return the exit code, and what is shown."""
    make_preset(folder / "preset", songs=0)
    given = {"GENREC_PRESET": str(folder / "preset")}
    if token is not None:
        given["GENREC_DISCORD_TOKEN"] = token
    person = Typist(discord.url, "sync", folder=folder, **given)
    try:
        return await person.ends(), person.text
    finally:
        person.leave()


async def test_commands_are_registered_beside_a_running_bot(tmp_path: Path) -> None:
    async with LocalDiscord(token=TOKEN) as discord:
        code, shown = await sync(discord, tmp_path)
        assert (code, shown) == (0, "The commands are registered with Discord. ")
        await discord.wait_commands(*COMMANDS)
        discord.assert_clean()
    assert {path.name for path in tmp_path.iterdir()} == {"preset"}  # no database


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (None, "Commands cannot be registered without a token: set GENREC_DISCORD_TOKEN."),
        ("wrong.token.x", "Discord refuses the token"),
    ],
)
async def test_missing_or_wrong_token_is_a_wrong_setting(
    tmp_path: Path, token: str | None, words: str
) -> None:
    async with LocalDiscord(token=TOKEN) as discord:
        code, shown = await sync(discord, tmp_path, token)
    assert code == 2
    assert words in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("fault", ["no network", "refused"])
async def test_discord_that_does_not_take_the_commands_is_a_failure(
    tmp_path: Path, fault: str
) -> None:
    discord = LocalDiscord(token=TOKEN, port=free_port())
    if fault == "no network":
        code, shown = await sync(discord, tmp_path)
    else:
        async with discord:
            discord.faults.server_error("PUT", "/commands", 403)
            code, shown = await sync(discord, tmp_path)
    assert code == 1
    assert "The commands could not be registered with Discord (" in shown
    assert "try again in a minute" in shown
    assert "Traceback" not in shown
    assert TOKEN not in shown
