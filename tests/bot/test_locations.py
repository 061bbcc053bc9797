"""Locations: the database of a clone and of an installed package, and the preset's folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bot import config, locations
from bot.config import load_settings
from bot.locations import command_name, default_database, find_preset


def test_database_of_a_clone_lies_in_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    assert default_database(tmp_path) == Path("data/genrec.db")


def test_database_of_an_installed_package_lies_in_the_users_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    database = default_database(tmp_path)
    assert database.is_relative_to(tmp_path / "home")
    assert database.parts[-2:] == ("genrec", "genrec.db")


def test_settings_take_the_default_database_unless_one_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    monkeypatch.setattr(config, "default_database", lambda: elsewhere)
    monkeypatch.delenv("GENREC_DATABASE", raising=False)
    assert load_settings(env_file=None).database == elsewhere
    monkeypatch.setenv("GENREC_DATABASE", "data/genrec.db")
    assert load_settings(env_file=None).database == Path("data/genrec.db")


def test_preset_in_the_current_folder_comes_before_the_programs_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    name = Path("models/resnet50")
    assert find_preset(name) == locations.PROGRAM / name
    name.mkdir(parents=True)
    assert find_preset(name) == name


def test_command_name_is_a_path_unless_the_shell_finds_this_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "my clone" / ".venv" / "bin" / "genrec"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "run"])
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path / "my clone")
    assert command_name() == ".venv/bin/genrec"
    monkeypatch.chdir("/")
    assert command_name() == f"'{str(program).removeprefix('/')}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command_name() == "genrec"
    monkeypatch.setattr(sys, "argv", ["/x/bot/__main__.py"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert command_name() == "genrec"
