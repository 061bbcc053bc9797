"""Build the site of the documentation: ``python -m tests.site.build`` (``make docs``).

The Markdown files stay where they are and readable on their own. Each is copied to the page that
``page_of`` names, with its links rewritten. A link to a file that is no page leads to the
repository's site if ``--repository`` gives its address; otherwise its text stays without a link.
"""

from __future__ import annotations

import argparse
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.repository import ROOT, relative, tracked

OUT = ROOT / "artefacts" / "docs"
FILES = ROOT / "docs" / "site"
CONFIG = FILES / "zensical.toml"
# The address of this program in a page of Zensical, for search in a page opened from a file.
SHIM = "https://unpkg.com/iframe-worker/shim"
NAMED = {
    "README.md": "index.md",
    "docs/README.md": "all-pages.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security-policy.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "models/resnet50/README.md": "models/resnet50.md",
    "models/vgg16/README.md": "models/vgg16.md",
}
COLOUR = re.compile(r"\x1b\[[\d;]*m")
ABSOLUTE = re.compile(r"[a-z]+:", re.I)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def page_of(source: str) -> str | None:
    """Return the page's path for a file of the repository, or None if it is no page."""
    if source in NAMED:
        return NAMED[source]
    if re.fullmatch(r"docs/[\w-]+\.(md|json|yaml)|docs/pictures/[\w./-]+", source):
        return source.removeprefix("docs/")
    return None


def pages() -> dict[str, str]:
    """Return the page's path for each file that is part of the site."""
    found = {source: page_of(source) for source in sorted(map(relative, tracked()))}
    return {source: page for source, page in found.items() if page}


def rewritten(text: str, source: str, repository: str = "") -> str:
    """Return a file's Markdown with links that are right on its page."""
    folder = posixpath.dirname(source)
    here = posixpath.dirname(page_of(source) or "")

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        name, _, anchor = target.partition("#")
        if ABSOLUTE.match(target) or not name:
            return found[0]
        goal = posixpath.normpath(posixpath.join(folder, name))
        page = page_of(goal)
        if page:
            address = posixpath.relpath(page, here or ".")
        elif repository:
            address = f"{repository.rstrip('/')}/blob/main/{goal}"
        else:
            return words
        return f"{picture}[{words}]({address}{'#' * bool(anchor)}{anchor})"

    return _outside_code(text, lambda part: _spaced(LINK.sub(link, part)))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change the parts of a Markdown text that are not code."""
    # Links may have code as their text, so only code of whole lines is left out.
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    return "".join(part if n % 2 else change(part) for n, part in enumerate(parts))


def _spaced(text: str) -> str:
    """Put an empty line after each comment, as Markdown tables need one before them."""
    return re.sub(r"^(<!-- .*-->)\n(?=\S)", r"\1\n\n", text, flags=re.M)


def stage(folder: Path, repository: str = "") -> None:
    """Write the pages, the pictures and the site's settings to a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for source, page in pages().items():
        target = folder / "pages" / page
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.endswith(".md"):
            text = (ROOT / source).read_text(encoding="utf-8")
            target.write_text(rewritten(text, source, repository), encoding="utf-8")
        else:
            shutil.copyfile(ROOT / source, target)
    shutil.copyfile(CONFIG, folder / CONFIG.name)
    shutil.copyfile(FILES / "extra.css", folder / "pages" / "extra.css")


def build(folder: Path, repository: str = "") -> Path:
    """Build the site in a folder and return the folder of its pages; a broken link is an error."""
    stage(folder, repository)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(COLOUR.sub("", done.stdout + done.stderr))
    site = folder / "site"
    _keep_local(site)
    return site


def _keep_local(site: Path) -> None:
    """Replace the one file that the pages would load from another host."""
    name = "assets/javascripts/iframe-worker.js"
    shutil.copyfile(FILES / "iframe-worker.js", site / name)
    for path in site.rglob("*.html"):
        depth = len(path.relative_to(site).parents) - 1
        local = "../" * depth + name
        path.write_text(path.read_text(encoding="utf-8").replace(SHIM, local), encoding="utf-8")


def main() -> None:
    """Build the site and print its first page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the site")
    parser.add_argument("--repository", default="", help="address of the repository's site")
    given = parser.parse_args()
    sys.stdout.write(f"Ready: {build(given.out.resolve(), given.repository) / 'index.html'}\n")


if __name__ == "__main__":
    main()
