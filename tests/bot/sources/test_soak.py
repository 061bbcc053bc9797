"""Soak test: two hundred mixed fetches within the limits on disk, files and processes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
import random

import pytest

from bot.sources import Sources
from bot.sources.tempdirs import directory_size
from tests.bot.sources.hostile import fetch_outcome, processes_in, wav, with_local_site


def serve_hostile_web(origin, forbidden) -> dict[str, str]:
    """Serve one page of each kind; return each link with its expected outcome."""

    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + wav()[:600])
        while True:
            writer.write(b"\1")
            await writer.drain()
            await asyncio.sleep(0.02)

    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(wav())
            await writer.drain()

    origin.serve("/good.wav", wav())
    origin.routes |= {"/drip.wav": drip, "/endless.wav": endless}
    origin.serve("/list.wav", b"#EXTM3U\nhttp://inside.test/secret\n")
    origin.redirect("/in.wav", f"http://127.0.0.1:{forbidden.port}/secret")
    sound = {"url": "http://music.test/good.wav", "ext": "wav", "vcodec": "none"}
    pages: dict[str, tuple[dict[str, object], str]] = {
        "good": (sound, f"clip {len(wav())}"),
        "inside": ({**sound, "url": "http://inside.test/secret"}, "LinkRefused"),
        "endless": ({**sound, "url": "http://music.test/endless.wav"}, "ClipTooLarge"),
        "hang": ({"do": "hang"}, "LinkRefused"),
        "fork": ({"do": "fork"}, "LinkRefused"),
        "die": ({"do": "die"}, "LinkRefused"),
        "list": ({"_type": "playlist", "entries": []}, "LinkRefused"),
    }
    outcomes = {
        "http://music.test/good.wav": f"clip {len(wav())}",
        "http://music.test/drip.wav": "LinkRefused",
        "http://music.test/endless.wav": "ClipTooLarge",
        "http://music.test/list.wav": "UnsupportedFormat",
        "http://music.test/in.wav": "LinkRefused",
        "http://inside.test/secret": "LinkRefused",
        "file:///etc/passwd": "LinkRefused",
        "https://youtu.be/x": "UnsupportedSource",
    }
    for name, (page, outcome) in pages.items():
        origin.serve(f"/{name}", json.dumps(page).encode())
        outcomes[f"http://pages.test/{name}"] = outcome
    return outcomes


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_two_hundred_mixed_fetches_leave_nothing(origin, forbidden, policy, dns, root):
    """Good, hostile, hanging, crashing and cancelled fetches stay within the disk budget."""
    dns.set("pages.test", [("127.0.0.1", origin.port)])
    outcomes = serve_hostile_web(origin, forbidden)
    # Good pages need long timeouts on a busy machine; hanging pages get a short one.
    patient = dataclasses.replace(
        with_local_site(policy),
        page_s=300.0,
        download_s=120.0,
        stall_s=60.0,
        pages_at_once=3,
        max_waiting=200,
    )
    hasty = dataclasses.replace(patient, page_s=4.0)
    chance = random.Random(7)
    links = [link for link in outcomes for _ in range(200 // len(outcomes) + 1)][:200]
    chance.shuffle(links)
    # A body without a length is refused where the disk is full, so as many run as admission lets.
    guilds = [asyncio.Semaphore(4) for _ in range(3)]
    descriptors = open_files()
    most, wrong, cancelled = 0, [], 0

    async with Sources(patient, resolve=dns) as slow, Sources(hasty, resolve=dns) as quick:

        async def job(number: int, link: str) -> None:
            owner = number % len(guilds)
            async with guilds[owner]:
                await fetch_once(link, owner)

        async def fetch_once(link: str, owner: int) -> None:
            nonlocal cancelled
            sources = quick if link.endswith(("/hang", "/fork")) else slow
            give_up_s = chance.uniform(0, 1) if chance.random() < 0.2 else None
            try:
                async with asyncio.timeout(give_up_s):
                    got = await fetch_outcome(sources, link, owner=owner)
            except TimeoutError:
                cancelled += 1
                return
            if got != outcomes[link]:
                wrong.append((link, got, outcomes[link]))

        jobs = asyncio.gather(*(job(number, link) for number, link in enumerate(links)))
        while not jobs.done():
            most = max(most, directory_size(root))
            await asyncio.sleep(0.05)
        await jobs
        assert processes_in(root) == []
        assert list(root.iterdir()) == []
        assert slow.waiting == quick.waiting == 0
    assert wrong == []
    assert cancelled >= 10
    assert 0 < most <= policy.max_disk_bytes
    assert open_files() <= descriptors + 3


def open_files() -> int:
    return len(list(pathlib.Path("/proc/self/fd").iterdir()))
