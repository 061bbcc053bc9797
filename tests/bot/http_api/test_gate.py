"""The gate of the HTTP interface: token, host, origin, rates, and problems as JSON."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.config import Settings
from bot.errors import SettingsError
from bot.http_api.gate import WRONG_LOGINS, same_secret
from bot.http_api.request_rates import MAX_CLIENTS, RequestRates, client_of
from bot.http_api.worker_share import WorkerShare
from genrec.errors import Busy
from tests.bot.http_api.conftest import TOKEN, free_port

PROBLEM = "application/problem+json"


async def test_root_answers_on_loopback_without_token(interface) -> None:
    reply = await asyncio.to_thread(interface.send, "GET", "/v1")
    assert reply.status == 200
    assert reply.json["model_id"].startswith("fake")
    assert reply.json["scopes"] == ["starter", "library"]


async def test_token_is_needed_where_one_is_set(serving) -> None:
    async with serving(http_api_token=TOKEN) as interface:
        assert (await asyncio.to_thread(interface.send, "GET", "/v1")).status == 200
        for wrong in ("", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN[:-1]}"):
            reply = await asyncio.to_thread(interface.send, "GET", "/v1", Authorization=wrong)
            assert reply.status == 401
            assert reply.headers["Content-Type"] == PROBLEM
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
            assert reply.json["code"] == "token"
            assert TOKEN not in reply.body.decode()


async def test_guessing_tokens_is_slowed_down_and_the_right_one_still_passes(serving) -> None:
    async with serving(http_api_token=TOKEN) as interface:
        for _ in range(WRONG_LOGINS):
            guess = await asyncio.to_thread(interface.send, "GET", "/v1", Authorization="Bearer x")
            assert guess.status == 401
        reply = await asyncio.to_thread(interface.send, "GET", "/v1", Authorization="Bearer x")
        assert reply.status == 429
        assert 1 <= int(reply.headers["Retry-After"]) <= 60
        # A stranger behind the same proxy keeps nobody out.
        assert (await asyncio.to_thread(interface.send, "GET", "/v1")).status == 200


async def test_requests_above_the_rate_get_429_with_the_time_to_wait(serving) -> None:
    async with serving(http_api_per_minute=3) as interface:
        statuses = [
            (await asyncio.to_thread(interface.send, "GET", "/v1")).status for _ in range(4)
        ]
        assert statuses == [200, 200, 200, 429]


async def test_strangers_do_not_use_up_the_requests_of_those_with_the_token(serving) -> None:
    async with serving(http_api_per_minute=3, http_api_token=TOKEN) as interface:
        for wrong, status in ((f"Bearer {TOKEN}x", [401] * 3 + [429]), (f"Bearer {TOKEN}", [200])):
            asked = [
                (await asyncio.to_thread(interface.send, "GET", "/v1", Authorization=wrong)).status
                for _ in status
            ]
            assert asked == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://localhost:1", "Host": "localhost:2"}, 403),
        ({"Origin": "http://localhost:1", "Host": "localhost:1"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
    ],
)
async def test_page_of_another_site_is_refused(interface, headers, status) -> None:
    reply = await asyncio.to_thread(interface.send, "GET", "/v1", **headers)
    assert reply.status == status
    assert "Access-Control-Allow-Origin" not in reply.headers


async def test_unknown_route_and_wrong_method_are_problems(interface) -> None:
    reply = await asyncio.to_thread(interface.send, "GET", "/v1/none")
    assert (reply.status, reply.json["code"]) == (404, "no_route")
    assert reply.headers["Content-Type"] == PROBLEM
    reply = await asyncio.to_thread(interface.send, "DELETE", "/v1")
    assert (reply.status, reply.json["code"]) == (405, "method")
    assert "GET" in reply.headers["Allow"]


async def test_garbage_on_the_socket_ends_the_connection_and_the_next_request_is_answered(
    interface,
) -> None:
    port = int(interface.address.rsplit(":", 1)[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01\x02" * 100 + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.0 400") or b" 400 " in answer[:20]
    writer.close()
    assert (await asyncio.to_thread(interface.send, "GET", "/v1")).status == 200


async def test_requests_are_counted_by_route_and_status(serving) -> None:
    health = free_port()
    async with serving(http_port=health) as interface:
        await asyncio.to_thread(interface.send, "GET", "/v1")
        await asyncio.to_thread(interface.send, "GET", "/secret/path")
        interface.address = f"http://127.0.0.1:{health}"
        text = (await asyncio.to_thread(interface.send, "GET", "/metrics")).body.decode()
        ready = await asyncio.to_thread(interface.send, "GET", "/readyz")
    counted = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "genrec_http_requests_total"
    }
    assert counted == {("/v1", "200"): 1.0, ("other", "404"): 1.0}
    assert "secret" not in text
    assert ready.status == 200


async def test_port_in_use_is_a_sentence_with_the_setting(serving) -> None:
    async with serving() as interface:
        port = int(interface.address.rsplit(":", 1)[1])
        with pytest.raises(SettingsError, match="GENREC_HTTP_API_PORT"):
            async with serving(http_api_port=port, database=interface.folder / "other.db"):
                pass


def test_network_address_needs_a_token() -> None:
    given = {"_env_file": None, "http_api_host": "0.0.0.0"}
    with pytest.raises(ValueError, match="GENREC_HTTP_API_TOKEN"):
        Settings(**given)
    assert Settings(**given, http_api_token=TOKEN).api_token == TOKEN


@pytest.mark.parametrize("token", ["short", "with spaces in the middle of it", "ä" * 20])
def test_weak_token_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="expected at least 16") as caught:
        Settings(_env_file=None, http_api_token=token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("scopes", ["", "guild:", "guild:x", "starter,all"])
def test_unknown_scope_is_refused(scopes: str) -> None:
    with pytest.raises(ValueError, match="guild:ID"):
        Settings(_env_file=None, http_api_scopes=scopes)


def test_rate_lets_a_burst_through_and_refills_with_time() -> None:
    now = [0.0]
    rates = RequestRates(60, clock=lambda: now[0])
    assert [rates.count("a") for _ in range(60)] == [0.0] * 60
    assert rates.count("a") == pytest.approx(1.0)
    assert rates.count("b") == 0.0
    now[0] = 1.0
    assert rates.count("a") == 0.0
    assert rates.count("a") == pytest.approx(1.0)
    now[0] = 1000.0
    assert [rates.count("a") for _ in range(61)][-2:] == [0.0, pytest.approx(1.0)]


def test_rates_of_many_clients_take_bounded_memory() -> None:
    rates = RequestRates(1, clock=lambda: 0.0)
    for number in range(MAX_CLIENTS + 50):
        rates.count(str(number))
    assert rates.count(str(MAX_CLIENTS + 49)) > 0
    assert rates.count("0") == 0.0


@pytest.mark.parametrize(
    ("remote", "client"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, "unknown"),
    ],
)
def test_client_is_an_address_or_a_network(remote: str | None, client: str) -> None:
    assert client_of(remote) == client


def test_secrets_are_compared_whole() -> None:
    assert same_secret("abc", "abc")
    assert not same_secret("abc", "abd")
    assert not same_secret("\udcff", "abc")


async def test_share_beside_the_bot_is_half_of_the_workers() -> None:
    share = WorkerShare.of(4, alone=False)
    running, done = [0, 0], asyncio.Event()

    async def one() -> None:
        async with share.turn():
            running[0] += 1
            running[1] = max(running)
            await done.wait()
            running[0] -= 1

    tasks = [asyncio.create_task(one()) for _ in range(5)]
    await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*tasks)
    assert running == [0, 2]


async def test_share_with_a_full_queue_is_busy() -> None:
    share = WorkerShare(1, max_waiting=0)
    async with share.turn():
        with pytest.raises(Busy, match="number 1 in the queue"):
            async with share.turn():
                pass
    async with share.turn():
        pass
