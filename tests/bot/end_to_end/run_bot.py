"""The bot as a process that tests kill.

python run_bot.py URL TOKEN FOLDER DELAY_S [SHARDS HERE ADDRESS]: several bots share the PostgreSQL
database at ADDRESS; each takes HERE shards at most.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from bot.config import Settings
from bot.local_discord import patch_discord_py
from bot.logs import set_up_logs
from bot.runtime.lifecycle import run_until_stopped
from bot.runtime.source_policy import source_policy
from bot.runtime.wiring import open_app
from db.address import PostgresAddress
from tests.bot.end_to_end.fakes import FakePool, opener


async def main(
    url: str,
    token: str,
    folder: str,
    delay_s: str,
    shards: str = "1",
    here: str = "0",
    address: str = "",
) -> None:
    stop, pool = asyncio.Event(), FakePool()
    pool.delay_s = float(delay_s)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings(
        _env_file=None,
        http_port=0,
        database=Path(folder) / "genrec.db",
        preset=Path(folder) / "preset",
        shards=int(shards),
        shards_here=int(here),
    )
    if address:
        # The people of these tests ask without a pause, and no refusal may hide a lost answer.
        limits = {"cooldown_s": 0, "jobs_in_all": 500, "jobs_per_server": 200}
        limits |= {"jobs_in_direct_messages": 200}
        settings = settings.model_copy(
            update={"database": PostgresAddress(address), **limits},
        )
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    policy = replace(
        source_policy(settings),
        schemes=frozenset({"http"}),
        attachment_hosts=frozenset({host}),
        open_endpoints=frozenset({(host, port)}),
    )
    with patch_discord_py(url):
        async with open_app(
            settings,
            policy=policy,
            open_pool=opener(pool),
            measure_sandbox=None,
        ) as app:
            await run_until_stopped(app, token, stop=stop)


if __name__ == "__main__":
    set_up_logs(form="json", level="INFO", secrets=[sys.argv[2]])
    asyncio.run(main(*sys.argv[1:]))
