"""Tests of ``genrec worker``: it becomes a program that has no setting and no secret."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bot.end_to_end.fakes import make_preset
from tests.repository import ROOT

SECRETS = {
    "GENREC_DISCORD_TOKEN": "MTk4NjIyNDgzNDcxOTI1MjQ4.secret",
    "GENREC_HTTP_API_TOKEN": "another-secret-of-this-machine",
    "GENREC_DATABASE": "postgresql://bot:third-secret@127.0.0.1/genrec",
    "AWS_SECRET_ACCESS_KEY": "fourth-secret",
}


def genrec(*arguments: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environment}, cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def test_worker_gets_no_variables_but_those_of_dask(tmp_path: Path) -> None:
    preset = make_preset(tmp_path / "preset").folder
    variables = SECRETS | {"GENREC_PRESET": str(preset), "DASK_LOGGING__DISTRIBUTED": "error"}
    process = genrec("worker", "tcp://127.0.0.1:9", folder=tmp_path, **variables)
    try:
        deadline = time.monotonic() + 60
        command = Path(f"/proc/{process.pid}/cmdline")
        while b"db.cluster_worker" not in command.read_bytes():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        given = Path(f"/proc/{process.pid}/environ").read_text()
        seen = command.read_text() + given
        assert "DASK_LOGGING__DISTRIBUTED" in given
        assert "secret" not in seen
        assert "GENREC_" not in given
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Name a scheduler, such as tls://scheduler.example:8786, or set GENREC_CLUSTER."),
        (("tcp://10.0.0.5:8786",), "tcp:// is not encrypted; use tls://10.0.0.5:8786"),
        (("scheduler:8786",), "expected tls://host:port"),
    ],
)
def test_worker_refuses_an_address_that_cannot_be_used(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    process = genrec("worker", *arguments, folder=tmp_path)
    output, _ = process.communicate(timeout=60)
    assert sentence in output
    assert process.returncode == 2
    assert "Traceback" not in output
