"""The image and the compose file: each step of the Dockerfile, run without a container engine."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from bot.config import PREFIX, Settings
from bot.runtime.lifecycle import CLOSE_S, CORRECT_S, FINISH_S
from tests.repository import ROOT, relative, tracked
from tests.synth import music, write

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICE = COMPOSE["services"]["genrec"]


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments, in order."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", " ")
    found = re.findall(r"^([A-Z]+) (.+)$", text, re.M)
    return [(name, re.sub(r"\s+", " ", rest)) for name, rest in found]


def arguments(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def environment() -> dict[str, str]:
    """Return the variables of the image."""
    (final,) = [rest for rest in arguments("ENV") if PREFIX in rest]
    return dict(pair.split("=", 1) for pair in shlex.split(final))


def sent(path: str) -> bool:
    """Return whether the builder gets a file: the last fitting line of .dockerignore decides."""
    left_out = False
    folders = [path, *(parent.as_posix() for parent in Path(path).parents)]
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            forms = {pattern, pattern.removeprefix("**/")}
            if any(fnmatchcase(each, form) for each in folders for form in forms) or (
                pattern.startswith("**/") and pattern[3:] in Path(path).parts
            ):
                left_out = not line.startswith("!")
    return not left_out


# Without building


def test_hadolint_accepts_the_dockerfile() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_file_fits_its_schema() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, ROOT / "compose.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_builder_gets_what_is_copied_and_no_secret() -> None:
    copied = [
        name
        for rest in arguments("COPY")
        if not rest.startswith("--from")
        for name in rest.split()[:-1]
    ]
    names = [relative(path) for path in tracked()]
    for name in copied:
        assert any(sent(each) for each in names if each == name or each.startswith(f"{name}/")), (
            name
        )
    tops = {name.split("/")[0] for name in names if sent(name)}
    assert tops == {name.split("/")[0] for name in copied}
    for private in (
        ".env", ".env.local", "data/genrec.db", "discord_token", ".git/config", "clip.wav",
        "tests/synth.py", "bot/__pycache__/config.cpython-313.pyc", ".venv/bin/python",
        "artefacts/junit.xml",
    ):  # fmt: skip
        assert not sent(private), private


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="no apt on this machine")
def test_debian_packages_of_the_image_exist() -> None:
    (install,) = re.findall(r"apt-get install (.*?) &&", " ".join(arguments("RUN")))
    packages = [word for word in install.split() if not word.startswith("-")]
    assert packages == ["tini"]
    for package in packages:
        shown = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True)
        if not shown.stdout and "No packages found" in shown.stderr:
            pytest.skip("the lists of apt are empty on this machine")
        assert f"Package: {package}\n" in shown.stdout


def test_variables_of_image_and_compose_file_are_settings() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    given = {name for name in environment() if name.startswith(PREFIX)} | set(
        SERVICE["environment"]
    )
    assert given <= known
    commented = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", commented)) <= known
    values = environment() | SERVICE["environment"]
    fields = {name.lower().removeprefix(PREFIX.lower()): values[name] for name in given}
    settings = Settings(_env_file=None, **fields)
    assert str(settings.http_host) == str(settings.local_discord_host) == "0.0.0.0"


def test_ports_are_published_on_the_machines_loopback_only() -> None:
    defaults = Settings.model_fields
    assert SERVICE["ports"] == [f"127.0.0.1:{defaults['local_discord_port'].default}:8080"]
    exposed = arguments("EXPOSE")[0].split()
    assert exposed == [str(defaults[f"{name}_port"].default) for name in ("local_discord", "http")]
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert all(port.startswith("127.0.0.1:") for port in re.findall(r'- "([\d.:]+)"', text))


def test_container_has_few_rights_and_starts_without_a_settings_file() -> None:
    assert SERVICE["read_only"]
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in SERVICE
    assert SERVICE["env_file"] == [{"path": ".env", "required": False}]
    assert int(SERVICE["stop_grace_period"].removesuffix("s")) > FINISH_S + CORRECT_S + CLOSE_S
    assert arguments("STOPSIGNAL") == ["SIGTERM"]
    assert int(arguments("USER")[-1]) >= 10000


# Built


@dataclass(frozen=True)
class BuiltImage:
    """The folders of the image below ``top``, made by the steps of the Dockerfile."""

    top: Path
    user: int

    def __call__(self, text: str) -> str:
        """Return a text with the image's paths below ``top``."""
        return re.sub(r"(?<![\w/.])/(opt/venv|app|data)\b", rf"{self.top}/\1", text)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the image; free ports, so that tests can run at the same time."""
        values = {name: self(value) for name, value in environment().items()}
        values["PATH"] = values["PATH"].replace("$PATH", os.defpath)
        ports = {f"{PREFIX}{name}_PORT": str(free_port()) for name in ("HTTP", "LOCAL_DISCORD")}
        return values | ports


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def execute(image: BuiltImage, command: str, **options: object) -> None:
    done = subprocess.run(
        ["bash", "-ec", image(command)], cwd=image.top / "app", capture_output=True, text=True,
        timeout=500, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def image() -> Iterator[BuiltImage]:
    """Run the steps of the build, except those of apt; skip where no package index answers."""
    if os.getuid():
        pytest.skip("only root can change to the user of the image")
    # Not in pytest's folder: only its owner may enter that.
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    try:
        built = BuiltImage(top, int(arguments("USER")[-1]))
        for folder in ("app", "opt"):
            (top / folder).mkdir()
        build(built)
        yield built
    finally:
        shutil.rmtree(top)


def build(image: BuiltImage) -> None:
    stage = ""
    for name, rest in instructions():
        if name == "FROM":
            stage = rest.partition(" AS ")[2]
        elif name == "COPY" and stage == "build":
            copy(image, rest)
        elif name == "RUN" and stage == "build":
            command = rest.replace("python -m venv", f"{public_python()} -m venv")
            if "--require-hashes" in command:
                reach_index(image)
            execute(image, command)
        elif name == "RUN" and "useradd" in rest:
            make_user(image, rest)


def public_python() -> Path:
    """Return a suitable Python that every user may run; skip where there is none."""
    own = Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}").resolve()
    for program in (own, *sorted(Path("/usr/bin").glob("python3.1[1-3]"), reverse=True)):
        public = all(parent.stat().st_mode & 0o001 for parent in program.parents)
        if public and not subprocess.run([program, "-c", "import ensurepip, venv"]).returncode:
            return program
    pytest.skip("other users may run no Python 3.11 to 3.13 of this machine")


def copy(image: BuiltImage, rest: str) -> None:
    *sources, goal = rest.split()
    for path in tracked():
        name = relative(path)
        for source in sources:
            if not sent(name) or not (name == source or name.startswith(f"{source}/")):
                continue
            folder = goal.endswith("/")
            inside = (
                Path(goal) / Path(name).name
                if folder
                else Path(goal) / Path(name).relative_to(source)
            )
            target = image.top / "app" / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def reach_index(image: BuiltImage) -> None:
    command = "/opt/venv/bin/pip download -q --no-deps --retries=0 --timeout=10 -d /opt tinytag"
    done = subprocess.run(["bash", "-ec", image(command)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no package index answers, so nothing can be installed")


def make_user(image: BuiltImage, rest: str) -> None:
    """Make user and data folder below ``top``; nothing of this machine changes."""
    (image.top / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (image.top / "etc" / name).touch()
    command = rest.replace("useradd ", f"useradd --prefix {image.top} ", 1)
    execute(image, command)
    lines = (image.top / "etc" / "passwd").read_text().splitlines()
    assert [line.split(":")[:4] for line in lines] == [
        ["genrec", "x", str(image.user), str(image.user)]
    ]


@contextmanager
def started(image: BuiltImage, values: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Start the image's entry point without tini, as its user, in its folder."""
    _, separator, *entry = eval_json(arguments("ENTRYPOINT")[0])
    assert separator == "--"
    command = [*entry, *eval_json(arguments("CMD")[-1])]
    process = subprocess.Popen(
        [shutil.which(command[0], path=values["PATH"]) or "", *command[1:]],
        cwd=image.top / "data", env=values, user=image.user, group=image.user, extra_groups=[],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def eval_json(text: str) -> list[str]:
    words = yaml.safe_load(text)
    assert isinstance(words, list)
    return words


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_built_image_shows_the_page_and_is_healthy_as_its_user(image: BuiltImage) -> None:
    values = image.environment
    with started(image, values) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        address = next(line.split()[-1] for line in lines if "Open http" in line)
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"<title>" in page.read()
        _, check = arguments("HEALTHCHECK")[0].split(" CMD ")
        program, *rest = eval_json(check)
        assert program == "python"
        python = shutil.which(program, path=values["PATH"])
        deadline = time.monotonic() + 60
        while subprocess.run([python, *rest], env=values, capture_output=True).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(getattr(signal, arguments("STOPSIGNAL")[0]))
        _, log = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert "stopped: SIGTERM" in log
    database = image.top / "data" / "genrec.db"
    assert f"database: {database}" in log
    assert (database.stat().st_uid, database.parent.stat().st_mode & 0o777) == (image.user, 0o700)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_built_image_answers_a_clip(image: BuiltImage) -> None:
    clip = write(image.top / "clip.flac", music(0, 6.0), 44100)
    clip.chmod(0o644)
    done = subprocess.run(
        [image.top / "opt" / "venv" / "bin" / "genrec", "recommend", clip, "--json"],
        cwd=image.top / "data", env=image.environment, capture_output=True, text=True,
        user=image.user, group=image.user, extra_groups=[], timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["model_id"].startswith(f"{Path(environment()['GENREC_PRESET']).name}@")
    assert len(answer["tracks"]) == 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_user_of_the_image_cannot_change_the_program(image: BuiltImage) -> None:
    attempt = "for each in /app/bot /app/models /opt/venv/bin; do ! touch $each/x || exit 1; done"
    execute(image, attempt, user=image.user, group=image.user, extra_groups=[])
    assert all(entry.pw_uid != image.user for entry in pwd.getpwall())  # nothing was made here
