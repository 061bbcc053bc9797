"""Changes of a ``.env`` file: what stays, quoting, modes, and a write that fails."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bot.config import load_settings
from bot.errors import SettingsError
from bot.setup.env_file import (
    changed,
    is_open_to_others,
    names_for_dotenv_only,
    read_env,
    write_env,
)
from genrec.errors import GenrecError
from tests.repository import ROOT

TEXT = """\
# my bot
GENREC_WORKERS=2

export OTHER='x y' # mine
this line is broken = = "
GENREC_LIBRARY=/old

# the end
"""


def test_comments_order_and_unknown_lines_stay() -> None:
    result = changed(TEXT, {"GENREC_LIBRARY": "/new", "GENREC_DISCORD_TOKEN": "a.b.c"})
    expected = TEXT.replace("/old", "/new") + "GENREC_DISCORD_TOKEN=a.b.c\n"
    assert result == expected
    assert changed(result, {"GENREC_LIBRARY": "/new"}) == result


def test_new_name_follows_its_example() -> None:
    text = "# the token\n#GENREC_DISCORD_TOKEN=\n\n#GENREC_DISCORD_TOKEN_FILE=\n"
    assert changed(text, {"GENREC_DISCORD_TOKEN": "a.b"}) == text.replace(
        "_TOKEN=\n", "_TOKEN=\nGENREC_DISCORD_TOKEN=a.b\n"
    )
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    result = changed(example, {"GENREC_DISCORD_TOKEN": "a.b", "GENREC_LIBRARY": "/m"})
    assert dotenv_values(stream=StringIO(result)) == {
        "GENREC_DISCORD_TOKEN": "a.b", "GENREC_LIBRARY": "/m",
    }  # fmt: skip
    assert len(result.splitlines()) == len(example.splitlines()) + 2


def test_missing_last_newline_is_added() -> None:
    assert changed("A=1", {"B": "2"}) == "A=1\nB=2\n"
    assert changed("", {"B": "2"}) == "B=2\n"


def test_repeated_name_keeps_the_last_line_in_any_case() -> None:
    text = "genrec_library=/a\nX=1\nGENREC_LIBRARY=/b\nY=2\n"
    assert changed(text, {"GENREC_LIBRARY": "/c"}) == "X=1\nGENREC_LIBRARY=/c\nY=2\n"


def test_value_over_several_lines_is_replaced_as_a_whole() -> None:
    text = 'GENREC_LIBRARY="/a\n/b"\nX=1\n'
    assert changed(text, {"GENREC_LIBRARY": "/c"}) == "GENREC_LIBRARY=/c\nX=1\n"


@pytest.mark.parametrize(
    "value",
    ["/srv/My Music", "it's", 'a "b"', "a\\b\\'c", "# no comment", "$x", "", "äöü 音楽", " spaces ",
     "a=b", "back\\"],
)  # fmt: skip
def test_every_value_is_read_back(tmp_path: Path, value: str) -> None:
    text = changed("A=1\nB=2\n", {"GENREC_LIBRARY": value, "C": "3"})
    assert dotenv_values(stream=StringIO(text)) == {
        "A": "1", "B": "2", "GENREC_LIBRARY": value, "C": "3",
    }  # fmt: skip
    write_env(tmp_path / ".env", text)
    read = load_settings(env_file=tmp_path / ".env").library
    assert read == (Path(value) if value else None)


@pytest.mark.parametrize(
    ("value", "words"),
    [("a\nGENREC_DISCORD_TOKEN=x", "one line of printable text"), ("${HOME}/x", "cannot contain")],
)
def test_value_that_no_line_can_hold_is_refused(value: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        changed("", {"GENREC_LIBRARY": value})


def test_file_is_private_even_if_the_old_one_was_not(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    assert is_open_to_others(path)
    write_env(path, "A=2\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not is_open_to_others(path)
    assert not is_open_to_others(tmp_path / "none")


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genrec.files._sync", full)
    with pytest.raises(GenrecError, match=r"cannot be written \(No space left"):
        write_env(path, "A=2\n")
    assert path.read_text() == "A=1\n"
    assert [one.name for one in tmp_path.iterdir()] == [".env"]


def test_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    assert read_env(tmp_path / "none") == ""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_env(tmp_path / "folder")
    (tmp_path / "latin").write_bytes(b"A=\xe9\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_env(tmp_path / "latin")


@pytest.mark.parametrize("value", ["/m/Guns N' Roses", "/m/a b", "/m/caf\u00e9", '/m/say "no"'])
def test_value_without_a_backslash_is_written_as_systemd_reads_it(value: str) -> None:
    line = changed("", {"X": value})
    assert dotenv_values(stream=StringIO(line)) == {"X": value}
    quote = line[2]
    assert line == f"X={quote}{value}{quote}\n"
    assert names_for_dotenv_only(line) == []


@pytest.mark.parametrize("value", ["/m/a\\b", '/m/it\'s "me"', "/m/it's $5"])
def test_value_that_systemd_would_change_is_named(value: str) -> None:
    line = changed("A=1\n", {"X": value})
    assert dotenv_values(stream=StringIO(line))["X"] == value
    assert names_for_dotenv_only(line) == ["X"]
