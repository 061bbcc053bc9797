"""How much memory a process took at most."""

from __future__ import annotations

from pathlib import Path


def peak_mb(pid: int | str) -> float:
    """Return the peak of a process' resident memory in MB; 0 where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    lines = (line.split() for line in status.read_text().splitlines())
    return next((int(line[1]) / 1024 for line in lines if line[0] == "VmHWM:"), 0.0)
