"""Access to the local Discord: loopback, Host and Origin headers, page key and bot token."""

from __future__ import annotations

import aiohttp
import discord as library
import pytest

from bot.local_discord import LocalDiscord, Upload, patch_discord_py
from genrec.errors import GenrecError


def test_host_other_than_loopback_raises() -> None:
    with pytest.raises(ValueError, match="not a loopback address"):
        LocalDiscord(host="0.0.0.0")
    with pytest.raises(
        ValueError, match=r"listen=192\.0\.2\.1: expected a loopback address, 0\.0\.0\.0"
    ):
        LocalDiscord(listen="192.0.2.1")
    with (
        pytest.raises(ValueError, match="expected a loopback"),
        patch_discord_py("http://192.0.2.1:80"),
    ):
        pass


async def test_published_port_of_a_container_keeps_all_checks() -> None:
    async with LocalDiscord(listen="0.0.0.0") as local, aiohttp.ClientSession() as session:
        assert local.url == f"http://127.0.0.1:{local.port}"
        # As a container engine forwards it: another address, and the Host that the browser used.
        page = local.page_url.replace("127.0.0.1", "127.0.0.2")
        published = {"Host": f"localhost:{local.port}"}
        assert (await session.get(page, headers=published)).status == 200
        assert (await session.get(page)).status == 421
        rebound = {"Host": f"evil.example:{local.port}"}
        assert (await session.get(page, headers=rebound)).status == 421
        guessed = f"http://127.0.0.2:{local.port}/page/guess/"
        assert (await session.get(guessed, headers=published)).status == 404
        body = {"channel": local.channel("music").id, "content": "hello"}
        for origin, status in (
            (None, 403),
            ("http://evil.example", 403),
            (f"http://{published['Host']}", 200),
        ):
            headers = published | ({"Origin": origin} if origin else {})
            said = await session.post(f"{page}api/say", json=body, headers=headers)
            assert said.status == status


async def test_port_in_use_is_explained(discord: LocalDiscord) -> None:
    with pytest.raises(GenrecError, match=f"Port {discord.port} of 127.0.0.1 cannot be used"):
        async with LocalDiscord(port=discord.port):
            pass


async def test_patch_discord_py_is_undone_after_the_block(discord: LocalDiscord) -> None:
    before = library.http.Route.BASE
    with discord.patch_discord_py():
        assert discord.url + "/api/v10" == library.http.Route.BASE
    assert before == library.http.Route.BASE == "https://discord.com/api/v10"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 421),
    ],
)
async def test_request_with_other_origin_or_host_is_refused(
    discord: LocalDiscord, headers: dict[str, str], status: int
) -> None:
    body = {"channel": discord.channel("music").id, "content": "hello"}
    async with aiohttp.ClientSession() as session:
        address = f"{discord.page_url}api/say"
        refused = await session.post(address, json=body, headers=headers)
        assert refused.status == status
        live = {"Connection": "Upgrade", "Upgrade": "websocket", **headers}
        assert (await session.get(f"{discord.page_url}live", headers=live)).status == status
        assert discord.you.messages() == []
        allowed = await session.post(address, json=body, headers={"Origin": discord.url})
        assert allowed.status == 200
        assert [message["content"] for message in discord.you.messages()] == ["hello"]


async def test_page_needs_its_key_and_serves_only_its_files(discord: LocalDiscord) -> None:
    async with aiohttp.ClientSession() as session:
        page = await session.get(discord.page_url)
        assert page.status == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Referrer-Policy"] == "no-referrer"
        for address in (
            f"{discord.url}/page/guess/",
            f"{discord.url}/page/",
            f"{discord.page_url}..%2fserver.py",
            f"{discord.page_url}__init__.py",
            discord.url,
        ):
            assert (await session.get(address)).status == 404


async def test_other_host_header_is_refused_on_all_paths(discord: LocalDiscord) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/api/v10/gateway", "/cdn/attachments/1/2/a", "/gateway"):
            rebound = await session.get(discord.url + path, headers={"Host": "evil.example"})
            assert rebound.status == 421


async def test_html_upload_is_served_as_attachment(discord: LocalDiscord) -> None:
    posted = await discord.you.say(uploads=[Upload("x.html", b"<script>alert(1)</script>")])
    async with aiohttp.ClientSession() as session:
        got = await session.get(posted["attachments"][0]["url"])
        assert got.headers["Content-Disposition"] == "attachment"
        assert "sandbox" in got.headers["Content-Security-Policy"]
        assert got.headers["X-Content-Type-Options"] == "nosniff"


async def test_api_requires_the_bot_token(discord: LocalDiscord) -> None:
    async with aiohttp.ClientSession() as session:
        address = f"{discord.url}/api/v10/users/@me"
        assert (await session.get(address)).status == 401
        known = {"Authorization": f"Bot {discord.token}"}
        assert (await session.get(address, headers=known)).status == 200
        unknown = await session.get(f"{discord.url}/api/v10/voice/regions", headers=known)
        assert unknown.status == 404
    with pytest.raises(AssertionError, match="GET /voice/regions is not implemented"):
        discord.assert_clean()


@pytest.mark.parametrize(
    ("requested", "status", "body"),
    [("bytes=2-4", 206, b"234"), ("bytes=7-", 206, b"789"), ("bytes=99-", 416, b"")],
)
async def test_attachment_range_request(
    discord: LocalDiscord, requested: str, status: int, body: bytes
) -> None:
    posted = await discord.you.say(uploads=[Upload("a.wav", b"0123456789")])
    async with aiohttp.ClientSession() as session:
        url = posted["attachments"][0]["url"]
        got = await session.get(url, headers={"Range": requested})
        assert (got.status, await got.read()) == (status, body)
