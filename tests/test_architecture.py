"""Tests for the house itself: who imports whom, and what an import does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.repository import ROOT, normal, pins, relative

PACKAGES = ("bot", "db", "genrec")
TRAINING_ONLY = {"keras", "librosa", "matplotlib", "numba", "sklearn", "tensorflow"}
HEAVY = {"ai_edge_litert", "aiohttp", "av", "discord", "numpy", "soundfile", "soxr", "yt_dlp"}
TESTING_ONLY = {"bot.local_discord.schema"}  # checks bodies against Discord's published description
TYPER = ("app.add_typer(", "app.command(")  # how modules of commands are put together

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def module_name(path: Path) -> str:
    """Return the dotted name a source file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def in_fresh_process(code: str) -> str:
    """Run code in a Python of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Who may import whom


def test_import_rules_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def serving() -> list[str]:
    """Return every module but those of training and those that only tests use."""
    names = [module_name(path) for path in SOURCES]
    return [n for n in names if not n.startswith("genrec.training") and n not in TESTING_ONLY]


def test_serving_imports_no_training_library() -> None:
    assert {"bot.runtime.app", "bot.cli", "genrec.workers.worker"} <= set(serving())
    code = f"""
import importlib, json, sys
for name in {serving()!r}:
    importlib.import_module(name)
print(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
    loaded = set(json.loads(in_fresh_process(code)))
    assert "discord" in loaded
    assert not loaded & TRAINING_ONLY


def test_serving_needs_only_the_runtime_lock() -> None:
    owners, pinned = packages_distributions(), pins("runtime.lock").keys()
    unpinned = set()
    for path, tree in TREES.items():
        if module_name(path) in serving():
            for name in {top for node in ast.walk(tree) for top in imported_packages(node)}:
                if not pinned & {normal(one) for one in owners.get(name, ["?"])}:
                    unpinned.add(f"{relative(path)}: {name}")
    assert not unpinned


def imported_packages(node: ast.AST) -> list[str]:
    """Return the packages from outside that an import statement names."""
    tops = [name.partition(".")[0] for name in imported_names(node)]
    return [top for top in tops if top not in (*PACKAGES, *sys.stdlib_module_names)]


def test_help_imports_nothing_heavy() -> None:
    code = """
import json, sys
from bot.cli.main import main
sys.argv = ["genrec", "--help"]
try:
    main()
except SystemExit as leave:
    assert not leave.code, leave.code
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    *page, modules = in_fresh_process(code).splitlines()
    assert "recommend" in "\n".join(page)
    assert not set(json.loads(modules)) & (HEAVY | TRAINING_ONLY)


# What an import does: nothing


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield what runs at import: the statements of a module and of the classes in it."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.ClassDef):
            yield from statements(statement.body)


def is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def is_allowed_at_import(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):  # a docstring, an ellipsis, or a part of the command line
        said = ast.unparse(statement)
        return isinstance(statement.value, ast.Constant) or said.startswith(TYPER)
    if isinstance(statement, ast.For):
        return all(ast.unparse(inner).startswith(TYPER) for inner in statement.body)
    if isinstance(statement, ast.If):
        about = ast.unparse(statement.test)
        return is_main_guard(statement) or "TYPE_CHECKING" in about or "sys." in about
    if isinstance(statement, ast.Try):  # an optional import
        return all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in statement.body)
    return not isinstance(
        statement,
        ast.While | ast.With | ast.Delete | ast.Raise | ast.AugAssign | ast.Match,
    )


def test_modules_only_define() -> None:
    at_work = [
        f"{relative(path)}:{statement.lineno}: {ast.unparse(statement).splitlines()[0]}"
        for path, tree in TREES.items()
        for statement in statements(tree.body)
        if not is_allowed_at_import(statement)
    ]
    assert not at_work


def test_import_touches_nothing() -> None:
    # The libraries come first: what they do at import is their affair.
    libraries = sorted(
        {
            name
            for path, tree in TREES.items()
            if "training" not in path.parts
            for node in tree.body
            for name in imported_names(node)
            if name.partition(".")[0] not in (*PACKAGES, "__future__")
        }
    )
    code = f"""
import importlib, sys, threading
for name in {libraries!r}:
    try:
        importlib.import_module(name)
    except ImportError:  # a name in a module, or for another platform
        pass
events, watched = [], ("socket.", "subprocess.", "sqlite3.", "shutil.", "os.mkdir", "os.fork")

def watch(event, details):
    if event == "open":
        path, mode = str(details[0]), str(details[1])
        if not path.endswith((".py", ".pyc")) and "site-packages" not in path:
            events.append((event, path))
    elif event.startswith(watched):
        events.append((event, str(details)))

threads = threading.active_count()
sys.addaudithook(watch)
for name in {serving()!r}:
    importlib.import_module(name)
seen = list(events)
assert threading.active_count() == threads, threading.enumerate()
for event in seen:
    print(*event)
"""
    assert not in_fresh_process(code)


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def test_only_the_configuration_reads_the_environment() -> None:
    names = {"environ", "environb", "getenv"}
    readers = []
    for path, tree in TREES.items():
        # To set a variable for a library is no reading of one.
        set_only = {id(n.value) for n in ast.walk(tree) if is_setting(n)}
        readers += [
            f"{relative(path)}:{node.lineno}"
            for node in ast.walk(tree)
            if path != ROOT / "bot" / "config.py" and id(node) not in set_only
            and ((isinstance(node, ast.Attribute) and node.attr in names)
                 or (isinstance(node, ast.alias) and node.name in names))
        ]  # fmt: skip
    assert not readers


def is_setting(node: ast.AST) -> bool:
    """Say whether a node sets something: ``x[key] = ...`` or ``x.setdefault(...)``."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Store)
    return isinstance(node, ast.Attribute) and node.attr == "setdefault"


def test_every_room_says_what_it_is_for() -> None:
    lines = {
        path: (ast.get_docstring(tree) or "").partition("\n")[0] for path, tree in TREES.items()
    }
    assert not [relative(path) for path, line in lines.items() if not line.endswith((".", ":"))]
