"""The workflows of GitHub: their form, their rights, and their shell steps run on this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.repository import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.yaml")
}
VERSION = re.search(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]  # type: ignore[index]


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step with the name of its job."""
    for workflow in WORKFLOWS.values():
        for name, job in workflow["jobs"].items():
            yield from ((name, step) for step in job.get("steps", ()))


def script(job: str, name: str) -> str:
    """Return the shell script of a step."""
    (found,) = [s["run"] for j, s in steps() if j == job and s.get("name") == name]
    return found


def run(text: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script as GitHub does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=500,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflow_fits_the_schema_of_github(name: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    done = subprocess.run(
        [*command, "vendor.github-workflows", FOLDER / f"{name}.yaml"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_need_no_secret_and_few_rights() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml"))
    assert "secrets." not in text
    assert "pull_request_target" not in text
    granted = {}
    for workflow in WORKFLOWS.values():
        assert workflow["permissions"] == {"contents": "read"}
        jobs = workflow["jobs"].items()
        granted |= {name: job["permissions"] for name, job in jobs if "permissions" in job}
    assert granted == {
        "package": {"id-token": "write"},
        "image": {"contents": "read", "packages": "write"},
        "page": {"contents": "write"},
    }


def test_only_a_tag_publishes_and_only_where_it_is_switched_on() -> None:
    release = WORKFLOWS["release"]
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as true
    for name in ("package", "image"):
        job = release["jobs"][name]
        assert job["if"] == "vars.PUBLISH == 'true'"
        assert job["environment"] == "release"
        assert set(job["needs"]) == {"ci", "notes"}
    assert set(release["jobs"]["page"]["needs"]) == {"package", "image"}
    published = [step.get("with", {}).get("push") for _, step in steps() if "push" in str(step)]
    assert published.count(True) == 1


def test_actions_have_versions_and_expressions_stay_out_of_scripts() -> None:
    for _, step in steps():
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", step["uses"]), step
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", "")


def test_every_python_of_the_project_is_tested_and_both_processors() -> None:
    matrix = WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]
    classifiers = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert set(matrix["python"]) == set(re.findall(r"Python :: (3\.\d+)", classifiers))
    systems = {*matrix["os"], *(each["os"] for each in matrix["include"])}
    assert any("arm" in each for each in systems)
    assert any("macos" in each for each in systems)
    platforms = {str(step.get("with", {}).get("platforms")) for _, step in steps()}
    assert platforms == {"None", "linux/amd64,linux/arm64"}


def test_scripts_are_valid_and_name_what_exists() -> None:
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for _, step in steps():
        if "run" not in step:
            continue
        checked = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr
        for path in re.findall(r"(?<![\w/.])(?:\.ci|requirements)/[\w.]+", step["run"]):
            assert (ROOT / path).is_file(), path
        for target in re.findall(r"^make (\w+)", step["run"], re.M):
            assert f"\n{target}:" in targets


def clone(folder: Path, changes: str) -> Path:
    for name in (".ci/release_notes.py", "pyproject.toml"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "CHANGELOG.md").write_text(changes, encoding="utf-8")
    return folder


def test_notes_of_a_release_are_its_section_of_the_changelog(tmp_path: Path) -> None:
    step = script("notes", "Compare the tag with the version, and write the notes")
    changes = f"# Changelog\n\n## [Unreleased]\n\n- later\n\n## [{VERSION}] - 2026-11-30\n\n- now\n"
    folder = clone(tmp_path, f"{changes}\n## [0.0.1] - 2026-01-01\n\n- before\n")
    assert run(step, folder, GITHUB_REF_NAME=f"v{VERSION}").returncode == 0
    assert (folder / "notes.md").read_text(encoding="utf-8") == "- now\n"


@pytest.mark.parametrize(
    ("tag", "changes", "sentence"),
    [
        ("v9.9.9", "", "The tag v9.9.9 is not v"),
        (f"v{VERSION}", "## [Unreleased]\n\n- x\n", "CHANGELOG.md has no section"),
        (
            f"v{VERSION}",
            f"## [{VERSION}] - 2026-11-30\n\n## [0.0.1]\n",
            "CHANGELOG.md has no section",
        ),
    ],
)
def test_tag_that_does_not_fit_stops_the_release(
    tmp_path: Path, tag: str, changes: str, sentence: str
) -> None:
    step = script("notes", "Compare the tag with the version, and write the notes")
    done = run(step, clone(tmp_path, changes), GITHUB_REF_NAME=tag)
    assert done.returncode == 1
    assert sentence in done.stderr


DOCKER = """#!/usr/bin/env bash
echo "$*" >> "$CALLS"
case "$*" in
  "compose logs genrec") echo "genrec-1 | Open http://127.0.0.1:8080/page/k-e_y/" ;;
  "compose ps --quiet genrec") echo 0123 ;;
  inspect*) echo "$STATE" ;;
  *doctor) exit 1 ;;
esac
"""
CURL = """#!/usr/bin/env bash
test "${*: -1}" = http://127.0.0.1:8080/page/k-e_y/ && echo "<title>genrec</title>"
"""


@pytest.mark.parametrize(("state", "code"), [("healthy", 0), ("unhealthy", 1)])
def test_step_of_the_image_waits_for_page_and_health(tmp_path: Path, state: str, code: int) -> None:
    for name, text in (("docker", DOCKER), ("curl", CURL), ("sleep", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    calls, path = tmp_path / "calls", f"{tmp_path}:{os.environ['PATH']}"
    step = script("image", "Start it as compose does, without a token")
    done = run(step, tmp_path, PATH=path, CALLS=str(calls), STATE=state)
    assert done.returncode == code, done.stderr
    made = calls.read_text().splitlines()
    assert made[0] == "compose up --detach --no-build"
    assert (made[-1] == "compose down --timeout 30") is (code == 0)
