"""``genrec setup`` at a terminal and as a script, on the local Discord, with each refusal."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.local_discord import LocalDiscord
from bot.local_discord.permissions import VIEW_CHANNEL
from bot.local_discord.schema import Schema
from tests.bot.end_to_end.conftest import schema
from tests.bot.end_to_end.fakes import make_preset
from tests.bot.end_to_end.test_unreachable import free_port
from tests.bot.setup.conversation import Conversation
from tests.bot.setup.typist import Typist
from tests.repository import ROOT
from tests.synth import music, write

__all__ = ["schema"]  # a fixture

TOKEN = "a-secret.of-the.local-discord"
INVITE = (
    "https://discord.com/oauth2/authorize?client_id=1100000000000000001"
    "&scope=bot+applications.commands&permissions=274878024704&integration_type=0"
)
STARTED: list[Any] = []
PASTE, FOLDER, INDEX = "without Discord)", "Music folder", "Index it now?"


@pytest.fixture
async def discord(schema: Schema | None) -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(token=TOKEN, schema=schema) as local:
        yield local
        local.assert_clean()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return the folder in which the command runs."""
    folder = tmp_path / "here"
    folder.mkdir()
    make_preset(tmp_path / "preset")
    return folder


def start(discord: LocalDiscord, here: Path, *words: str, **variables: str) -> Conversation:
    """Start the wizard in this process, without a terminal."""
    STARTED.append(Conversation(discord.url, *arguments(words), folder=here, **variables))
    return STARTED[-1]


def at_terminal(discord: LocalDiscord, here: Path, *words: str, **variables: str) -> Typist:
    """Start the wizard as a process at a terminal."""
    given = {"GENREC_PRESET": str(here.parent / "preset")} | variables
    STARTED.append(Typist(discord.url, *arguments(words), folder=here, **given))
    return STARTED[-1]


def arguments(words: tuple[str, ...]) -> tuple[str, ...]:
    # On a machine with systemd the wizard would ask for it too.
    return ("setup", *words, *(() if "--service" in words else ("--no-service",)))


@pytest.fixture(autouse=True)
def left_at_the_end() -> Iterator[None]:
    """End what a failed test leaves."""
    yield
    while STARTED:
        STARTED.pop().leave()


def song(folder: Path) -> Path:
    """Return a new folder with one sound file."""
    folder.mkdir()
    write(folder / "song.flac", music(0, 6.0), 44100)
    return folder


def env(here: Path) -> str:
    path = here / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {one.name for one in here.iterdir()} <= {".env", "data"}  # no temporary file
    return path.read_text(encoding="utf-8")


async def test_newcomer_answers_four_questions(
    discord: LocalDiscord, here: Path, tmp_path: Path
) -> None:
    songs = song(tmp_path / "My Music")
    person = at_terminal(discord, here, "--no-index")
    await person.reads("1. Open https://discord.com/developers/applications and log in.")
    await person.answers(PASTE, TOKEN)
    await person.answers(FOLDER, str(songs))
    assert await person.ends() == 0
    assert env(here) == f"GENREC_DISCORD_TOKEN={TOKEN}\nGENREC_LIBRARY='{songs}'\n"
    shown = person.text
    assert "Discord knows the bot as genrec (id 1100000000000000001). It belongs to you." in shown
    assert "Message Content Intent is on" in shown
    assert INVITE in shown
    assert "The bot is in 1 server now." in shown
    assert "has 1 sound file." in shown
    assert TOKEN not in person.shown
    assert "secret" not in person.shown


@pytest.mark.slow
async def test_music_is_indexed_at_the_end(here: Path, tmp_path: Path) -> None:
    async with LocalDiscord(token=TOKEN) as discord:
        song(tmp_path / "music")
        person = at_terminal(discord, here, GENREC_PRESET=str(ROOT / "models" / "resnet50"))
        await person.answers(PASTE, "")
        await person.answers(FOLDER, str(tmp_path / "music"))
        await person.answers(INDEX, "y")
        assert await person.ends() == 0
    assert "1 tracks" in person.text or "1 track" in person.text
    assert (here / "data" / "genrec.db").exists() or "database" in person.text


async def test_other_lines_of_the_file_stay_and_its_values_are_the_defaults(
    discord: LocalDiscord, here: Path, tmp_path: Path
) -> None:
    song(tmp_path / "music")
    before = f"# mine\nGENREC_WORKERS=1\nGENREC_DISCORD_TOKEN={TOKEN}\n"
    before += f"GENREC_LIBRARY={tmp_path / 'music'}\n"
    (here / ".env").write_text(before)
    (here / ".env").chmod(0o644)
    person = start(discord, here, "--no-index")
    await person.reads("is now readable for you alone (mode 0600).")
    await person.reads("There is a token already.")
    await person.answers(FOLDER, "")
    assert await person.ends() == 0
    assert env(here) == before
    assert TOKEN not in person.shown


# Refusals of the token


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("wrong.token.x", "Discord refuses the token"),
        ("2200000000000000002", "This is an id"),
        ("two words.x", "contains a space"),
    ],
)
async def test_wrong_token_is_asked_for_again(
    discord: LocalDiscord, here: Path, typed: str, words: str
) -> None:
    person = start(discord, here)
    await person.answers(PASTE, typed)
    await person.reads(words)
    assert not (here / ".env").exists()
    await person.answers(PASTE, TOKEN)
    await person.answers(FOLDER, "")
    assert await person.ends() == 0
    assert env(here) == f"GENREC_DISCORD_TOKEN={TOKEN}\n"
    assert TOKEN not in person.shown


async def test_three_wrong_tokens_end_the_wizard_without_a_file(
    discord: LocalDiscord, here: Path
) -> None:
    person = at_terminal(discord, here)
    for _ in range(3):
        await person.answers(PASTE, "wrong.token.x")
    assert await person.ends() == 2
    assert "No usable token after 3 tries: run genrec setup again." in person.text
    assert list(here.iterdir()) == []


async def test_known_token_that_discord_refuses_now_is_replaced(
    discord: LocalDiscord, here: Path
) -> None:
    (here / ".env").write_text("GENREC_DISCORD_TOKEN=old.token.x\n")
    person = start(discord, here)
    await person.reads("Discord refuses the token")
    await person.answers(PASTE, TOKEN)
    await person.answers(FOLDER, "")
    assert await person.ends() == 0
    assert env(here) == f"GENREC_DISCORD_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("fault", ["no network", "server error", "rate limit"])
async def test_unavailable_discord_is_tried_again(
    discord: LocalDiscord, here: Path, fault: str
) -> None:
    faults = discord.faults
    if fault == "no network":
        faults.reset("GET", "/gateway", times=2)
    elif fault == "server error":
        faults.server_error("GET", "/gateway", 503)
    else:
        faults.cloudflare_ban("GET", "/gateway")
    words = {
        "no network": "Discord cannot be reached",
        "server error": "Discord has a fault (HTTP 503)",
        "rate limit": "Discord limits requests",
    }[fault]
    person = start(discord, here)
    await person.answers(PASTE, TOKEN)
    await person.reads(words)
    await person.answers("Try again?", "y")
    if fault == "no network" and faults.take("GET", "/gateway"):
        await person.answers("Try again?", "y")
    await person.answers(FOLDER, "")
    assert await person.ends() == 0
    assert env(here) == f"GENREC_DISCORD_TOKEN={TOKEN}\n"


@pytest.mark.parametrize("saved", [True, False])
async def test_token_is_saved_without_a_check_only_if_wanted(here: Path, saved: bool) -> None:
    closed = LocalDiscord(port=free_port())
    person = start(closed, here)
    await person.answers(PASTE, TOKEN)
    await person.answers("Try again?", "n")
    await person.answers("without a check?", "y" if saved else "n")
    if saved:
        await person.answers(FOLDER, "")
    assert await person.ends() == (0 if saved else 1)
    assert (here / ".env").exists() == saved
    assert TOKEN not in person.shown


# Intents, servers


@pytest.mark.parametrize("wanted", [True, False])
async def test_intent_that_is_off_can_be_turned_on(here: Path, wanted: bool) -> None:
    async with LocalDiscord(token=TOKEN, message_content=False) as discord:
        person = start(discord, here)
        await person.answers(PASTE, TOKEN)
        await person.reads("Message Content Intent is off")
        await person.answers("Turn it on now?", "y" if wanted else "n")
        await person.answers(FOLDER, "")
        assert await person.ends() == 0
        changes = discord.calls("PATCH", "/applications/@me")
        discord.assert_clean()
    assert len(changes) == wanted
    last = "is on now." if wanted else "later at https://discord.com/developers/applications/11"
    assert last in person.text


async def test_intent_that_discord_does_not_change_names_its_page(here: Path) -> None:
    async with LocalDiscord(token=TOKEN, message_content=False) as discord:
        discord.faults.server_error("PATCH", "/applications/@me", 403)
        person = start(discord, here)
        await person.answers(PASTE, TOKEN)
        await person.answers("Turn it on now?", "y")
        await person.answers(FOLDER, "")
        assert await person.ends() == 0
    assert "Discord refuses the request (HTTP 403" in person.text
    assert "You can turn it on later at" in person.text


async def test_server_without_permissions_is_named(discord: LocalDiscord, here: Path) -> None:
    poor = discord.add_guild("Poor")
    poor.everyone.permissions = poor.members[discord.state.bot.id].permissions = VIEW_CHANNEL
    person = start(discord, here)
    await person.answers(PASTE, TOKEN)
    await person.answers(FOLDER, "")
    assert await person.ends() == 0
    assert "On Poor its roles lack permissions: open the first address again" in person.text
    assert "On Local Discord" not in person.text


async def test_new_bot_is_looked_for_until_it_is_invited(discord: LocalDiscord, here: Path) -> None:
    discord.guild.with_bot = False
    person = start(discord, here)
    await person.answers(PASTE, TOKEN)
    await person.answers("look again?", "y")
    await person.reads("look again?")
    discord.guild.with_bot = True
    await person.types("y")
    await person.reads("The bot is in 1 server now.")
    await person.answers(FOLDER, "")
    assert await person.ends() == 0


# Music folder, disk, keyboard


async def test_folder_that_cannot_be_read_is_asked_for_again(
    discord: LocalDiscord, here: Path, tmp_path: Path
) -> None:
    person = start(discord, here)
    await person.answers(PASTE, "")
    await person.answers(FOLDER, str(tmp_path / "none"))
    await person.reads("cannot be opened (No such file or directory)")
    (tmp_path / "file").touch()
    await person.answers(FOLDER, str(tmp_path / "file"))
    await person.reads("cannot be opened (Not a directory)")
    await person.answers(FOLDER, str(tmp_path))
    await person.reads(f"There is no music in {tmp_path}: name a folder with sound files.")
    await person.answers(FOLDER, "")
    assert await person.ends() == 0
    assert not (here / ".env").exists()


async def test_file_that_cannot_be_written_is_one_sentence(
    discord: LocalDiscord, here: Path
) -> None:
    (here / ".env").mkdir()
    person = start(discord, here)
    assert await person.ends() == 2
    assert ".env cannot be read (Is a directory)" in person.text
    assert "Traceback" not in person.shown


@pytest.mark.parametrize("when", ["before the token", "after the token"])
async def test_ctrl_c_leaves_a_valid_file_or_none(
    discord: LocalDiscord, here: Path, when: str
) -> None:
    person = at_terminal(discord, here)
    await person.reads(PASTE)
    if when == "after the token":
        await person.types(TOKEN)
        await person.reads(FOLDER)
    await person.presses_ctrl_c()
    assert await person.ends() == 130
    assert "Traceback" not in person.shown
    if when == "before the token":
        assert list(here.iterdir()) == []
        assert "Stopped. .env is as it was." in person.text
    else:
        assert env(here) == f"GENREC_DISCORD_TOKEN={TOKEN}\n"
        assert "Stopped. Saved: the token. Run genrec setup for the rest." in person.text


# Scripts


async def script(
    discord: LocalDiscord, here: Path, *words: str, **variables: str
) -> tuple[object, Conversation]:
    person = start(discord, here, "--yes", *words, **variables)
    return await person.ends(), person


async def test_script_writes_what_the_environment_has(
    discord: LocalDiscord, here: Path, tmp_path: Path
) -> None:
    song(tmp_path / "music")
    code, person = await script(
        discord, here, GENREC_DISCORD_TOKEN=TOKEN, GENREC_LIBRARY=str(tmp_path / "music")
    )
    assert code == 0
    library = f"GENREC_LIBRARY={tmp_path / 'music'}\n"
    assert env(here) == f"GENREC_DISCORD_TOKEN={TOKEN}\n{library}"
    assert INVITE in person.text
    assert TOKEN not in person.shown


async def test_script_adds_no_second_token(
    discord: LocalDiscord, here: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    for before in (f"GENREC_DISCORD_TOKEN_FILE={secret}\n", f"GENREC_DISCORD_TOKEN={TOKEN}\n"):
        (here / ".env").write_text(before)
        code, _ = await script(discord, here)
        assert code == 0
        assert env(here) == before


async def test_script_without_a_token_says_which_variable(
    discord: LocalDiscord, here: Path
) -> None:
    code, person = await script(discord, here)
    assert code == 2
    assert "There is no token: set GENREC_DISCORD_TOKEN" in person.text
    assert list(here.iterdir()) == []


async def test_script_ends_with_the_codes_of_its_errors(here: Path, discord: LocalDiscord) -> None:
    code, person = await script(discord, here, GENREC_DISCORD_TOKEN="wrong.token.x")
    assert code == 2
    assert "Discord refuses the token" in person.text
    closed = LocalDiscord(port=free_port())
    code, person = await script(closed, here, GENREC_DISCORD_TOKEN=TOKEN)
    assert code == 1
    assert "Discord cannot be reached" in person.text
    missing = {"GENREC_DISCORD_TOKEN": TOKEN, "GENREC_LIBRARY": str(here / "none")}
    code, person = await script(discord, here, **missing)
    assert code == 3
    assert "cannot be opened (No such file or directory)" in person.text


async def test_script_turns_the_intent_on_if_told(here: Path) -> None:
    async with LocalDiscord(token=TOKEN, message_content=False) as discord:
        await script(discord, here, GENREC_DISCORD_TOKEN=TOKEN)
        assert not discord.calls("PATCH", "/applications/@me")
        code, _ = await script(discord, here, "--turn-on-intent")
        assert code == 0
        assert discord.calls("PATCH", "/applications/@me")


async def test_service_file_of_a_user_is_written(
    discord: LocalDiscord, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    home = here.parent / "home"
    given = {"GENREC_DISCORD_TOKEN": TOKEN, "HOME": str(home)}
    code, person = await script(discord, here, "--service", **given)
    assert code == 0
    unit = (home / ".config" / "systemd" / "user" / "genrec.service").read_text()
    assert f"WorkingDirectory={here}" in unit
    assert "systemctl --user enable --now genrec" in person.text


async def test_questions_need_a_terminal(here: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "bot", "setup"], cwd=here, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "this is no terminal: pass --yes" in done.stderr
