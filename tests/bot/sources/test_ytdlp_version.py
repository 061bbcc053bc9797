"""Version and age of yt-dlp, read without importing it."""

from __future__ import annotations

import datetime as dt
import pathlib
import subprocess
import sys

import pytest

from bot.sources import SourcePolicy, stale_ytdlp

HERE = pathlib.Path(__file__).parent


def installed(folder: pathlib.Path, version: str) -> SourcePolicy:
    info = folder / f"yt_dlp-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: yt-dlp\nVersion: {version}\n")
    return SourcePolicy(ytdlp_dir=folder)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2026.10.26", ""),
        ("2026.9.1", "61 days old"),
        ("2026.10.26.232959.dev0", ""),
        ("master", "not a date"),
    ],
)
def test_stale_ytdlp(version, words, tmp_path):
    policy = installed(tmp_path, version)
    sentence = stale_ytdlp(policy, max_age_days=30, today=dt.date(2026, 11, 1))
    assert words in sentence
    assert bool(sentence) == bool(words)


def test_installed_ytdlp_is_found_without_import():
    before = "yt_dlp" in sys.modules
    assert stale_ytdlp(SourcePolicy(), max_age_days=100_000) == ""
    assert ("yt_dlp" in sys.modules) == before


def test_importing_sources_does_not_import_ytdlp():
    code = "import sys, bot.sources; print('yt_dlp' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=HERE.parents[2]
    )
    assert printed.stdout == b"False\n"
