"""Settings: their table, their errors, and the token that never prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import PREFIX, Settings, SettingsError, load_settings, settings_table

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"


@pytest.fixture(autouse=True)
def _clean(monkeypatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_the_defaults_are_whole() -> None:
    settings = load_settings(env_file=None)
    assert settings.token is None
    assert 1 <= settings.worker_count <= 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GENREC_WORKERS", "many"),
        ("GENREC_HTTP_PORT", "70000"),
        ("GENREC_LOG_FORMAT", "xml"),
        ("GENREC_ADMIN_SERVERS", "here"),
        ("GENREC_SUPPORT_URL", "javascript:alert(1)"),
    ],
)
def test_an_error_names_the_variable(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings(env_file=None)


def test_the_token_never_prints(monkeypatch) -> None:
    monkeypatch.setenv("GENREC_DISCORD_TOKEN", TOKEN)
    settings = load_settings(env_file=None)
    assert settings.token == TOKEN
    assert TOKEN not in f"{settings!r} {settings} {settings.model_dump()}"
    monkeypatch.setenv("GENREC_WORKERS", "many")
    with pytest.raises(SettingsError) as error:
        load_settings(env_file=None)
    assert TOKEN not in str(error.value)
    assert error.value.__cause__ is None


def test_an_env_file_is_read_and_empty_means_unset(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("GENREC_DISCORD_TOKEN=\nGENREC_ADMIN_SERVERS=1, 2\nGENREC_LIBRARY=/music\n")
    settings = load_settings(env_file=file)
    assert settings.token is None
    assert settings.admin_servers == (1, 2)
    assert settings.library == Path("/music")


def test_the_table_has_a_row_a_setting() -> None:
    table = settings_table()
    assert table.count("\n") == 2 + len(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert f"`{PREFIX}{name.upper()}`" in table
        assert field.description
