"""The systemd units: accepted by systemd, closed to the rest of the machine, restarted rightly."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

from bot.cli.exit_codes import ExitCode
from bot.errors import SettingsError
from bot.runtime.lifecycle import CLOSE_S, CORRECT_S, FINISH_S
from bot.systemd.units import SYSTEM_UNIT, TEMPLATES, system_unit, user_unit, user_unit_path
from genrec.workers.sandbox import VITAL
from tests.repository import ROOT
from tests.synth import music, write

PROGRAM = Path("/opt/genrec/bin/genrec")
ANN = Path("/home", "ann")
ODD = "odd folder 100% $HOME"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine"
)


def settings(unit: str) -> dict[str, list[str]]:
    """Return the values of each setting of a unit."""
    found = defaultdict(list)
    for name, value in re.findall(r"^(\w+)=(.*)$", unit, re.M):
        found[name].append(value)
    return found


def analyze(folder: Path, *arguments: str) -> str:
    """Return what systemd-analyze prints; fail if it fails."""
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder), "SYSTEMD_COLORS": "0"},
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return an executable in a folder with spaces, a percent sign and a dollar."""
    folder = tmp_path / ODD
    folder.mkdir()
    path = folder / "genrec"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@needs_systemd
def test_systemd_accepts_both_units_without_a_word(tmp_path: Path, program: Path) -> None:
    machine, user = tmp_path / "genrec.service", tmp_path / "own" / "genrec.service"
    user.parent.mkdir()
    machine.write_text(system_unit(program=program, music=ANN / ODD))
    assert analyze(tmp_path, "verify", "--man=no", str(machine)) == ""
    user.write_text(user_unit(program=program, folder=tmp_path / ODD))
    assert analyze(tmp_path, "verify", "--man=no", "--user", str(user)) == ""


@needs_systemd
def test_systemd_notices_a_program_that_is_not_there(tmp_path: Path) -> None:
    unit = tmp_path / "genrec.service"
    unit.write_text(system_unit(program=tmp_path / "nothing" / "genrec"))
    with pytest.raises(AssertionError, match="not executable"):
        analyze(tmp_path, "verify", "--man=no", str(unit))


@needs_systemd
def test_machine_unit_is_exposed_little(tmp_path: Path, program: Path) -> None:
    unit = tmp_path / "genrec.service"
    unit.write_text(system_unit(program=program))
    arguments = ("--offline=yes", "--threshold=20", "--no-pager", str(unit))
    shown = analyze(tmp_path, "security", *arguments)
    level = re.search(r"exposure level for genrec\.service: ([\d.]+)", shown)
    assert level is not None
    assert float(level[1]) <= 2.0


def allowed_calls(folder: Path) -> set[str]:
    """Return the system calls that the machine's unit allows, with groups written out."""
    (listed,) = settings(system_unit(program=PROGRAM))["SystemCallFilter"]
    inside, waiting = set(), listed.split()
    while waiting:
        name = waiting.pop()
        if not name.startswith("@"):
            inside.add(name)
            continue
        shown = analyze(folder, "syscall-filter", "--no-pager", name).splitlines()
        words = [line.strip() for line in shown if line.startswith(" ")]
        waiting += [word for word in words if not word.startswith("#")]
    return inside


# A process with the unit's filter of system calls, as systemd sets it; then it becomes genrec.
FILTERED = """
import ctypes, errno, os, sys
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
filter = ctypes.c_void_p(library.seccomp_init(0x00050000 | errno.EPERM))
for name in sys.argv[1].split():
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:
        assert library.seccomp_rule_add(filter, 0x7FFF0000, number, 0) == 0, name
assert library.seccomp_load(filter) == 0
assert ctypes.CDLL(None, use_errno=True).swapoff(b"/nothing") == -1
assert ctypes.get_errno() == errno.EPERM
os.execv(sys.executable, [sys.executable, "-m", "bot", *sys.argv[2:]])
"""


@needs_systemd
@pytest.mark.slow
@pytest.mark.skipif(find_library("seccomp") is None, reason="no libseccomp on this machine")
def test_sandbox_is_complete_and_clips_are_analysed_with_the_units_calls(tmp_path: Path) -> None:
    clip = write(tmp_path / "clip.flac", music(0, 6.0), 44100)
    calls = " ".join(sorted(allowed_calls(tmp_path)))
    kept = {name: text for name, text in os.environ.items() if not name.startswith("GENREC_")}

    def genrec(*arguments: str, start: tuple[str, ...]) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, *start, *arguments, "--json"],
            env=kept | {"PYTHONPATH": str(ROOT), "GENREC_DATABASE": str(tmp_path / "genrec.db")},
            cwd=tmp_path, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    filtered, free = ("-c", FILTERED, calls), ("-m", "bot")
    assert genrec("recommend", str(clip), start=filtered)["tracks"]
    inside, outside = (genrec("doctor", start=start)["findings"] for start in (filtered, free))
    results = [{each["name"]: each["ok"] for each in found} for found in (inside, outside)]
    assert results[0] == results[1]
    assert {*VITAL, "killed with its parent", "no new privileges"} <= results[0].keys()


@pytest.mark.parametrize(
    "unit", [system_unit(program=PROGRAM), user_unit(program=PROGRAM, folder=Path("/srv/genrec"))]
)
def test_unit_restarts_after_a_failure_and_not_after_a_wrong_setting(unit: str) -> None:
    found = settings(unit)
    assert found["Type"] == ["notify"]
    assert int(found["WatchdogSec"][0]) > 60
    assert found["TimeoutStartSec"] == ["infinity"]
    assert found["Restart"] == ["on-failure"]
    assert found["RestartPreventExitStatus"] == [str(ExitCode.USAGE.value)]
    assert found["KillMode"] == ["mixed"]
    assert int(found["TimeoutStopSec"][0]) > FINISH_S + CORRECT_S + CLOSE_S
    assert "@" not in re.sub(r"@system-service", "", unit)
    assert "MemoryDenyWriteExecute" not in found


def test_machine_unit_reads_no_home_but_the_music() -> None:
    assert settings(system_unit(program=PROGRAM))["ProtectHome"] == ["yes"]
    outside = system_unit(program=PROGRAM, music=Path("/srv/music"))
    assert settings(outside)["ProtectHome"] == ["yes"]
    inside = settings(system_unit(program=PROGRAM, music=ANN / "My Music"))
    assert inside["ProtectHome"] == ["tmpfs"]
    assert inside["BindReadOnlyPaths"] == [f'"{ANN / "My Music"}"']


@pytest.mark.parametrize("home", [ANN, Path("/root")])
def test_program_in_a_home_folder_is_refused_for_the_machine(home: Path) -> None:
    program = home / ".local" / "bin" / "genrec"
    with pytest.raises(SettingsError, match=r"in a home folder.*user's service"):
        system_unit(program=program)
    assert f'ExecStart="{program}" run' in user_unit(program=program, folder=home)


@pytest.mark.parametrize(
    "path", ["genrec", "/opt/gen\nExecStartPre=rm/genrec", '/a"b/genrec', "/a\\b"]
)
def test_path_that_a_unit_cannot_hold_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match="absolute path without quotes"):
        system_unit(program=Path(path))


def test_units_have_the_places_that_systemd_searches() -> None:
    assert SYSTEM_UNIT.as_posix() == "/etc/systemd/system/genrec.service"
    assert user_unit_path(Path("/h")).as_posix() == "/h/.config/systemd/user/genrec.service"
    assert {path.name for path in TEMPLATES.glob("*.service")} == {"system.service", "user.service"}
