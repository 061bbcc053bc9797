"""Messages to systemd, read as systemd reads them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config import ServiceManagerAddress, service_manager_address
from bot.runtime.service_manager import service_manager
from tests.repository import ROOT


@pytest.fixture
def manager(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(60)
        yield bound


def message(manager: socket.socket) -> dict[str, str]:
    lines = manager.recv(4096).decode().splitlines()
    return dict(line.split("=", 1) for line in lines)


async def test_block_is_ready_shows_life_and_stops(manager: socket.socket) -> None:
    now = ["not connected to Discord"]
    address = ServiceManagerAddress(manager.getsockname(), watchdog_s=0.1)
    async with service_manager(address, lambda: now[0]):
        assert message(manager) == {"READY": "1", "STATUS": "not connected to Discord"}
        now[0] = "serving 3 servers"
        for _ in range(2):
            found = await asyncio.to_thread(message, manager)
            assert found == {"WATCHDOG": "1", "STATUS": "serving 3 servers"}
    while "WATCHDOG" in found:
        found = message(manager)
    assert found == {"STOPPING": "1", "STATUS": "finishing requests"}


async def test_ready_is_reported_once_it_is_true(manager: socket.socket) -> None:
    address = ServiceManagerAddress(manager.getsockname(), watchdog_s=0.4)
    connected: list[bool] = []
    status = "not connected to Discord"
    async with service_manager(address, lambda: status, ready=lambda: bool(connected)):
        assert message(manager) == {"STATUS": "not connected to Discord"}
        await asyncio.sleep(0.3)
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            message(manager)
        manager.settimeout(10)
        connected.append(True)
        assert (await asyncio.to_thread(message, manager))["READY"] == "1"
        assert (await asyncio.to_thread(message, manager))["WATCHDOG"] == "1"


async def test_abstract_socket_is_reached() -> None:
    name = f"genrec-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(10)
        async with service_manager(ServiceManagerAddress(f"@{name}"), lambda: "x"):
            assert message(manager)["READY"] == "1"


async def test_missing_manager_costs_one_warning_and_no_error(tmp_path: Path, caplog) -> None:
    async with service_manager(ServiceManagerAddress(), lambda: "x"):
        assert not caplog.records
    async with service_manager(ServiceManagerAddress(str(tmp_path / "gone")), lambda: "x"):
        assert "service manager not reached" in caplog.text


def test_address_is_read_from_the_environment(monkeypatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "many")
    assert service_manager_address() == ServiceManagerAddress()
    monkeypatch.setenv("NOTIFY_SOCKET", "@x")
    monkeypatch.setenv("WATCHDOG_USEC", "120000000")
    assert service_manager_address() == ServiceManagerAddress("@x", 120.0)


@pytest.mark.slow
def test_running_bot_reports_to_systemd_and_its_workers_do_not(
    tmp_path: Path, manager: socket.socket
) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GENREC_")}
    ports = {"GENREC_LOCAL_DISCORD_PORT": "0", "GENREC_HTTP_PORT": "0", "GENREC_WORKERS": "1"}
    given = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"}
    bot = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        cwd=tmp_path, env=kept | ports | given | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert message(manager) == {"STATUS": "not connected to Discord"}
        found = message(manager)
        assert found == {"READY": "1", "STATUS": "serving 1 server"}
        bot.send_signal(signal.SIGTERM)
        while "STOPPING" not in found:
            found = message(manager)
        _, log = bot.communicate(timeout=60)
    finally:
        bot.kill()
        bot.communicate()
    assert bot.returncode == 0, log
    assert "stopped: SIGTERM" in log


async def test_stop_is_reported_once_and_when_it_begins(manager: socket.socket) -> None:
    address = ServiceManagerAddress(manager.getsockname(), watchdog_s=0.1)
    async with service_manager(address, lambda: "serving 1 server") as report_stopping:
        assert message(manager)["READY"] == "1"
        report_stopping()
        assert message(manager) == {"STOPPING": "1", "STATUS": "finishing requests"}
        await asyncio.sleep(0.2)
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        message(manager)
