"""The door itself: room on the disk, and only so many processes at once."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

from bot.sources import Attachment, SourcePolicy, Sources, fetch
from genrec.errors import Busy, InputRefused
from tests.bot.sources.hostile import living, plugged, refusal, until, wav


async def test_the_disk_is_shared_first_come_first_served(origin, policy, names, root):
    """With room for two uploads at a time, ten finish, and never more than two lie there."""
    origin.serve("/x.wav", wav())
    narrow = dataclasses.replace(policy, max_disk_bytes=2 * policy.max_bytes)
    narrow = dataclasses.replace(narrow, attachment_hosts=frozenset({"music.test"}), temp_root=root)
    seen = []

    async with Sources(narrow, resolve=names) as sources:

        async def job() -> None:
            mine = Attachment("http://music.test/x.wav", "x.wav", 10)
            async with sources.fetch(mine):
                seen.append(len(list(root.iterdir())))
                await asyncio.sleep(0.02)

        await asyncio.gather(*(job() for _ in range(10)))
        assert sources.waiting == 0
    assert len(seen) == 10
    assert max(seen) == 2


async def test_the_line_has_an_end(origin, policy, names):
    async def answer(*_):
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    narrow = dataclasses.replace(policy, max_disk_bytes=policy.page_bytes, max_waiting=3)
    async with Sources(narrow, resolve=names) as sources:

        async def job() -> None:
            async with sources.fetch("http://music.test/x.wav"):
                pass

        tasks = [asyncio.create_task(job()) for _ in range(4)]  # one at it, three in line
        await until(lambda: origin.hits["/x.wav"])
        assert sources.waiting == 3
        with pytest.raises(Busy):
            await job()
        tasks[1].cancel()  # whoever leaves the line makes room in it
        await asyncio.sleep(0)
        assert sources.waiting == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sources.waiting == 0
        origin.serve("/x.wav", wav())
        async with sources.fetch("http://music.test/x.wav") as clip:
            assert clip.path.exists()


async def test_only_so_many_pages_at_once(origin, policy, names, root):
    names.set("pages.test", [("127.0.0.1", origin.port)])
    origin.serve("/hang", json.dumps({"do": "hang"}).encode())
    one = dataclasses.replace(plugged(policy), pages_at_once=1, page_s=1.5)
    most = 0
    async with Sources(one, resolve=names) as sources:
        tasks = [asyncio.create_task(refusal(sources, "http://pages.test/hang")) for _ in range(2)]
        while not all(task.done() for task in tasks):
            most = max(most, len(living(root)))
            await asyncio.sleep(0.02)
    assert most == 1


async def test_one_shot(origin, policy, names):
    origin.serve("/x.wav", wav())
    async with fetch("http://music.test/x.wav", policy=policy, resolve=names) as clip:
        assert clip.title == "x"


def test_what_needs_no_io_is_refused_before_anything_starts():
    sources = Sources(SourcePolicy())
    sources.check("https://music.test/x.mp3")
    sources.check(Attachment("https://cdn.discordapp.com/attachments/1/2/x.mp3", "x.mp3", 9))
    for bad in (
        "file:///etc/passwd",
        "https://youtu.be/x",
        Attachment("https://music.test/x.mp3", "x.mp3", 9),
    ):
        with pytest.raises(InputRefused):
            sources.check(bad)
