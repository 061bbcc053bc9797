"""A Dask cluster on loopback for tests: a scheduler and workers as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.repository import ROOT

FAKES = ROOT / "tests" / "genrec" / "workers"
MODEL, DIMENSION, LABELS = "fake-0001", 8, ("blues", "jazz")
START_S = 60.0


class DaskCluster:
    """Starts a scheduler at once, and workers on demand; ends all of them by their ids."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        protocol: str = "tcp",
        model_id: str = MODEL,
        preset: Path | None = None,
    ) -> None:
        self.folder, self.protocol = folder, protocol
        folder.mkdir(parents=True, exist_ok=True)
        self.model_id, self.preset = model_id, preset or folder
        (folder / "model_id").write_text(model_id)  # the fake analyzer reads it
        self.environment = {
            "PATH": os.defpath,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{FAKES}",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10",
            **(environment or {}),
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        try:
            self.start_scheduler()
        except BaseException:
            self._end_all()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_all()

    def _end_all(self) -> None:
        for process in (*self.workers, self.scheduler):
            if process is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def start_scheduler(self, port: int = 0) -> None:
        """Start the scheduler, and wait until it has written its address."""
        file = self.folder / "scheduler.json"
        file.unlink(missing_ok=True)
        self.scheduler = self._start(
            "-m", "dask", "scheduler", "--host", f"{self.protocol}://127.0.0.1",
            "--port", str(port),
            "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file),
            name="scheduler",
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while not (file.exists() and file.read_text().endswith("}")):
            assert self.scheduler.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def start_worker(self, *options: str, analyzer: str = "fake_analyzer:load") -> int:
        """Start a worker with two processes and return its place in ``workers``."""
        place = len(self.workers)
        options = ("--workers", "2", "--timeout-s", "3", *options)
        if analyzer:
            options = (*options, "--analyzer", analyzer, "--model-id", self.model_id)
        process = self._start(
            "-m", "db.cluster_worker", self.address, str(self.preset), *options,
            name=f"worker-{place}",
        )  # fmt: skip
        self.workers.append(process)
        return place

    def wait_for(self, place: int, connections: int = 1) -> None:
        """Wait until a worker is connected, for the ``connections``-th time."""
        deadline = time.monotonic() + START_S
        log = self.folder / f"worker-{place}.log"
        while log.read_bytes().count(b"worker connected") < connections:
            assert self.workers[place].poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)

    def kill_worker(self, place: int) -> None:
        """Kill a worker with its pool, as a machine that loses its power."""
        self._kill(self.workers[place])

    def kill_scheduler(self) -> None:
        """Kill the scheduler."""
        assert self.scheduler is not None
        self._kill(self.scheduler)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log(self) -> str:
        """Return what the processes have written."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def _start(self, *command: str, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *command], env=self.environment, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip
