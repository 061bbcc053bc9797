"""Two bots and a spare that share PostgreSQL, on a local Discord: ``make bots``.

Real processes, a real server and the shipped preset, on loopback only; nothing is left behind.
Kill a bot (its id is printed), and the spare takes its shard over. What died is told, and whether a
spare is left.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bot.config import Settings
from bot.local_discord import LocalDiscord, patch_discord_py
from bot.logs import set_up_logs
from bot.runtime.lifecycle import run_until_stopped
from bot.runtime.source_policy import source_policy
from bot.runtime.wiring import open_app
from db.address import PostgresAddress
from db.connection import open_db
from db.guild_settings import load_settings, save_settings
from tests.db.postgres_server import running_server

SHARDS = 2
START_S, STOP_S = 120, 30


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


async def serve(address: str, bots: int, port: int) -> None:
    """Run the local Discord and the bots until a signal."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    started: list[Bot] = []
    async with LocalDiscord(port=port) as discord:
        discord.gateway.shards = SHARDS
        number = 2
        while len({(int(guild.id) >> 22) % SHARDS for guild in discord.state.guilds.values()}) < 2:
            discord.add_guild(f"Server {number}")
            number += 1
            await asyncio.sleep(0.002)  # ids count milliseconds
        await answer_uploads(address, discord)
        starting = asyncio.create_task(start_bots(address, discord, bots, started))
        telling = asyncio.create_task(tell(discord, started))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({telling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            for task in (starting, telling, stopping):
                task.cancel()
            await asyncio.wait({starting, telling, stopping})
            say("Stopping the bots and PostgreSQL ...")
            await asyncio.gather(*(end(bot.process) for bot in started))


@dataclass
class Bot:
    """A bot process, its number, and whether its end was told."""

    number: int
    process: Process
    told: bool = False


async def start_bots(address: str, discord: LocalDiscord, count: int, started: list[Bot]) -> None:
    """Start the bots and add them to ``started``; the first ones get the shards."""
    for number in range(1, count + 1):
        if number == SHARDS + 1:
            await discord.wait_for(lambda: served(discord) == list(range(SHARDS)), START_S)
        started.append(Bot(number, await start_bot(address, discord)))
        kind = "Bot" if number <= SHARDS else "Spare bot"
        say(f"{kind} {number} has the process id {started[-1].process.pid}.")


async def end(process: Process) -> None:
    """End a bot, by force if it does not end by itself."""
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def served(discord: LocalDiscord) -> list[int]:
    """Return the shards that have a session."""
    return sorted(discord.gateway.connected_shards)


async def answer_uploads(address: str, discord: LocalDiscord) -> None:
    """Let the bots answer uploads in #music, as ``genrec run`` does without a token."""
    async with open_db(address) as db:
        known = await load_settings(db, int(discord.guild.id))
        music = frozenset({int(discord.channel("music").id)})
        await save_settings(db, replace(known, upload_channels=music))


async def start_bot(address: str, discord: LocalDiscord) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.shared_bots", "--bot", discord.url, discord.token, address,
        start_new_session=True,  # Ctrl-C is for the parent, which stops the bots
    )  # fmt: skip


async def tell(discord: LocalDiscord, bots: list[Bot]) -> None:
    """Print what died, and which shards are connected, whenever that changes."""
    shown: list[int] | None = None
    while True:
        tell_dead(bots)
        connected = served(discord)
        if connected != shown:
            say(f"Connected shards: {', '.join(map(str, connected)) or 'none'}.")
            if len(connected) == SHARDS and (shown is None or len(shown) < SHARDS):
                say(f"Open {discord.page_url} and press Ctrl-C here to stop.")
            shown = connected
        await asyncio.sleep(0.2)


def tell_dead(bots: list[Bot]) -> None:
    """Print each bot that ended since the last call, and whether a spare is left."""
    for bot in bots:
        if bot.process.returncode is None or bot.told:
            continue
        bot.told = True
        say(f"Bot {bot.number} (process id {bot.process.pid}) {how(bot.process.returncode)}.")
        left = sum(not one.told for one in bots)
        if left > SHARDS:
            say(f"A spare takes over what it served; spares left: {left - SHARDS}.")
        elif left == SHARDS:
            say("The spare takes over what it served, and no spare is left.")
        elif left:
            say(f"No spare is left, so {SHARDS - left} of {SHARDS} shards have no bot.")
        else:
            say("No bot is left: press Ctrl-C, and start again.")


def how(returncode: int) -> str:
    """Return how a process ended."""
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"


async def run_bot(url: str, token: str, address: str) -> None:
    """Run one bot with one worker until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings(
        _env_file=None, http_port=0, workers=1, database=PostgresAddress(address), shards=SHARDS,
        shards_here=1,
    )  # fmt: skip
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    policy = replace(
        source_policy(settings),
        schemes=frozenset({"http", "https"}),
        attachment_hosts=frozenset({host}),
        open_endpoints=frozenset({(host, port)}),
    )
    with patch_discord_py(url):
        async with open_app(settings, policy=policy) as app:
            await run_until_stopped(app, token, stop=stop)


def main() -> None:
    """Run the parent, or with ``--bot`` one bot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bots", type=int, default=SHARDS + 1, help="processes: two and spares")
    parser.add_argument("--port", type=int, default=8080, help="port of the page; 0: any")
    parser.add_argument("--bot", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bot:
        set_up_logs(form="text", level="WARNING", secrets=[options.bot[1]])
        asyncio.run(run_bot(*options.bot))
        return
    say("Starting PostgreSQL, a local Discord and the bots, on this machine only ...")
    with running_server() as server:
        asyncio.run(serve(server.new_schema(), options.bots, options.port))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
