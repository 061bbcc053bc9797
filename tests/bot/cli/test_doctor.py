"""``genrec doctor``: each check of this machine and of Discord, passed and failed."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.cli import doctor, doctor_discord, doctor_machine
from bot.cli.findings import Finding
from bot.config import Settings
from bot.local_discord import LocalDiscord
from bot.local_discord.permissions import SEND_MESSAGES, VIEW_CHANNEL
from bot.runtime import app
from bot.runtime.instance_lock import instance_lock
from db.connection import open_db
from db.guild_settings import GuildSettings, save_settings
from genrec import runtimes
from tests.bot.end_to_end.fakes import make_preset
from tests.bot.end_to_end.test_unreachable import free_port
from tests.dask_cluster import DaskCluster


def settings(folder: Path, **values: object) -> Settings:
    given = {
        "database": folder / "genrec.db", "preset": folder / "preset",
        "http_port": 0, "local_discord_port": 0,
    }  # fmt: skip
    return Settings(_env_file=None, **given | values)


@pytest.fixture
def machine(tmp_path: Path):
    """Return a function that checks the machine with some settings; findings by name."""
    make_preset(tmp_path / "preset")

    def examine(**values: object) -> dict[str, Finding]:
        found = doctor_machine.machine_findings(settings(tmp_path, **values))
        return {finding.name: finding for finding in found}

    return examine


# This machine


def test_new_machine_has_no_fault(machine) -> None:
    found = machine()
    assert all(finding.ok for finding in found.values())
    assert {name for name, finding in found.items() if finding.skipped} == {
        "library folder", "http port", "page port", "javascript",
    }  # fmt: skip
    assert "discord.py 2." in found["versions"].note
    assert found["health"].note.startswith("sound, ")


@pytest.mark.parametrize(
    ("wanted", "vnni", "installed", "note"),
    [
        ("auto", True, True, "litert"),
        ("auto", False, True, "onnxruntime, because this processor lacks VNNI"),
        ("auto", False, False, "litert; this processor lacks VNNI, and `pip install"),
        ("litert", False, True, "litert, by GENREC_RUNTIME"),
        ("onnxruntime", True, True, "onnxruntime, by GENREC_RUNTIME"),
    ],
)
def test_runtime_of_the_network_is_named_with_its_reason(
    machine, monkeypatch: pytest.MonkeyPatch, wanted: str, vnni: bool, installed: bool, note: str
) -> None:
    for module in (runtimes, doctor_machine):
        monkeypatch.setattr(module, "lacks_vnni", lambda: not vnni)
        monkeypatch.setattr(module, "onnxruntime_installed", lambda: installed)
    monkeypatch.setattr(runtimes, "onnxruntime_fault", lambda: "")
    finding = machine(runtime=wanted)["runtime"]
    assert finding.ok
    assert finding.note.startswith(note)


def test_runtime_that_cannot_be_loaded_is_named(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(f"no {name}")

    for module in (runtimes, doctor_machine):
        monkeypatch.setattr(module, "lacks_vnni", lambda: True)
        monkeypatch.setattr(module, "onnxruntime_installed", lambda: True)
    monkeypatch.setattr(runtimes, "import_module", fail)
    finding = machine()["runtime"]
    assert (finding.ok, finding.vital) == (False, False)
    assert finding.note.startswith("litert, more slowly. The runtime onnxruntime cannot be loaded")
    assert "no genrec.onnxruntime_network" in finding.note


def test_runtime_that_is_not_installed_is_named(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "onnxruntime_installed", lambda: False)
    finding = machine(runtime="onnxruntime")["runtime"]
    assert (finding.ok, finding.vital) == (False, False)
    assert "pip install 'genrec[onnxruntime]'" in finding.note


@pytest.mark.parametrize(("kind", "state"), [("missing", "missing"), ("empty", "empty")])
def test_music_folder_that_is_gone_is_named(machine, tmp_path: Path, kind: str, state: str) -> None:
    music = tmp_path / "music"
    if kind == "empty":
        music.mkdir()
    finding = machine(library=music)["library folder"]
    assert (finding.ok, finding.vital) == (False, False)
    assert (
        finding.note
        == f"{music} is {state}: mount its disk, or set GENREC_LIBRARY to the music folder"
    )


def test_start_names_a_music_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(_: Settings) -> None:
        return None

    for name, fake in (("serve", serve), ("set_up_logs", lambda **_: None)):
        monkeypatch.setattr(app, name, fake)
    monkeypatch.setattr(app, "protect_secrets", lambda: None)
    app.run(settings(tmp_path, library=tmp_path / "none"))
    assert f"music folder gone: {tmp_path / 'none'} is missing: mount its disk" in caplog.text
    caplog.clear()
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.flac").touch()
    app.run(settings(tmp_path, library=tmp_path / "music"))
    assert "music folder gone" not in caplog.text


def test_full_disk_names_what_is_needed(machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    found = machine()
    assert found["disk"].mark == found["clip disk"].mark == "no"
    assert found["disk"].note.startswith("5 MiB free in")
    assert found["clip disk"].note.endswith("GENREC_CLIP_DISK_MB may need 512 MiB: free disk space")


@pytest.mark.parametrize(
    ("held", "ours", "ok", "note"),
    [
        (
            [0],
            0,
            False,
            (
                "served: shard 0 (1 of 2); nobody serves shard 1: start another bot process, or"
                " raise GENREC_SHARDS_HERE"
            ),
        ),
        ([0, 1], 2, True, "served: shard 0-1 (2 of 2)"),
        (
            [0, 1],
            4,
            False,
            "served: shard 0-1 (2 of 2); GENREC_SHARDS=4 here, so a bot with it does not start",
        ),
    ],
)
def test_served_shards_are_named_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: list[int], ours: int, ok: bool, note: str
) -> None:
    @asynccontextmanager
    async def opened(_):
        yield None, SimpleNamespace(engine="postgres")

    async def states(_):
        return 2, held

    monkeypatch.setattr(doctor, "open_catalogue", opened)
    monkeypatch.setattr(doctor, "shard_states", states)
    (finding,) = doctor._shards(settings(tmp_path, shards=ours))
    assert (finding.ok, finding.note) == (ok, note)


def test_port_in_use_is_a_fault_unless_the_bot_runs(machine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        finding = machine(http_port=port)["http port"]
        assert (finding.mark, finding.note) == (
            "no", f"{port}: {os.strerror(errno.EADDRINUSE)}: set GENREC_HTTP_PORT to another port"
        )  # fmt: skip
        with instance_lock(tmp_path / "genrec.db"):
            assert machine(http_port=port)["http port"].ok
    assert machine(http_port=port)["http port"].note == f"{port} is free"


def test_subsonic_password_without_a_port_is_reported(machine) -> None:
    assert "opensubsonic" not in machine()
    secret = {"subsonic_password": "0123456789abcdef"}
    found = machine(**secret)["opensubsonic"]
    assert (found.mark, found.note) == (
        "no", "user genrec, with password: set GENREC_HTTP_API_PORT, or run `genrec serve`"
    )  # fmt: skip
    assert machine(**secret, http_api_port=1)["opensubsonic"].ok


def test_token_that_others_can_read_is_reported(machine, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("not-a-token")
    token.chmod(0o644)
    finding = machine(discord_token_file=token)["secrets"]
    assert (finding.ok, finding.vital) == (False, False)
    assert finding.note.endswith(f"chmod 600 {token}")
    token.chmod(0o600)
    assert "secrets" not in machine(discord_token_file=token)


def test_broken_references_and_damage_ask_for_a_backup(machine, tmp_path: Path) -> None:
    machine()
    with closing(sqlite3.connect(tmp_path / "genrec.db")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        assert connection.execute("DELETE FROM embedding WHERE id = 1").rowcount == 1
        connection.commit()
    finding = machine()["health"]
    assert not finding.ok
    assert "entry, fingerprint refer to rows that are gone" in finding.note
    assert finding.note.endswith("`genrec restore` a backup")


def test_javascript_runtime_is_asked_only_for_youtube(machine, tmp_path: Path) -> None:
    assert machine()["javascript"].skipped
    program = tmp_path / "deno"
    program.write_text("#!/bin/sh\necho deno 2.5.1\n")
    program.chmod(0o755)
    finding = machine(youtube=True, js_runtime=program)["javascript"]
    assert (finding.ok, finding.note) == (True, f"deno 2.5.1 ({program})")
    program.write_text("#!/bin/sh\nexit 3\n")
    finding = machine(youtube=True, js_runtime=program)["javascript"]
    assert not finding.ok
    assert "does not start" in finding.note


# Discord


@asynccontextmanager
async def discord_of(**options: object) -> AsyncIterator[LocalDiscord]:
    async with LocalDiscord(**options) as local:
        with local.patch_discord_py():
            yield local
        local.assert_clean()


async def examine(folder: Path, **values: object) -> dict[str, Finding]:
    found = await doctor_discord._collect(settings(folder, **values))
    return {finding.name: finding for finding in found}


async def test_without_a_token_nothing_is_asked(tmp_path: Path) -> None:
    found = await examine(tmp_path)
    assert all(finding.skipped for finding in found.values())
    assert all("`genrec setup` sets one" in finding.note for finding in found.values())
    assert list(found) == [
        "discord", "clock", "token", "application", "intents", "servers", "upload channels",
    ]  # fmt: skip


async def test_good_bot_passes_every_check(tmp_path: Path) -> None:
    async with discord_of() as discord:
        found = await examine(tmp_path, discord_token=discord.token)
    assert [finding.mark for finding in found.values()] == ["ok"] * 7
    assert found["token"].note == "of the bot genrec, which belongs to you"
    assert found["servers"].note == "all permissions in 1 server"


async def test_unreachable_discord_skips_the_rest(tmp_path: Path) -> None:
    with LocalDiscord(port=free_port()).patch_discord_py():
        found = await examine(tmp_path, discord_token="a.b")
    assert found.pop("discord").mark == "BAD"
    assert {finding.note for finding in found.values()} == {"skipped: no connection"}


async def test_wrong_token_is_vital_and_not_repeated(tmp_path: Path) -> None:
    async with discord_of():
        found = await examine(tmp_path, discord_token="very.secret.token")
    assert found["discord"].ok
    assert (found["token"].mark, found["intents"].mark) == ("BAD", "skip")
    assert "copy it anew" in found["token"].note
    assert not [finding for finding in found.values() if "secret" in finding.note]


async def test_fault_of_discord_in_the_middle_names_the_check(tmp_path: Path) -> None:
    async with discord_of() as discord:
        discord.faults.server_error("GET", "/users/@me/guilds", 403)
        found = await examine(tmp_path, discord_token=discord.token)
    assert found["intents"].ok
    assert (found["servers"].mark, found["upload channels"].mark) == ("BAD", "skip")
    assert len(found) == 7


@pytest.mark.parametrize(("wanted", "mark"), [(True, "no"), (False, "ok")])
async def test_intent_that_is_off_names_its_switch(tmp_path: Path, wanted: bool, mark: str) -> None:
    async with discord_of(message_content=False) as discord:
        found = await examine(tmp_path, discord_token=discord.token, message_content=wanted)
    assert found["intents"].mark == mark
    if wanted:
        page = f"https://discord.com/developers/applications/{discord.state.bot.id}/bot"
        assert found["intents"].note.endswith(f"turn it on at {page}")


async def test_lost_permissions_of_servers_and_channels_are_named(tmp_path: Path) -> None:
    async with discord_of() as discord:
        poor = discord.add_guild("Poor")
        poor.everyone.permissions = poor.members[discord.state.bot.id].permissions = VIEW_CHANNEL
        music, guild_id = discord.channel("music"), int(discord.guild.id)
        async with open_db(tmp_path / "genrec.db") as db:
            chosen = frozenset({int(music.id)})
            await save_settings(db, GuildSettings(guild_id=guild_id, upload_channels=chosen))
        discord.edit.overwrite(music, discord.state.bot, deny=SEND_MESSAGES)
        found = await examine(tmp_path, discord_token=discord.token)
    note = found["servers"].note
    assert note.startswith(f"Poor ({poor.id}) lacks Send Messages, Embed Links, Attach Files")
    assert "let an admin invite it again" in note
    channels = found["upload channels"]
    assert channels.note.startswith("Local Discord #music lacks Send Messages: give it")
    assert (channels.mark, found["servers"].mark) == ("no", "no")


async def test_bot_in_no_server_is_told_how_to_be_invited(tmp_path: Path) -> None:
    async with discord_of() as discord:
        discord.guild.with_bot = False
        found = await examine(tmp_path, discord_token=discord.token)
    assert (found["servers"].mark, found["servers"].note.partition(":")[0]) == (
        "no", "the bot is in no server"
    )  # fmt: skip


@pytest.mark.parametrize(("ahead", "words"), [(90.4, "90 s ahead of"), (-3600, "3600 s behind")])
def test_wrong_clock_is_named(ahead: float, words: str) -> None:
    finding = doctor_discord._clock(ahead)
    assert finding.mark == "no"
    assert finding.note.startswith(f"{words} Discord's: let the system set it")
    assert doctor_discord._clock(2.0).ok


# Output


def test_skipped_checks_of_one_reason_share_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    found = asyncio.run(doctor_discord._collect(Settings(_env_file=None, discord_token=None)))
    doctor.show([*found, Finding("yt-dlp", ok=False, note="is missing", vital=False)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("skip discord, clock, token, application, intents, servers, ")
    assert second.split() == ["no", "yt-dlp", "is", "missing"]


def test_json_has_the_skipped_checks() -> None:
    findings = [Finding("a", ok=True, note="skipped: b", vital=False, skipped=True)]
    assert doctor.as_json(findings) == {
        "healthy": True,
        "findings": [
            {"name": "a", "ok": True, "note": "skipped: b", "vital": False, "skipped": True}
        ],
    }


# The cluster


def test_without_a_cluster_none_is_asked(tmp_path: Path) -> None:
    assert doctor._cluster(settings(tmp_path)).skipped


def test_cluster_names_what_its_workers_do_at_once(tmp_path: Path) -> None:
    with DaskCluster(tmp_path / "cluster") as cluster:
        cluster.wait_for(cluster.start_worker())
        finding = doctor._cluster(settings(tmp_path, cluster=cluster.address))
    assert finding.mark == "ok"
    assert re.fullmatch(
        rf"the workers at {cluster.address} analyse [1-9]\d* files at once", finding.note
    )


def test_scheduler_that_does_not_run_is_named(tmp_path: Path) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    finding = doctor._cluster(settings(tmp_path, cluster=address))
    assert finding.mark == "no"
    assert f"The scheduler of the cluster at {address} cannot be reached" in finding.note
