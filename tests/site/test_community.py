"""Files for contributors: issue forms, the pull request template, the changelog's versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.metric_definitions import METRICS
from tests.repository import ROOT, relative, tracked
from tests.site.commands import pages

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}
# Attributes that GitHub knows for each kind of element.
ATTRIBUTES = {
    "markdown": {"value"},
    "input": {"label", "description", "placeholder", "value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
    "dropdown": {"label", "description", "multiple", "options", "default"},
    "checkboxes": {"label", "description", "options"},
}
VERSION = re.compile(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", re.M)
OLD_NAMES = "## Old and new names"
PATH = re.compile(r"(?:bot|db|genrec|tests|docs|models|requirements|\.github|\.ci)/[\w./-]+")


def form(path: Path) -> dict[str, Any]:
    """Return an issue form."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", [p for p in FORMS if p.stem != "config"], ids=lambda p: p.stem)
def test_issue_form_has_what_github_requires(path: Path) -> None:
    read = form(path)
    assert {"name", "description", "body"} <= read.keys() <= {
        "name", "description", "body", "labels", "title", "assignees",
    }  # fmt: skip
    assert all(isinstance(label, str) for label in read["labels"])
    ids = [one["id"] for one in read["body"] if "id" in one]
    assert len(ids) == len(set(ids))
    assert any(one["type"] != "markdown" for one in read["body"])
    for one in read["body"]:
        kind, attributes = one["type"], one["attributes"]
        assert attributes.keys() <= ATTRIBUTES[kind], one
        assert ("value" if kind == "markdown" else "label") in attributes
        assert kind == "markdown" or re.fullmatch(r"[\w-]+", one["id"])
        options = attributes.get("options", [])
        assert len(options) == len(set(options))
        assert bool(options) == (kind in {"dropdown", "checkboxes"})


def test_issue_forms_warn_of_secrets_and_name_the_private_report() -> None:
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text(encoding="utf-8")
    assert "token" in text
    assert "SECURITY.md" in text
    assert (ROOT / "SECURITY.md").exists()
    assert set(form(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml")) <= {
        "blank_issues_enabled", "contact_links",
    }  # fmt: skip


def test_pull_request_template_names_commands_that_exist() -> None:
    text = (ROOT / ".github" / "pull_request_template.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`make (\w+)`", text)
    assert targets == ["check", "test"]
    assert all(f".PHONY: {target}\n" in makefile for target in targets)


def test_changelog_has_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = VERSION.findall(text)
    assert found[0][0] == project["version"]
    numbers = [tuple(map(int, version.split("."))) for version, _ in found]
    assert numbers == sorted(numbers, reverse=True)
    headings = re.findall(r"^## (.+)$", text, re.M)
    assert headings[0] == "[Unreleased]"
    assert len(headings) == len(found) + 1


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_paths_in_sentences_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8").partition(OLD_NAMES)[0]
    if page.name == "CHANGELOG.md":
        text = text.partition("\n## [0")[0]  # a released section names what was true then
    spans = [span for span in re.findall(r"`([^`\n]+)`", text) if PATH.fullmatch(span)]
    named = [span for span in spans if not re.search(r"[A-Z]{3,}", span)]
    kept = {relative(path) for path in tracked()}
    folders = {parent for path in kept for parent in map(str, Path(path).parents)}
    assert [name for name in named if name.rstrip("/") not in kept | folders] == []


# The changelog also names metrics that were renamed.
@pytest.mark.parametrize("page", [p for p in pages() if p.name != "CHANGELOG.md"], ids=relative)
def test_metrics_named_in_pages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`(genrec_[a-z_]+)", text))
    ends = ("", "_total", "_info", "_bucket", "_count", "_sum")
    known = {definition.name + end for definition in METRICS for end in ends}
    assert named - known == set()
