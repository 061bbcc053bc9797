"""The address of the local Discord's page: the same at each start, and private."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.config import Settings
from bot.runtime.page_address import page_key, with_free_port


def test_key_is_kept_and_only_the_operator_can_read_it(tmp_path: Path) -> None:
    database = tmp_path / "data" / "genrec.db"
    key = page_key(database)
    assert len(key) == 24
    assert page_key(database) == key
    file = tmp_path / "data" / "genrec.db-page-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert page_key(tmp_path / "other.db") != key


@pytest.mark.parametrize("kept", ["", "short", "x" * 25, "../../../../etc/passwd__", "é" * 24])
def test_damaged_key_is_replaced(tmp_path: Path, kept: str) -> None:
    file = tmp_path / "genrec.db-page-key"
    file.write_text(kept, encoding="utf-8")
    key = page_key(tmp_path / "genrec.db")
    assert len(key) == 24
    assert key != kept
    assert page_key(tmp_path / "genrec.db") == key


def test_key_that_cannot_be_kept_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert page_key(tmp_path / "file" / "genrec.db") == ""


@pytest.fixture
def used_port() -> Iterator[int]:
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        yield int(used.getsockname()[1])


def test_default_port_in_use_is_replaced_by_a_free_one(used_port: int) -> None:
    default = Settings.model_construct(_fields_set=set(), local_discord_port=used_port)
    assert with_free_port(default).local_discord_port == 0


def test_port_that_the_operator_set_is_never_replaced(used_port: int) -> None:
    chosen = Settings(_env_file=None, local_discord_port=used_port)
    assert with_free_port(chosen) is chosen


def test_free_default_port_stays(used_port: int) -> None:
    free = Settings.model_construct(_fields_set=set(), local_discord_port=_free(used_port))
    assert with_free_port(free) is free


def _free(used_port: int) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    assert port != used_port
    return port
