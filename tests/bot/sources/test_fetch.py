"""`Sources`: the disk budget, its queue, and the limit on page processes."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json

import pytest

from bot.sources import Attachment, SourcePolicy, Sources, fetch
from genrec.errors import Busy, InputRefused
from tests.bot.sources.hostile import fetch_outcome, processes_in, wait_until, wav, with_local_site


async def test_disk_budget_limits_concurrent_fetches(origin, policy, dns, root):
    """With disk space for two uploads, ten finish and at most two exist at a time."""
    origin.serve("/x.wav", wav())
    narrow = dataclasses.replace(policy, max_disk_bytes=2 * policy.max_bytes)
    narrow = dataclasses.replace(narrow, attachment_hosts=frozenset({"music.test"}), temp_root=root)
    seen = []

    async with Sources(narrow, resolve=dns) as sources:

        async def job() -> None:
            mine = Attachment("http://music.test/x.wav", "x.wav", 10)
            async with sources.fetch(mine):
                seen.append(len(list(root.iterdir())))
                await asyncio.sleep(0.02)

        await asyncio.gather(*(job() for _ in range(10)))
        assert sources.waiting == 0
    assert len(seen) == 10
    assert max(seen) == 2


async def test_disk_queue_over_max_waiting_raises_busy(origin, policy, dns):
    async def answer(*_):
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    narrow = dataclasses.replace(policy, max_disk_bytes=policy.page_bytes, max_waiting=3)
    async with Sources(narrow, resolve=dns) as sources:

        async def job() -> None:
            async with sources.fetch("http://music.test/x.wav"):
                pass

        tasks = [asyncio.create_task(job()) for _ in range(4)]  # one fetches, three wait
        await wait_until(lambda: origin.hits["/x.wav"])
        assert sources.waiting == 3
        with pytest.raises(Busy):
            await job()
        tasks[1].cancel()  # a cancelled fetch leaves the queue
        await asyncio.sleep(0)
        assert sources.waiting == 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sources.waiting == 0
        origin.serve("/x.wav", wav())
        async with sources.fetch("http://music.test/x.wav") as clip:
            assert clip.path.exists()


async def test_page_processes_are_limited(origin, policy, dns, root):
    dns.set("pages.test", [("127.0.0.1", origin.port)])
    origin.serve("/hang", json.dumps({"do": "hang"}).encode())
    one = dataclasses.replace(with_local_site(policy), pages_at_once=1, page_s=1.5)
    most = 0
    async with Sources(one, resolve=dns) as sources:
        tasks = [
            asyncio.create_task(fetch_outcome(sources, "http://pages.test/hang")) for _ in range(2)
        ]
        while not all(task.done() for task in tasks):
            most = max(most, len(processes_in(root)))
            await asyncio.sleep(0.02)
    assert most == 1


async def test_fetch_function_opens_sources_for_one_clip(origin, policy, dns):
    origin.serve("/x.wav", wav())
    async with fetch("http://music.test/x.wav", policy=policy, resolve=dns) as clip:
        assert clip.title == "x"


def test_check_refuses_sources_without_io():
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


async def test_checked_source_is_not_checked_again(origin, policy, dns, monkeypatch):
    origin.serve("/x.wav", wav())
    own = dataclasses.replace(policy, attachment_hosts=frozenset({"music.test"}))
    module = importlib.import_module("bot.sources.fetch")  # the package's name is the function
    checks = []

    def count(name: str) -> None:
        check = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: checks.append(name) or check(*given))

    count("check_attachment")
    count("check_url")
    link, upload = "http://music.test/x.wav", Attachment("http://music.test/x.wav", "x.wav", 10)
    async with Sources(own, resolve=dns) as sources:
        for source in (link, upload):
            async with sources.fetch(sources.check(source)):
                pass
        assert checks == ["check_url", "check_attachment"]
        for source in (link, upload):
            async with sources.fetch(source):
                pass
    assert checks == ["check_url", "check_attachment"] * 2


async def test_source_of_another_policy_is_not_fetched(origin, policy, dns):
    origin.serve("/x.wav", wav())
    async with Sources(policy, resolve=dns) as sources:
        other_sources = Sources(dataclasses.replace(policy), resolve=dns)
        checked = other_sources.check("http://music.test/x.wav")
        with pytest.raises(ValueError, match="another policy"):
            async with sources.fetch(checked):
                pass
    assert not origin.hits
