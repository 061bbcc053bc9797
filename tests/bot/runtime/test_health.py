"""/healthz, /readyz and /metrics: on loopback, or on the address that is set."""

from __future__ import annotations

import math
from ipaddress import IPv4Address

import aiohttp
import pytest

from bot.metrics import Metrics
from bot.runtime.health import serve_health


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_endpoints_serve_health_readiness_and_metrics() -> None:
    metrics, missing = Metrics(), ["not connected to Discord"]
    metrics.export("genrec_requests_running", lambda: 3)
    metrics.export("genrec_worker_starts_total", lambda: 4)
    with metrics.request("recommend") as request:
        request.acknowledged()
    async with serve_health(port=0, metrics=metrics, ready=lambda: missing[0]) as url:
        assert url.startswith("http://127.0.0.1:")
        assert await get(f"{url}/healthz") == (200, "alive\n")
        assert await get(f"{url}/readyz") == (503, "not connected to Discord\n")
        missing[0] = ""
        assert await get(f"{url}/readyz") == (200, "ready\n")
        status, text = await get(f"{url}/metrics")
        assert status == 200
        assert "genrec_requests_running 3.0" in text
        assert "# TYPE genrec_worker_starts_total counter" in text
        assert "genrec_worker_starts_total 4.0" in text
        assert 'genrec_requests_total{command="recommend",outcome="answered"} 1.0' in text
        assert "genrec_acknowledge_seconds_count 1.0" in text


async def test_port_in_use_is_logged_and_the_block_runs(caplog) -> None:
    async with serve_health(port=0, metrics=Metrics(), ready=lambda: "") as url:
        port = int(url.rsplit(":", 1)[1])
        async with serve_health(port=port, metrics=Metrics(), ready=lambda: "") as second:
            assert second == ""
    assert "GENREC_HTTP_PORT" in caplog.text


def test_failed_request_is_counted_as_lost() -> None:
    metrics = Metrics()
    with pytest.raises(RuntimeError), metrics.request("genre"):
        raise RuntimeError
    assert b'genrec_requests_total{command="genre",outcome="lost"} 1.0' in metrics.text()


async def test_endpoints_listen_on_the_address_that_is_set(caplog) -> None:
    caplog.set_level("INFO")
    options = {"port": 0, "metrics": Metrics(), "ready": lambda: ""}
    async with serve_health(host=IPv4Address("0.0.0.0"), **options) as url:
        assert url.startswith("http://0.0.0.0:")
        assert await get(url.replace("0.0.0.0", "127.0.0.2") + "/healthz") == (200, "alive\n")
    assert "health endpoints on a network: http://0.0.0.0:" in caplog.text
    async with serve_health(host=IPv4Address("192.0.2.1"), **options) as url:
        assert url == ""
    assert "health endpoints off: http://192.0.2.1:0" in caplog.text


def test_metrics_have_no_times_of_creation() -> None:
    metrics = Metrics()
    metrics.vote("up")
    with metrics.request("genre"):
        pass
    assert b"_created" not in metrics.text()


def test_state_that_is_not_finite_is_left_out() -> None:
    metrics = Metrics()
    metrics.export("genrec_gateway_latency_seconds", lambda: {"0": math.nan, "1": 0.25})
    shown = metrics.text().decode()
    assert 'genrec_gateway_latency_seconds{shard="1"} 0.25' in shown
    assert 'shard="0"' not in shown
