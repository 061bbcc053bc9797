"""`Sources`: the disk budget, its queue, and the limit on page processes."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json

import pytest

from bot.sources import Attachment, SourcePolicy, Sources, fetch
from genrec.errors import Busy, InputRefused
from tests.bot.sources.hostile import (
    fetch_outcome,
    processes_in,
    response,
    wait_until,
    wav,
    with_local_site,
)


async def test_disk_budget_limits_concurrent_uploads(origin, policy, dns, root):
    """With disk space for three large uploads, ten finish and at most three exist at a time."""
    origin.serve("/x.wav", wav())
    narrow = dataclasses.replace(
        policy,
        max_disk_bytes=3 * policy.max_bytes,
        attachment_hosts=frozenset({"music.test"}),
        temp_root=root,
    )
    seen = []

    async with Sources(narrow, resolve=dns) as sources:

        async def job(guild: int) -> None:
            mine = Attachment("http://music.test/x.wav", "x.wav", policy.max_bytes)
            async with sources.fetch(mine, owner=guild):
                seen.append(len(list(root.iterdir())))
                await asyncio.sleep(0.05)

        await asyncio.gather(*(job(guild) for guild in range(10)))
        assert sources.waiting == 0
    assert len(seen) == 10
    assert max(seen) == 3


async def test_disk_queue_over_max_waiting_raises_busy(origin, policy, dns):
    """Links that declare the largest size: two fit, three wait, and the next is refused."""

    async def answer(_, writer):
        writer.write(response(b"", f"Content-Length: {policy.max_bytes}") + wav()[:600])
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    narrow = dataclasses.replace(
        policy, max_disk_bytes=3 * policy.max_bytes, max_waiting=3, stall_s=20.0, download_s=20.0
    )
    async with Sources(narrow, resolve=dns) as sources:

        async def job() -> None:
            async with sources.fetch("http://music.test/x.wav"):
                pass

        tasks = [asyncio.create_task(job()) for _ in range(5)]
        await wait_until(lambda: sources.waiting == 3)
        with pytest.raises(Busy):
            await job()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert sources.waiting == 0
        origin.serve("/x.wav", wav())
        async with sources.fetch("http://music.test/x.wav") as clip:
            assert clip.path.exists()


async def test_link_that_waits_too_long_for_disk_space_is_busy(origin, policy, dns):
    async def answer(_, writer):
        writer.write(response(b"", f"Content-Length: {policy.max_bytes}") + wav()[:600])
        await asyncio.sleep(30)

    origin.routes["/x.wav"] = answer
    narrow = dataclasses.replace(policy, max_disk_bytes=3 * policy.max_bytes, stall_s=0.5)
    async with Sources(narrow, resolve=dns) as sources:
        outcomes = await asyncio.gather(
            *(fetch_outcome(sources, "http://music.test/x.wav") for _ in range(3))
        )
    assert sorted(outcomes) == ["Busy", "LinkRefused", "LinkRefused"]


async def test_body_without_length_is_busy_when_the_disk_share_is_full(origin, policy, dns):
    async def answer(_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + wav().ljust(policy.max_bytes - 1, b"\1"))

    origin.routes["/x.wav"] = answer
    narrow = dataclasses.replace(policy, max_disk_bytes=3 * policy.max_bytes)
    async with Sources(narrow, resolve=dns) as sources:
        async with (
            sources.fetch("http://music.test/x.wav"),
            sources.fetch("http://music.test/x.wav"),
        ):
            assert await fetch_outcome(sources, "http://music.test/x.wav") == "Busy"
        assert await fetch_outcome(sources, "http://music.test/x.wav") == "clip 199999"


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
