"""The profile `scale` of the compose file: its services, and their commands without a container."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config import PREFIX, Settings
from db.address import PostgresAddress
from tests.repository import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = {
    name: service
    for name, service in COMPOSE["services"].items()
    if service.get("profiles") == ["scale"]
}
OURS = [name for name, service in SERVICES.items() if service["image"] == "genrec"]
MAKE_SECRETS = re.search(
    r"```text\nmkdir -p secrets.*?```", (ROOT / "docs/scale.md").read_text(encoding="utf-8"), re.S
)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the files that the lines of docs/scale.md make."""
    assert MAKE_SECRETS is not None
    folder = tmp_path_factory.mktemp("scale")
    lines = MAKE_SECRETS[0].strip("`").removeprefix("text\n").replace("sudo chown 10001 *", "")
    done = subprocess.run(["bash", "-ec", lines], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "secrets"


def environment(name: str, secrets: Path) -> dict[str, str]:
    """Return the variables of a service; secrets lie in ``secrets``."""
    mounted = {
        f"/run/secrets/{secret}": str(secrets / Path(COMPOSE["secrets"][secret]["file"]).name)
        for secret in SERVICES[name]["secrets"]
    }
    found = {}
    for variable, value in SERVICES[name]["environment"].items():
        found[variable] = value
        for inside, outside in mounted.items():
            found[variable] = found[variable].replace(inside, outside)
        assert "/run/secrets" not in found[variable], f"{name} lacks a secret of {variable}"
    return found


def test_two_bots_and_two_workers_share_one_database_and_scheduler() -> None:
    assert set(SERVICES) == {"postgres", "scheduler", "worker", "bot"}
    assert COMPOSE["services"]["genrec"].get("profiles") is None  # the default is one bot
    assert SERVICES["bot"]["deploy"] == SERVICES["worker"]["deploy"] == {"replicas": 2}
    assert SERVICES["bot"]["depends_on"].keys() == {"postgres", "scheduler"}
    for service in SERVICES.values():
        assert "ports" not in service
        for needed in service.get("depends_on", ()):
            assert SERVICES[needed]["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    for name in OURS:
        rights = ("read_only", "cap_drop", "security_opt", "mem_limit", "pids_limit")
        for right in rights:
            assert SERVICES[name][right] == COMPOSE["services"]["genrec"][right], (name, right)


def test_workers_and_scheduler_have_no_token_and_no_database() -> None:
    for name in ("scheduler", "worker"):
        assert set(SERVICES[name]["secrets"]) == {"cluster_certificate", "cluster_key"}
        assert not [key for key in SERVICES[name]["environment"] if key.startswith(PREFIX)]
        assert "env_file" not in SERVICES[name]


def test_settings_of_the_bots_are_valid_and_show_no_password(secrets: Path) -> None:
    given = environment("bot", secrets)
    fields = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in given.items()
        if name.startswith(PREFIX)
    }
    settings = Settings(_env_file=None, **fields)
    assert settings.token == "TOKEN"
    assert (settings.shards, settings.shards_here) == (2, 1)
    assert isinstance(settings.database, PostgresAddress)
    assert str(settings.database) == "postgresql://genrec@postgres/genrec"
    assert not settings.database.may_be_plain, "each start would warn of the network of compose"
    password = (secrets / "postgres_password").read_text()
    assert len(password) == 48
    assert (secrets / "pgpass").read_text() == f"postgres:5432:genrec:genrec:{password}"
    assert (secrets / "pgpass").stat().st_mode & 0o777 == 0o600
    assert not [value for value in given.values() if password in value]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(name: str, secrets: Path, log: Path, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program of a service; ``changes`` replaces words of its command."""
    command = SERVICES[name]["entrypoint"]
    assert command[:2] == ["tini", "--"]
    program = " ".join(command[2:])
    for old, new in changes.items():
        assert old in program
        program = program.replace(old, new)
    folder = Path(sys.executable).parent
    variables = {"PATH": f"{folder}:{os.defpath}", "HOME": str(log.parent)}
    with log.open("w") as out:
        process = subprocess.Popen(
            program.split(), cwd=ROOT, env=variables | environment(name, secrets), stdout=out,
            stderr=out, text=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(log: Path, text: str, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 90
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.2)


@pytest.mark.slow
def test_scheduler_is_healthy_and_a_worker_connects_by_tls(secrets: Path, tmp_path: Path) -> None:
    port, health = free_port(), free_port()
    scheduler_log, worker_log = tmp_path / "scheduler.log", tmp_path / "worker.log"
    with running(
        "scheduler", secrets, scheduler_log, **{"8786": str(port), "8787": str(health)}
    ) as scheduler:
        wait_for(scheduler_log, "tls://", scheduler)
        check = SERVICES["scheduler"]["healthcheck"]["test"]
        assert check[:3] == ["CMD", "python", "-c"]
        code = check[3].replace("8787", str(health))
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        changes = {"scheduler:8786": f"127.0.0.1:{port}"}
        with running("worker", secrets, worker_log, **changes) as worker:
            wait_for(scheduler_log, "Register worker", scheduler)
            assert worker.poll() is None
            address = f"http://127.0.0.1:{health}/health"
            assert urllib.request.urlopen(address, timeout=10).status == 200
    # Stopped by SIGTERM, as the container engine does.
    assert scheduler.returncode == 0
