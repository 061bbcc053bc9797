"""Settings: defaults, errors, old names, the table, and the hidden token."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bot.cli import doctor
from bot.config import (
    PREFIX,
    RENAMED,
    Settings,
    load_settings,
    open_secrets,
    remove_token_from_environment,
    renamed_settings,
    unknown_settings,
)
from bot.errors import SettingsError
from bot.runtime import app
from bot.settings_docs import env_example, settings_table
from tests.repository import ROOT

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"


@pytest.fixture(autouse=True)
def _clean(monkeypatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_default_settings_are_valid() -> None:
    settings = load_settings(env_file=None)
    assert settings.token is None
    assert settings.workers == 0  # the pool counts the processors


@pytest.mark.parametrize(
    "address",
    ["tls://scheduler.example:8786", "tcp://127.0.0.1:8786", "tcp://localhost:1", "tcp://[::1]:1"],
)
def test_cluster_is_encrypted_or_local(monkeypatch, address: str) -> None:
    monkeypatch.setenv("GENREC_CLUSTER", address)
    assert load_settings(env_file=None).cluster == address


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GENREC_WORKERS", "many"),
        ("GENREC_HTTP_PORT", "70000"),
        ("GENREC_LOG_FORMAT", "xml"),
        ("GENREC_ADMIN_SERVERS", "here"),
        ("GENREC_SUPPORT_URL", "javascript:alert(1)"),
        ("GENREC_TRACK_LINKS", "napster"),
        ("GENREC_CLUSTER", "tcp://10.0.0.5:8786"),  # not encrypted
        ("GENREC_CLUSTER", "tls://10.0.0.5"),
        ("GENREC_CLUSTER", "tls://user:secret@10.0.0.5:8786"),
        ("GENREC_CLUSTER", "http://10.0.0.5:8786"),
        ("GENREC_CLUSTER", "tls://10.0.0.5:99999"),
        ("GENREC_TRACK_LINKS", "https://{title}.example/"),
        ("GENREC_TRACK_LINKS", "https://x.example/{path}"),  # without GENREC_PATH_ROOT
    ],
)
def test_wrong_value_raises_an_error_with_the_variable(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings(env_file=None)


def test_template_with_a_path_needs_its_root(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_TRACK_LINKS", "https://x.example/{path}")
    with pytest.raises(SettingsError, match="GENREC_PATH_ROOT"):
        load_settings(env_file=None)
    monkeypatch.setenv("GENREC_PATH_ROOT", str(tmp_path))
    assert load_settings(env_file=None).track_links == "https://x.example/{path}"


def test_token_is_hidden_in_reprs_and_errors(monkeypatch) -> None:
    monkeypatch.setenv("GENREC_DISCORD_TOKEN", TOKEN)
    settings = load_settings(env_file=None)
    assert settings.token == TOKEN
    assert TOKEN not in f"{settings!r} {settings} {settings.model_dump()}"
    monkeypatch.setenv("GENREC_WORKERS", "many")
    with pytest.raises(SettingsError) as error:
        load_settings(env_file=None)
    assert TOKEN not in str(error.value)
    assert error.value.__cause__ is None


def test_env_file_with_an_empty_value_leaves_it_unset(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("GENREC_DISCORD_TOKEN=\nGENREC_ADMIN_SERVERS=1, 2\nGENREC_LIBRARY=/music\n")
    settings = load_settings(env_file=file)
    assert settings.token is None
    assert settings.admin_servers == (1, 2)
    assert settings.library == Path("/music")


def test_settings_table_has_one_row_for_each_setting() -> None:
    table = settings_table()
    assert RENAMED.keys() <= Settings.model_fields.keys()
    assert table.count("\n") == 2 + len(Settings.model_fields) - len(RENAMED)
    for name, field in Settings.model_fields.items():
        assert (f"`{PREFIX}{name.upper()}`" in table) is (name not in RENAMED)
        assert field.description


OLD_PORT, NEW_PORT = "GENREC_SANDBOX_PORT", "GENREC_LOCAL_DISCORD_PORT"


@pytest.mark.parametrize(
    ("environment", "file", "port"),
    [
        ({OLD_PORT: "8001"}, "", 8001),
        ({}, f"{OLD_PORT}=8002", 8002),
        ({OLD_PORT: "8001", NEW_PORT: "8003"}, "", 8003),
        ({}, f"{OLD_PORT}=8002\n{NEW_PORT}=8004", 8004),
        ({OLD_PORT: "8001"}, f"{NEW_PORT}=8004", 8004),
        ({NEW_PORT: "8003"}, f"{OLD_PORT}=8002", 8003),
    ],
)
def test_old_setting_name_works_with_one_warning_and_new_name_wins(
    monkeypatch, tmp_path: Path, environment: dict[str, str], file: str, port: int
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    env_file = tmp_path / ".env"
    env_file.write_text(file)
    settings = load_settings(env_file=env_file)
    assert settings.local_discord_port == port
    (warning,) = renamed_settings(settings)
    assert warning.startswith(f"{OLD_PORT} is now called {NEW_PORT}")


def test_old_name_of_the_analysed_seconds_works_with_a_warning(monkeypatch) -> None:
    monkeypatch.setenv("GENREC_HEARD_S", "45")
    settings = load_settings(env_file=None)
    assert settings.analyzed_s == 45
    (warning,) = renamed_settings(settings)
    assert warning.startswith("GENREC_HEARD_S is now called GENREC_ANALYZED_S")


def test_new_setting_name_alone_gives_no_warning(monkeypatch) -> None:
    assert renamed_settings(load_settings(env_file=None)) == []
    monkeypatch.setenv(NEW_PORT, "8003")
    assert renamed_settings(load_settings(env_file=None)) == []


def test_old_setting_name_out_of_range_is_named_in_the_error(monkeypatch) -> None:
    monkeypatch.setenv(OLD_PORT, "70000")
    with pytest.raises(SettingsError, match=f"{OLD_PORT}: .*65535"):
        load_settings(env_file=None)


def test_doctor_reports_a_renamed_setting_and_stays_healthy(monkeypatch) -> None:
    monkeypatch.setenv(OLD_PORT, "8001")
    findings = list(doctor._renamed(load_settings(env_file=None)))
    assert [NEW_PORT in finding.note for finding in findings] == [True]
    assert doctor.healthy(findings)


def test_renamed_setting_is_logged_when_the_bot_starts(monkeypatch, caplog) -> None:
    monkeypatch.setenv(OLD_PORT, "8001")
    monkeypatch.setattr("bot.runtime.app.set_up_logs", lambda **_: None)
    monkeypatch.setattr("bot.runtime.app.serve", lambda _: None)
    monkeypatch.setattr("bot.runtime.app.asyncio.run", lambda _: None)
    app.run(load_settings(env_file=None))
    assert caplog.text.count(NEW_PORT) == 1


def test_env_example_is_made_from_the_settings() -> None:
    shown = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert shown == env_example(), "run: python -m bot.settings_docs"


def test_env_example_without_its_comment_signs_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^#(?=GENREC_)", "", env_example(), flags=re.M))
    settings, defaults = load_settings(env_file=file), load_settings(env_file=None)
    assert settings.model_dump() == defaults.model_dump()
    assert unknown_settings(env_file=file) == []


# Secrets in files


def secret(folder: Path, text: str = f"{TOKEN}\n", mode: int = 0o600) -> Path:
    file = folder / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_token_is_read_from_its_file(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_DISCORD_TOKEN_FILE", str(secret(tmp_path)))
    monkeypatch.setenv("GENREC_DISCORD_TOKEN", "")
    settings = load_settings(env_file=None)
    assert settings.token == TOKEN
    assert TOKEN not in f"{settings!r} {settings.model_dump()}"
    assert open_secrets(settings) == []


def test_address_of_the_proxy_is_read_from_its_file(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_LINK_PROXY_FILE", str(secret(tmp_path, "http://u:p@proxy:3128")))
    settings = load_settings(env_file=None)
    assert settings.link_proxy == "http://u:p@proxy:3128"
    assert settings.secrets == ["p"]


def test_secrets_are_the_token_and_the_password_of_the_proxy() -> None:
    given = {"discord_token": TOKEN, "link_proxy": "http://user:hidden-word@proxy:3128"}
    assert Settings(_env_file=None, **given).secrets == [TOKEN, "hidden-word"]
    assert Settings(_env_file=None, link_proxy="http://proxy:3128").secrets == []
    assert Settings(_env_file=None, link_proxy="http://[proxy").secrets == []


def test_database_is_a_path_or_a_postgres_address(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "a.db"))
    assert load_settings(env_file=None).database_file == tmp_path / "a.db"
    remove_token_from_environment()
    assert os.environ["GENREC_DATABASE"] == str(tmp_path / "a.db")  # a path is no secret
    monkeypatch.setenv("GENREC_DATABASE", "postgresql://bot:hidden-word@db:5433/genrec")
    settings = load_settings(env_file=None)
    assert settings.database_file is None
    assert str(settings.database) == "postgresql://bot@db:5433/genrec"
    assert settings.secrets == ["hidden-word"]
    assert "hidden-word" not in f"{settings!r} {settings.model_dump()}"
    remove_token_from_environment()
    assert "GENREC_DATABASE" not in os.environ


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("mysql://bot:hidden-word@db/genrec", "must start with postgresql://"),
        ("postgresql+asyncpg://bot:hidden-word@db/genrec", "must start with postgresql://"),
        ("postgresql://bot:hidden-word@db:port/genrec", "is not postgresql://user"),
    ],
)
def test_unusable_address_of_the_database_is_refused(monkeypatch, address, sentence) -> None:
    monkeypatch.setenv("GENREC_DATABASE", address)
    with pytest.raises(SettingsError, match=f"GENREC_DATABASE: .*{sentence}") as error:
        load_settings(env_file=None)
    assert "hidden-word" not in str(error.value)


def test_secrets_of_music_players_are_read_from_files_and_hidden(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("GENREC_SUBSONIC_PASSWORD_FILE", str(secret(tmp_path, "a-long-password-1")))
    monkeypatch.setenv("GENREC_SUBSONIC_API_KEY", "a-long-api-key-22")
    settings = load_settings(env_file=None)
    assert settings.secrets == ["a-long-password-1", "a-long-api-key-22"]
    assert "a-long" not in f"{settings!r} {settings.model_dump()}"
    remove_token_from_environment()
    assert "GENREC_SUBSONIC_API_KEY" not in os.environ


@pytest.mark.parametrize("name", ["GENREC_SUBSONIC_PASSWORD", "GENREC_SUBSONIC_API_KEY"])
def test_short_secret_of_music_players_is_refused(monkeypatch, name: str) -> None:
    monkeypatch.setenv(name, "sesame")
    with pytest.raises(SettingsError, match=rf"{name}: has 6 characters; expected at least 16"):
        load_settings(env_file=None)


def test_secret_set_twice_is_refused(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_DISCORD_TOKEN_FILE", str(secret(tmp_path)))
    env_file = tmp_path / ".env"
    env_file.write_text(f"GENREC_DISCORD_TOKEN={TOKEN}")
    with pytest.raises(SettingsError, match="are both set: remove one of them") as error:
        load_settings(env_file=env_file)
    assert "GENREC_DISCORD_TOKEN and GENREC_DISCORD_TOKEN_FILE" in str(error.value)
    assert TOKEN not in str(error.value)


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe", b"x" * 5000])
def test_file_without_a_secret_is_refused(monkeypatch, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    monkeypatch.setenv("GENREC_DISCORD_TOKEN_FILE", str(file))
    with pytest.raises(SettingsError, match=r"GENREC_DISCORD_TOKEN_FILE: .*holds no secret"):
        load_settings(env_file=None)


def test_missing_secret_file_is_named(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENREC_DISCORD_TOKEN_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SettingsError, match=r"TOKEN_FILE: .*nothing cannot be read \(No such"):
        load_settings(env_file=None)


def test_secret_that_others_can_read_causes_a_warning(monkeypatch, tmp_path: Path) -> None:
    file = secret(tmp_path, mode=0o640)
    monkeypatch.setenv("GENREC_DISCORD_TOKEN_FILE", str(file))
    (warning,) = open_secrets(load_settings(env_file=None))
    assert f"chmod 600 {file}" in warning
    assert "GENREC_DISCORD_TOKEN_FILE, mode 0640" in warning
    monkeypatch.delenv("GENREC_DISCORD_TOKEN_FILE")
    env_file = secret(tmp_path, f"GENREC_DISCORD_TOKEN={TOKEN}", mode=0o644)
    (warning,) = open_secrets(load_settings(env_file=env_file), env_file=env_file)
    assert f"chmod 600 {env_file}" in warning
    env_file.chmod(0o600)
    assert open_secrets(load_settings(env_file=env_file), env_file=env_file) == []


@pytest.mark.parametrize(
    ("line", "warned"),
    [
        ("GENREC_HTTP_API_TOKEN=0123456789abcdef", 1),
        ("GENREC_SUBSONIC_PASSWORD=0123456789abcdef", 1),
        ("GENREC_LINK_PROXY=http://me:secret@proxy.example:80", 1),
        ("GENREC_LINK_PROXY=http://proxy.example:80", 0),
        ("GENREC_HTTP_API_PORT=8090", 0),
    ],
)
def test_any_secret_in_an_open_settings_file_causes_a_warning(
    tmp_path: Path, line: str, warned: int
) -> None:
    env_file = secret(tmp_path, line, mode=0o644)
    assert len(open_secrets(load_settings(env_file=env_file), env_file=env_file)) == warned


def test_secret_that_the_container_engine_mounts_causes_no_warning(monkeypatch, tmp_path) -> None:
    file = secret(tmp_path, mode=0o444)
    monkeypatch.setattr("bot.secret_files.MOUNTED_SECRETS", tmp_path)
    monkeypatch.setenv("GENREC_DISCORD_TOKEN_FILE", str(file))
    assert open_secrets(load_settings(env_file=None)) == []


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("GENREC_HTTP_HOST", "0.0.0.0", True),
        ("GENREC_HTTP_HOST", "192.0.2.7", True),
        ("GENREC_HTTP_HOST", "::1", True),
        ("GENREC_HTTP_HOST", "example.org", False),
        ("GENREC_LOCAL_DISCORD_HOST", "0.0.0.0", True),
        ("GENREC_LOCAL_DISCORD_HOST", "::", True),
        ("GENREC_LOCAL_DISCORD_HOST", "192.0.2.7", False),
    ],
)
def test_address_to_listen_on(monkeypatch, name: str, value: str, accepted: bool) -> None:
    monkeypatch.setenv(name, value)
    if not accepted:
        with pytest.raises(SettingsError, match=name):
            load_settings(env_file=None)
        return
    settings = load_settings(env_file=None)
    assert str(getattr(settings, name.removeprefix(PREFIX).lower())) == value
