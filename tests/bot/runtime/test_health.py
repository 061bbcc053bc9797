"""/healthz, /readyz and /metrics, on loopback only."""

from __future__ import annotations

import aiohttp
import pytest

from bot.metrics import Metrics
from bot.runtime.health import HOST, serve_health


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_endpoints_serve_health_readiness_and_metrics() -> None:
    metrics, missing = Metrics(), ["not connected to Discord"]
    metrics.gauge("genrec_in_work", "Requests", lambda: 3)
    metrics.total("genrec_worker_crashes", "Crashes", lambda: 4)
    with metrics.request("recommend") as request:
        request.acknowledged()
    async with serve_health(port=0, metrics=metrics, ready=lambda: missing[0]) as url:
        assert url.startswith(f"http://{HOST}:")
        assert await get(f"{url}/healthz") == (200, "alive\n")
        assert await get(f"{url}/readyz") == (503, "not connected to Discord\n")
        missing[0] = ""
        assert await get(f"{url}/readyz") == (200, "ready\n")
        status, text = await get(f"{url}/metrics")
        assert status == 200
        assert "genrec_in_work 3.0" in text
        assert "# TYPE genrec_worker_crashes_total counter" in text
        assert "genrec_worker_crashes_total 4.0" in text
        assert 'genrec_questions_total{kind="recommend",outcome="answered"} 1.0' in text
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
    assert b'genrec_questions_total{kind="genre",outcome="lost"} 1.0' in metrics.text()
