"""Tests of the package: built, checked, and installed in an empty environment without a clone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from tests.repository import ROOT, relative, tracked
from tests.synth import music, write

PACKAGES = ("bot", "db", "genrec")
PRESET = "models/resnet50"
PICTURES = ".png"  # of the model card
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def output(*command: str | Path, folder: Path, **options: dict[str, str]) -> str:
    """Return what a command prints; fail with its messages if it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder, capture_output=True, text=True, timeout=500, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist of the tracked files, and the wheel of that sdist, into a folder."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for path in tracked():
        copy = source / relative(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    output(sys.executable, "-m", "build", "--no-isolation", "--outdir", built, folder=source)
    return built


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def wanted() -> set[str]:
    """Return the repository's files that an installed genrec needs."""
    names = {relative(path) for path in tracked()}
    kept = {name for name in names if name.split("/")[0] in PACKAGES}
    folders = (PurePosixPath(PRESET), PurePosixPath(PRESET).parent)
    models = {name for name in names if PurePosixPath(name).parent in folders}
    return kept | {name for name in models if not name.endswith(PICTURES)}


def test_wheel_has_code_texts_page_migrations_and_the_default_preset(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert {"bot/i18n/en.toml", "bot/local_discord/page/icon.svg"} <= names
    assert names == wanted()


def test_example_clips_are_small_and_their_licence_ships(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        page = [i for i in archive.infolist() if i.filename.startswith("bot/local_discord/page/")]
        clips = [info for info in page if info.filename.endswith(".ogg")]
        (licence,) = (archive.read(info).decode() for info in page if info.filename.endswith(".md"))
    assert len(clips) == 3
    assert sum(info.file_size for info in clips) < 400_000
    assert "CC0" in licence
    assert all(PurePosixPath(info.filename).name in licence for info in clips)


def test_sdist_has_the_licence_the_changes_and_all_of_the_wheel(dist: Path) -> None:
    (found,) = dist.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {m.name.partition("/")[2] for m in archive.getmembers() if m.isfile()}
    assert wanted() | {"LICENSE", "CHANGELOG.md", "README.md", "pyproject.toml"} <= names
    assert not {name for name in names if name.startswith(("tests/", "data/", "."))}


def test_twine_accepts_both_archives(dist: Path) -> None:
    checked = output(
        sys.executable, "-m", "twine", "--no-color", "check", "--strict", *dist.iterdir(),
        folder=dist,
    )  # fmt: skip
    assert checked.count("PASSED") == 2


# Installed


@dataclass(frozen=True)
class Installed:
    """The ``genrec`` command of an empty environment, and an empty home and current folder."""

    command: Path
    home: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """An environment without settings or a clone."""
        unset = ("GENREC_", "PYTHON", "XDG_", "VIRTUAL_ENV")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        ports = {"GENREC_LOCAL_DISCORD_PORT": "0", "GENREC_HTTP_PORT": "0"}
        return kept | ports | {"HOME": str(self.home)}

    def __call__(self, *arguments: str | Path) -> str:
        return output(self.command, *arguments, folder=self.folder, env=self.environment)

    def files(self) -> set[Path]:
        """Return every file that genrec has made in the home folder."""
        return {path for path in self.home.rglob("*") if path.is_file()}


def pip(environment: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    python = environment / "bin" / "python"
    return subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        cwd=environment, capture_output=True, text=True, timeout=500,
    )  # fmt: skip


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel and the locked dependencies; skip where no package index answers."""
    environment = tmp_path_factory.mktemp("environment")
    output(sys.executable, "-m", "venv", environment, folder=environment)
    lock = (ROOT / "requirements" / "runtime.lock").read_text(encoding="utf-8")
    locked = re.findall(r"^([a-z0-9].*?==.*?) \\$", lock, re.M)
    constraints = environment / "constraints.txt"
    constraints.write_text("\n".join(locked), encoding="utf-8")
    reached = pip(
        environment, "download", "--no-deps", "--retries=0", "--timeout=10", "--dest", environment,
        "--constraint", constraints, "platformdirs",
    )  # fmt: skip
    if reached.returncode:
        pytest.skip("no package index answers, so nothing can be installed")
    done = pip(environment, "install", "--constraint", constraints, wheel)
    assert done.returncode == 0, done.stderr
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("folder")
    return Installed(environment / "bin" / "genrec", home, folder)


def test_installed_genrec_answers_a_clip_and_stores_in_the_users_folder(
    installed: Installed, tmp_path: Path
) -> None:
    clip = write(tmp_path / "clip.flac", music(0, 12.0), 44100)
    answer = json.loads(installed("recommend", clip, "--json"))
    assert answer["genre"] in answer["scores"]
    assert answer["model_id"].startswith("resnet50@")
    assert len(answer["tracks"]) == 5
    (database,) = {path for path in installed.files() if path.suffix == ".db"}
    assert database.name == "genrec.db"
    assert database.parent.name == "genrec"
    assert not list(installed.folder.iterdir())


def test_installed_genrec_prints_its_version(installed: Installed) -> None:
    assert re.fullmatch(r"genrec \d+\.\d+\.\d+\S*\n", installed("--version"))


def test_installed_genrec_plays_the_demo(installed: Installed) -> None:
    steps = json.loads(installed("demo", "--json"))["steps"]
    assert len(steps) == 4
    assert all(re.search(r"^5\. ", step["answer"], re.M) for step in steps[:3])
    assert "Similar to " in steps[3]["answer"]


def test_installed_genrec_has_no_training_and_names_its_extra(installed: Installed) -> None:
    done = subprocess.run(
        [installed.command, "train", "--data", "."],
        cwd=installed.folder, env=installed.environment, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'genrec[train]'" in done.stderr


def test_installed_genrec_serves_the_page_and_logs_its_database(installed: Installed) -> None:
    with subprocess.Popen(
        [installed.command, "run"],
        cwd=installed.folder, env=installed.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            address = next(line.split()[-1] for line in lines if "is ready. Open" in line)
            with urllib.request.urlopen(address, timeout=60) as page:
                html = page.read().decode()
            parts = re.findall(r'(?:src|href)="(?:\./)?([\w.]+)"', html)
            assert {"app.js", "style.css", "icon.svg"} <= set(parts)
            for part in parts:
                with urllib.request.urlopen(f"{address}{part}", timeout=60) as file:
                    assert file.read()
        finally:
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    (database,) = {path for path in installed.files() if path.suffix == ".db"}
    assert f"database: {database}" in log
    assert not list(installed.folder.iterdir())
