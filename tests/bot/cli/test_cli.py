"""Tests of the command line in its own process: output, JSON, error sentences, exit codes."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bot.config import Settings, installed_version
from bot.demo.script import conversation
from bot.errors import DemoFailed
from genrec.errors import by_code
from tests.hostile_files import HOSTILE_FILES, HostileFile
from tests.repository import ROOT
from tests.synth import STYLES, music, write

KEYS = {
    *("model_id", "genre", "unsure", "scores", "words", "tracks", "known", "note", "timings_ms"),
    *("music", "music_probability", "description", "tags"),
}
# Quiet and dense music: codecs change these embeddings most.
NAMES = ("metal.00001", "jazz.00001", "classical.00001")
CODECS = ("flac", "mp3", "ogg", "m4a", "webm")
ALL_CODECS = [(name, kind) for name in NAMES for kind in CODECS]


@contextmanager
def sigint_not_ignored() -> Iterator[None]:
    """Start child processes with the default action of SIGINT.

    A shell starts background commands with SIGINT ignored, and children inherit that. A handler is
    not inherited: exec resets it to the default action.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Genrec:
    """Run ``genrec`` in a subprocess with its own catalogue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "GENREC_DATABASE": str(folder / "genrec.db"),
            "GENREC_PRESET": str(ROOT / "models" / "resnet50"),
            "PYTHONPATH": str(ROOT),
        }

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        with sigint_not_ignored():
            return subprocess.Popen(
                [sys.executable, "-m", "bot", *map(str, arguments)],
                cwd=self.folder, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        with self.start(*arguments) as process:
            out, error = process.communicate(timeout=250)
        return process.returncode, out, error

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        returned, out, error = self(*arguments, "--json")
        assert returned == code, error
        return json.loads(out)


@pytest.fixture
def genrec(tmp_path: Path) -> Genrec:
    return Genrec(tmp_path)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "clip.flac", music(0, 12.0), 44100)


def test_recommend_json_has_the_documented_keys(genrec: Genrec, clip: Path) -> None:
    answer = genrec.json("recommend", clip)
    assert set(answer) == KEYS
    assert answer["genre"] == max(answer["scores"], key=answer["scores"].get)
    assert sum(answer["scores"].values()) == pytest.approx(1, abs=1e-4)
    for track in answer["tracks"]:
        keys = {"id", "title", "artist", "genre", "similarity", "source", "scope", "link"}
        keys |= {"description", "reasons"}
        assert set(track) == keys
        assert 0 <= track["similarity"] <= 1
    assert {"decode", "spectrogram", "network", "search", "total"} <= set(answer["timings_ms"])


def test_recommend_text_shows_bars_and_percentages(genrec: Genrec, clip: Path) -> None:
    code, out, error = genrec("recommend", clip, "--count", "3")
    assert code == 0
    assert error == ""
    assert "%" in out
    assert "█" in out


def test_clip_of_a_known_recording_is_named(genrec: Genrec, clip: Path) -> None:
    assert genrec.json("recommend", clip)["known"] is None
    assert "I know this one" not in genrec("recommend", clip)[1]
    music = genrec.folder / "known"
    music.mkdir()
    copy = music / "Band - Song.wav"
    copy.write_bytes(clip.read_bytes())
    genrec.json("index", music)
    known = genrec.json("library", "list", "--scope", "library")["tracks"][0]
    assert genrec.json("recommend", clip)["known"] == {
        "id": known["id"],
        "title": "Song",
        "artist": "Band",
        "genre": known["genre"],
        "source": str(copy),
    }
    assert "I know this one: Band, Song" in genrec("recommend", clip)[1]


def test_genre_json_has_no_tracks(genrec: Genrec, clip: Path) -> None:
    assert set(genrec.json("genre", clip)) == KEYS - {"tracks", "known"}


def test_demo_ignores_settings_and_leaves_no_files(genrec: Genrec) -> None:
    scratch = genrec.folder / "scratch"
    scratch.mkdir()
    genrec.environment |= {
        "TMPDIR": str(scratch),
        "GENREC_DISCORD_TOKEN": "not.a.token",
        "GENREC_DEVELOPMENT_SERVER": "123456789012345678",
        "GENREC_MAX_UPLOAD_MB": "0.01",
        "GENREC_MESSAGE_CONTENT": "off",
        "GENREC_SHARDS": "2",
    }
    code, out, error = genrec("demo")
    assert code == 0, error
    turns = out.split("\nyou ")[1:]
    assert [turn.split()[0] for turn in turns] == ["drop", "use", "press", "press"]
    assert "5. " in turns[0]
    assert "similarity" not in turns[1]
    assert "█" in turns[2]
    assert turns[2].count("similarity 0.") == 5
    assert "Similar to " in turns[3]
    assert not re.search(r"\*\*|\]\(|\\", out)  # markdown is removed
    assert [path.name for path in genrec.folder.rglob("*")] == ["scratch"]


def test_demo_json_has_four_steps(genrec: Genrec) -> None:
    steps = genrec.json("demo")["steps"]
    assert [sorted(step) for step in steps] == [["answer", "seconds", "you"]] * 4
    assert all(step["seconds"] > 0 and step["answer"] for step in steps)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_demo_leaves_no_files(genrec: Genrec, sent: signal.Signals) -> None:
    scratch = genrec.folder / "scratch"
    scratch.mkdir()
    genrec.environment["TMPDIR"] = str(scratch)
    with genrec.start("demo") as process:
        assert process.stdout is not None
        while not any(scratch.iterdir()):  # the bot is starting
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(sent)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(scratch.iterdir()) == []


async def test_refused_demo_turn_quotes_the_bot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tight(folder: Path) -> Settings:
        wide = {"database": folder / "genrec.db", "local_discord_port": 0, "http_port": 0}
        return Settings(_env_file=None, max_upload_mb=0.01, workers=1, **wide)

    monkeypatch.setattr("bot.demo.script._settings", tight)
    with pytest.raises(DemoFailed, match=r"^Step .drop disco\.flac .* declined the request: .*MB"):
        await anext(conversation())


# Refused input


@pytest.mark.parametrize("hostile", HOSTILE_FILES, ids=lambda hostile: hostile.name)
def test_hostile_file_exits_with_3_and_one_sentence(genrec: Genrec, hostile: HostileFile) -> None:
    path = hostile.write(genrec.folder)
    code, out, error = genrec("recommend", path, "--json")
    assert code == 3, error
    failure = json.loads(out)["error"]
    assert failure["message"] == error.strip()
    assert isinstance(by_code(failure["code"], ""), hostile.error)
    assert hostile.message in error
    assert error.count("\n") == 1


def test_missing_file_error_names_the_file(genrec: Genrec) -> None:
    code, out, error = genrec("genre", "nowhere.mp3")
    assert (code, out) == (3, "")
    assert "nowhere.mp3" in error


def test_wrong_usage_exits_with_2(genrec: Genrec, clip: Path) -> None:
    assert genrec("recommend")[0] == 2
    assert genrec("recommend", clip, "--count", "0")[0] == 2
    for words, expected in {
        ("--count", "0"): "'--count' / '-n': expected at least 1",
        ("--count", "many"): "'--count' / '-n': expected a whole number",
        ("--starter", "sometimes"): "'--starter': 'sometimes' is not one of 'auto', 'always'",
    }.items():
        code, _, error = genrec("recommend", clip, *words)
        assert code == 2
        assert expected in error
    code, _, error = genrec("recommend", clip, "--genre", "polka")
    assert code == 2
    assert "polka" in error


def test_genre_option_ignores_case_and_punctuation(genrec: Genrec, clip: Path) -> None:
    answer = genrec.json("recommend", clip, "--genre", "-Rock-", "--count", "3")
    assert answer["tracks"]
    assert {track["genre"] for track in answer["tracks"]} == {"rock"}


def test_broken_preset_exits_with_1(genrec: Genrec, clip: Path) -> None:
    genrec.environment["GENREC_PRESET"] = str(genrec.folder / "none")
    code, _, error = genrec("recommend", clip)
    assert code == 1
    assert "is not a preset" in error


def test_wrong_setting_error_names_its_variable(genrec: Genrec, clip: Path) -> None:
    genrec.environment["GENREC_WORKERS"] = "many"
    code, _, error = genrec("recommend", clip)
    assert code == 2
    assert "GENREC_WORKERS" in error


# The catalogue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with four tracks and one file that is not audio."""
    music_folder = tmp_path / "music"
    music_folder.mkdir()
    for seed in range(4):
        write(music_folder / f"Band {seed} - Song {seed}.flac", music(seed, 6.0), 22050)
    (music_folder / "notes.mp3").write_text("not music " * 50)
    return music_folder


def test_indexed_folder_can_be_listed_exported_and_imported(genrec: Genrec, folder: Path) -> None:
    report = genrec.json("index", folder)
    assert (report["tracks"], report["analyzed"], len(report["failures"])) == (4, 4, 1)
    assert report["failures"][0]["path"].endswith("notes.mp3")
    assert report["music_s"] == pytest.approx(4 * 12.0, abs=0.2)  # 6 s at 44.1 kHz, at half speed
    again = genrec.json("index", folder)
    assert (again["analyzed"], again["unchanged"], again["music_s"]) == (0, 4, 0)
    listed = genrec.json("library", "list", "--scope", "library")
    assert [track["title"] for track in listed["tracks"]] == [f"Song {i}" for i in range(4)]
    stats = genrec.json("library", "stats")
    assert stats["by_scope"]["library"] == 4
    assert stats["by_scope"]["starter"] > 700
    out = genrec.folder / "library.json"
    assert genrec("library", "export", out, "--scope", "library")[0] == 0
    assert genrec.json("library", "remove", str(listed["tracks"][0]["id"])) == {
        "removed": 1, "missing": [],
    }  # fmt: skip
    imported = genrec.json("library", "import", out)
    assert (imported["imported"], imported["known"]) == (1, 3)
    assert genrec.json("library", "stats")["by_scope"]["library"] == 4


@pytest.mark.parametrize("ending", ["m3u8", "csv", "json"])
def test_export_writes_each_format(genrec: Genrec, ending: str) -> None:
    out = genrec.folder / f"all.{ending}"
    code, _, error = genrec("library", "export", out)
    assert code == 0, error
    text = out.read_text(encoding="utf-8")
    if ending == "m3u8":  # starter tracks have no file
        assert text == "#EXTM3U\n"
    else:
        assert text.count("starter:") > 700
    assert not list(genrec.folder.glob("*.part.*"))


def test_index_accounts_for_every_file_as_table_json_and_csv(genrec: Genrec) -> None:
    folder, table = genrec.folder / "music", genrec.folder / "report.csv"
    for name in ("notes.mp3", "old.ape", "cover.jpg", "#recycle/c.mp3", "d.flac.part"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("not music " * 50)
    write(folder / "...Baby.flac", music(1, 6.0), 22050)
    write(folder / "Album.flac", np.concatenate([music(2, 6.0), music(3, 6.0)]), 22050)
    (folder / "Album.cue").write_text(
        'PERFORMER "Band"\nFILE "Album.wav" WAVE\nTRACK 01 AUDIO\nTITLE "One"\n'
        "INDEX 01 00:00:00\n"
        'TRACK 02 AUDIO\nTITLE "Two"\nINDEX 01 00:06:00\n'
    )
    code, out, error = genrec("index", folder, "--csv", table)
    assert code == 0, error
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "1 left out Monkey's Audio unread format old.ape" in lines
    assert "1 left out recycle bin system folder c.mp3" in lines
    assert "1 indexed FLAC with CUE sheet" in lines
    assert any(line.startswith("unread format: genrec does not read") for line in lines)
    assert "3 analysed" in lines[-1]
    assert "1 failed, 5 left out" in lines[-1]
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {Path(row["file"]).name: (row["result"], row["code"]) for row in rows}
    assert found == {
        "...Baby.flac": ("indexed", ""),
        "Album.flac": ("indexed", ""),
        "notes.mp3": ("refused", "unsupported_format"),
        "old.ape": ("left_out", "unread_format"),
        "Album.cue": ("left_out", "no_sound"),
        "cover.jpg": ("left_out", "no_sound"),
        "c.mp3": ("left_out", "system_folder"),
        "d.flac.part": ("left_out", "unfinished"),
    }
    report = genrec.json("index", folder, "--reread-tags")
    assert report["files"] == {"indexed": 2, "unchanged": 0, "refused": 1, "left_out": 5}
    assert (report["reused"], report["analyzed"]) == (3, 0)
    assert {Path(file["path"]).name for file in report["left_out"]} == {
        "old.ape", "c.mp3", "d.flac.part",
    }  # fmt: skip
    assert sum(kind["files"] for kind in report["kinds"]) == 8
    tracks = genrec.json("library", "list", "--scope", "library")["tracks"]
    assert {(track["title"], track["artist"]) for track in tracks} == {
        ("One", "Band"), ("Two", "Band"), ("...Baby", "Unknown artist"),
    }  # fmt: skip


def test_export_to_unknown_format_exits_with_2(genrec: Genrec) -> None:
    assert genrec("library", "export", genrec.folder / "all.docx")[0] == 2


@pytest.mark.slow
def test_killed_index_keeps_the_catalogue_and_resumes(genrec: Genrec) -> None:
    folder = genrec.folder / "music"
    folder.mkdir()
    for seed in range(24):
        write(folder / f"Band {seed} - Song {seed}.flac", music(len(STYLES) * seed, 4.0), 22050)
    assert genrec.json("index", folder)["tracks"] == 24
    for path in folder.iterdir():  # every file changes
        y, sr = soundfile.read(path, dtype="float32")
        soundfile.write(path, 0.5 * y, sr)
    with genrec.start("index", folder) as process:
        time.sleep(2.5)
        os.killpg(process.pid, signal.SIGKILL)
    assert genrec.json("library", "stats")["by_scope"]["library"] == 24
    report = genrec.json("index", folder)
    assert report["tracks"] == 24
    assert report["analyzed"] + report["resumed"] + report["reused"] + report["unchanged"] == 24
    assert genrec.json("library", "stats")["by_scope"]["library"] == 24


def test_version_prints_the_installed_version(genrec: Genrec) -> None:
    code, out, _ = genrec("--version")
    assert (code, out) == (0, f"genrec {installed_version()}\n")


def test_help_groups_commands_into_panels(genrec: Genrec) -> None:
    _, out, _ = genrec("--help")
    lines = ("─ Ask ", "│ recommend ", "─ Library ", "│ index ", "─ Bot ", "│ run ", "─ Training ")
    places = [out.index(line) for line in lines]
    assert places == sorted(places)


def test_doctor_reports_a_healthy_installation(genrec: Genrec) -> None:
    found = genrec.json("doctor")
    assert found["healthy"]
    names = {f["name"] for f in found["findings"]}
    assert {"python", "preset", "database", "answer"} <= names
    assert {"pages: files", "pages: system calls", "pages: cannot open a socket"} <= names


# Real excerpts


@pytest.mark.shared
@pytest.mark.parametrize(("name", "kind"), ALL_CODECS)
def test_real_excerpt_gets_the_same_result_in_every_codec(
    genrec: Genrec, shared: Path, name: str, kind: str
) -> None:
    y, sr = soundfile.read(shared / "gtzan" / "audio" / f"{name}.flac", dtype="float32")
    plain, coded = (
        genrec.json("recommend", write(genrec.folder / f"clip.{each}", y, sr, each))
        for each in ("wav", kind)
    )
    for answer in (plain, coded):
        assert len(answer["tracks"]) == 5
        assert all(track["title"] and track["artist"] for track in answer["tracks"])
        assert f"starter:{name}" not in [track["source"] for track in answer["tracks"]]
    assert coded["genre"] == plain["genre"]
    ours, theirs = ({track["source"] for track in a["tracks"]} for a in (plain, coded))
    assert len(ours & theirs) >= 4


# A folder


def test_each_file_of_a_folder_gets_an_answer_with_the_same_filters(genrec: Genrec) -> None:
    folder = genrec.folder / "clips"
    folder.mkdir()
    write(folder / "one.wav", music(0, 4, 22050), 22050)
    (folder / "two.wav").write_bytes(b"no sound")
    code, out, _ = genrec("recommend", folder, "--tempo", "118-126", "--json")
    assert code == 0
    one, two = json.loads(out)
    assert (Path(one["file"]).name, Path(two["file"]).name) == ("one.wav", "two.wav")
    assert one["tracks"]
    assert all(118 <= track["description"]["bpm"] <= 126 for track in one["tracks"])
    assert one["words"] == {}
    assert two["error"]["message"].endswith(".")
    code, out, error = genrec("recommend", folder, "--output", folder / "list.m3u8")
    assert code == 2
    assert "--output is for one clip" in error
