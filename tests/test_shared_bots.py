"""``make bots``: two bots and a spare on real engines, and the spare takes over after a kill."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.repository import ROOT


@pytest.mark.slow
def test_spare_takes_over_and_ctrl_c_ends_all_processes() -> None:
    command = [sys.executable, "-m", "tests.shared_bots", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        lines: queue.Queue[str] = queue.Queue()
        assert process.stdout is not None
        stdout = process.stdout
        threading.Thread(target=lambda: [lines.put(line) for line in stdout], daemon=True).start()
        seen: list[str] = []

        def wait_for(*texts: str) -> None:
            while not seen or not any(text in seen[-1] for text in texts):
                seen.append(lines.get(timeout=120))

        try:
            wait_for("Open http://127.0.0.1:")
            pids = [int(found) for found in re.findall(r"process id (\d+)", "".join(seen))]
            assert len(pids) == 3
            os.kill(pids[0], signal.SIGKILL)
            wait_for("Connected shards: 0.\n", "Connected shards: 1.\n")
            wait_for("Connected shards: 0, 1.\n")
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, "".join(seen)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
