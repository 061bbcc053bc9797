"""Make the picture of docs/opensubsonic.md again: ``python -m tests.site.subsonic_picture``.

The program on the page runs with py-opensonic against ``genrec serve`` with the shipped preset.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.async_api import async_playwright

from tests.bot.http_api.conftest import free_port
from tests.conftest import browser as installed
from tests.repository import ROOT
from tests.site import terminal
from tests.site.pictures import webp

PAGE = ROOT / "docs" / "opensubsonic.md"
PICTURE = ROOT / "docs" / "pictures" / "opensubsonic.webp"
PASSWORD = "0123456789abcdef"
SECONDS = 60.0


def page_program() -> str:
    """Return the Python program of the page."""
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert found, "docs/opensubsonic.md has a Python program"
    return found[1]


def page_settings() -> dict[str, str]:
    """Return the settings that the page's commands give to ``genrec serve``."""
    found = re.search(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert found, "docs/opensubsonic.md starts the server"
    return dict(re.findall(r"\b(GENREC_\w+)=(\S+)", found[1]))


def run_program(port: int) -> str:
    """Run the page's program in a process of its own, and return what it prints.

    Raises
    ------
    AssertionError
        The program also writes a warning or an error.
    """
    program = page_program().replace("PASSWORD", PASSWORD).replace("8090", str(port))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def shown() -> str:
    """Start ``genrec serve`` as the page does, and return what the program prints."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "subsonic.key")
        key.write_text(PASSWORD, encoding="utf-8")
        key.chmod(0o600)
        given = {
            **page_settings(),
            "GENREC_DATABASE": f"{folder}/genrec.db",
            "GENREC_HTTP_PORT": "0",
            "GENREC_HTTP_API_PORT": str(port),
            "GENREC_SUBSONIC_PASSWORD_FILE": str(key),
        }
        command = [sys.executable, "-m", "bot", "serve"]
        with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **given}) as server:
            try:
                _wait(f"http://127.0.0.1:{port}/rest/getOpenSubsonicExtensions")
                return run_program(port)
            finally:
                server.terminate()


def _wait(address: str) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


async def main() -> None:
    """Write the picture."""
    text = await asyncio.to_thread(shown)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=installed())
        page = await chromium.new_page(device_scale_factor=2)
        await page.set_content(terminal.page("python similar.py", text))
        png = await page.locator("pre").screenshot()
        await chromium.close()
    Path(PICTURE).write_bytes(webp(png))


if __name__ == "__main__":
    asyncio.run(main())
