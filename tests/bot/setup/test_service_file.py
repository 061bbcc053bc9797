"""The service file that ``genrec setup`` writes: whose it is, its place, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.config import Settings
from bot.errors import SettingsError
from bot.setup import service_file as module
from bot.setup import wizard
from bot.setup.service_file import ServiceFile, service_file
from bot.setup.terminal import Terminal
from bot.setup.wizard import SetupOptions, Wizard
from bot.systemd.units import SYSTEM_UNIT
from genrec.errors import GenrecError

PROGRAM = Path("/opt/genrec/bin/genrec")


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_program", lambda: PROGRAM)


def test_user_gets_a_unit_of_the_own_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    unit = service_file(tmp_path / "bot" / ".env", music=None)
    assert unit.path == tmp_path / ".config" / "systemd" / "user" / "genrec.service"
    assert f'ExecStart="{PROGRAM}" run' in unit.text
    assert f"WorkingDirectory={tmp_path / 'bot'}" in unit.text
    assert unit.commands[1] == "loginctl enable-linger"


def test_root_gets_a_unit_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    unit = service_file(Path("/etc/genrec.env"), music=Path("/srv/music"))
    assert unit.path == SYSTEM_UNIT
    assert "EnvironmentFile=/etc/genrec.env" in unit.text
    assert unit.commands == ("systemctl daemon-reload && systemctl enable --now genrec",)


def test_value_that_systemd_would_change_makes_no_unit_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    settings = tmp_path / "genrec.env"
    settings.write_text("GENREC_LIBRARY='/a\\\\b'\n")
    with pytest.raises(SettingsError, match="GENREC_LIBRARY has a backslash"):
        service_file(settings, music=None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert service_file(settings, music=None)


def test_unit_is_written_with_its_folders_and_other_content_is_noticed(tmp_path: Path) -> None:
    unit = ServiceFile(tmp_path / "a" / "b" / "genrec.service", "[Unit]\n", ())
    assert unit.is_new()
    unit.write()
    assert unit.path.read_text() == "[Unit]\n"
    assert unit.is_new()
    unit.path.write_text("[Service]\n")
    assert not unit.is_new()
    kept = unit.write()
    assert kept is not None
    assert (kept.parent, kept.suffix, kept.read_text()) == (unit.path.parent, ".bak", "[Service]\n")
    assert unit.path.read_text() == "[Unit]\n"
    assert unit.write() is None  # the same content needs no copy


class Answers(Terminal):
    """A terminal that confirms, and keeps what it is asked."""

    def __init__(self) -> None:
        super().__init__(asks=True)
        self.questions: list[tuple[str, bool]] = []

    def confirm(self, question: str, *, default: bool, unasked: bool = False) -> bool:
        self.questions.append((question, default))
        return True


def test_wizard_asks_for_the_service_file_where_systemd_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    terminal = Answers()
    made = Wizard(
        terminal=terminal, settings=Settings(_env_file=None), env_file=tmp_path / ".env",
        options=SetupOptions(), index=lambda _: None,
    )  # fmt: skip
    monkeypatch.setattr(wizard, "has_systemd", lambda: False)
    made._service(None)
    assert terminal.questions == []
    monkeypatch.setattr(wizard, "has_systemd", lambda: True)
    assert made._service(None) is not None
    path = tmp_path / ".config" / "systemd" / "user" / "genrec.service"
    assert terminal.questions == [(f"Write a service file of systemd to {path}?", True)]
    assert made.kept() == "Saved: the service file. Run genrec setup for the rest."
    path.write_text("[Service]\n")
    made._service(None)
    assert len(list(path.parent.glob("genrec.service.*.bak"))) == 1
    assert terminal.questions[1] == (f"{path} has other content. Replace it?", False)
    assert path.read_text() != "[Service]\n"


def test_music_of_a_service_of_the_machine_is_indexed_by_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal, indexed = Answers(), []
    made = Wizard(
        terminal=terminal, settings=Settings(_env_file=None), env_file=tmp_path / ".env",
        options=SetupOptions(), index=indexed.append,
    )  # fmt: skip
    made._index_folder(tmp_path, SYSTEM_UNIT)
    assert indexed == terminal.questions == []
    assert "index the folder with /reindex on Discord" in capsys.readouterr().out
    made._index_folder(tmp_path, tmp_path / "genrec.service")
    assert indexed == [tmp_path]


def test_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    unit = ServiceFile(tmp_path / "file" / "genrec.service", "[Unit]\n", ())
    with pytest.raises(GenrecError, match="leave out --service"):
        unit.write()
