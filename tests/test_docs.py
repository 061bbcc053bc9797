"""Tests of the documentation, the locks and the files in the repository."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.repository import ROOT, normal, pins, relative, tracked

MAX_BYTES = 30 * 2**20
PEERS = [
    line
    for line in (ROOT / "requirements" / "peers.in").read_text(encoding="utf-8").split("\n")
    if line and not line.startswith("#")
]


def commands() -> dict[str, set[str]]:
    """Return the options of every command by the command's full name."""
    import typer.main

    from bot.cli.main import app

    found: dict[str, set[str]] = {}

    def walk(command: object, name: str) -> None:
        children = getattr(command, "commands", None)
        if children:
            for word, child in children.items():
                walk(child, f"{name} {word}")
        elif not getattr(command, "hidden", False):
            flags = [flag for p in command.params for flag in (*p.opts, *p.secondary_opts)]  # type: ignore[attr-defined]
            options = {flag for flag in flags if flag.startswith("--")}
            found[name] = options - {"--help"}

    walk(typer.main.get_command(app), "genrec")
    return found


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = dict(
        re.findall(r"^#+ `(genrec(?: [a-z-]+)+)[^`\n]*`\n(.*?)(?=^#|\Z)", page, re.M | re.S)
    )
    found = commands()
    assert set(sections) == set(found)
    missing = {
        name: sorted(flag for flag in options if flag not in sections[name])
        for name, options in found.items()
    }
    assert not {name: flags for name, flags in missing.items() if flags}
    listed = {
        name: set(re.findall(r"`(--[a-z0-9-]+)", "".join(re.findall(r"^\| `--.*$", text, re.M))))
        for name, text in sections.items()
    }
    gone = {name: sorted(flags - found[name]) for name, flags in listed.items()}
    assert not {name: flags for name, flags in gone.items() if flags}


def test_settings_table_matches_code() -> None:
    from bot.settings_docs import settings_table

    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert shown == settings_table(), "run: python -m bot.settings_docs"


def test_table_of_exit_codes_matches_code() -> None:
    from bot.cli.exit_codes import exit_codes_table

    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- exit-codes -->\n")[2].partition("<!-- /exit-codes -->")[0]
    assert shown == exit_codes_table()


def test_table_of_metrics_matches_code() -> None:
    from bot.metric_definitions import metrics_table

    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- metrics -->\n")[2].partition("<!-- /metrics -->")[0]
    assert shown == metrics_table()


def test_table_of_sound_files_matches_code() -> None:
    from genrec.audio.kinds import kinds_table

    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- formats -->\n")[2].partition("<!-- /formats -->")[0]
    assert shown == kinds_table()


def test_table_of_song_sites_matches_code() -> None:
    from bot.sources.song_sites import song_sites_table

    page = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- songs -->\n")[2].partition("<!-- /songs -->")[0]
    assert shown == song_sites_table()


def test_tables_of_music_folders_match_code() -> None:
    from db.ingest.file_kinds import left_out_table
    from db.tagging.read import tags_table

    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    for name, table in (("tags", tags_table()), ("left-out", left_out_table())):
        shown = page.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]
        assert shown == table


def test_table_of_title_links_matches_code() -> None:
    from bot.ui.track_links import sites_table

    page = (ROOT / "docs" / "admins.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- title-links -->\n")[2].partition("<!-- /title-links -->")[0]
    assert shown == sites_table()


def anchors(page: str) -> set[str]:
    """Return the anchors of a Markdown page's headings, in GitHub's form."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(path: Path) -> Iterator[str]:
    page = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"", page):
        link = "".join(target)
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        goal = (path.parent / name).resolve() if name else path
        if not goal.exists():
            yield f"{relative(path)}: {link}"
        elif anchor and anchor not in anchors(goal.read_text(encoding="utf-8")):
            yield f"{relative(path)}: {link} (no such heading)"


def test_links_resolve() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md"} <= {relative(p) for p in pages}
    assert not [dead for page in pages for dead in dead_links(page)]


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(one for extra in extras for one in extra)]
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    names = [*(re.split(r"[<>=]", one)[0] for one in wanted), *PEERS]
    assert not [name for name in names if f"**{name}**" not in page]


# Locks and files


def test_locks_agree() -> None:
    runtime, dev = pins("runtime.lock"), pins("dev.lock")
    assert runtime.items() <= dev.items()
    assert not runtime.keys() & {"keras", "librosa", "tensorflow"}
    peers = pins("peers.lock")
    assert {name: dev[name] for name in peers.keys() & dev.keys()} == {
        name: peers[name] for name in peers.keys() & dev.keys()
    }
    assert not dev.keys() & {"faiss-cpu", "openvino"}


def test_locks_pin_every_dependency_by_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for lock, wanted in {
        "runtime.lock": project["dependencies"],
        "dev.lock": [one for extra in project["optional-dependencies"].values() for one in extra],
        "peers.lock": PEERS,
    }.items():
        names = {normal(re.split(r"[<>=]", one)[0]) for one in wanted}
        assert names <= pins(lock).keys()
        text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
        requirements = re.findall(r"^\S+==.*\n(?:    --hash=sha256:[0-9a-f]{64}.*\n)+", text, re.M)
        assert len(requirements) == len(re.findall(r"^[^\s#]", text, re.M))
        assert "://" not in text


def test_files_stay_below_size_limit() -> None:
    assert not [relative(path) for path in tracked() if path.stat().st_size > MAX_BYTES]


# An address of a registry or a path of one machine would bind the project to it. The patterns are
# written in pieces, so that this file does not match itself.
FORBIDDEN = re.compile(
    "|".join(
        (
            "py" + r"pi\.org", "python" + r"hosted\.org", "registry" + r"\.npmjs",
            "/" + r"root/", "/" + r"work/", "/" + r"home/\w", "/" + r"Users/\w",
            "genrec" + "-venv",
        )
    )
)  # fmt: skip


def test_files_hold_no_registry_address_and_no_local_path() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = enumerate(text.splitlines(), 1)
        found += [f"{relative(path)}:{n}: {line}" for n, line in lines if FORBIDDEN.search(line)]
    assert not found
