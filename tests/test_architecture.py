"""Tests of the architecture: imports, names, docstrings and the map in docs/architecture.md."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

from tests.repository import ROOT, normal, pins, relative

PACKAGES = ("bot", "db", "genrec")
TRAINING_ONLY = {"keras", "librosa", "matplotlib", "numba", "sklearn", "tensorflow"}
HEAVY = {"ai_edge_litert", "aiohttp", "av", "discord", "numpy", "soundfile", "soxr", "yt_dlp"}
TESTING_ONLY = {"bot.local_discord.schema"}  # validates bodies against Discord's OpenAPI file
# Programs that the bot starts as processes of their own and never imports.
OWN_PROCESS = {"db.cluster_worker", "genrec.cluster_process", "genrec.map_process"}
# Imported where the extra onnxruntime is installed, which the lock of the bot lacks.
OF_AN_EXTRA = {"genrec.onnx_network", "genrec.onnxruntime_network"}
TYPER = ("app.add_typer(", "app.command(")  # these statements assemble the command line

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def in_fresh_process(code: str) -> str:
    """Run code in a new Python process and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# Imports


def test_import_linter_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def serving() -> list[str]:
    """Return every module except training, those for tests, of an extra and of own processes."""
    names = [module_name(path) for path in SOURCES]
    left_out = TESTING_ONLY | OWN_PROCESS | OF_AN_EXTRA
    return [n for n in names if not n.startswith("genrec.training") and n not in left_out]


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
    """Return the third-party packages that an import statement names."""
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


# Side effects of an import: none


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at import: those of a module and of its classes."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.ClassDef):
            yield from statements(statement.body)


def is_main_guard(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def is_allowed_at_import(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):  # a docstring, an ellipsis, or part of the command line
        code = ast.unparse(statement)
        return isinstance(statement.value, ast.Constant) or code.startswith(TYPER)
    if isinstance(statement, ast.For):
        return all(ast.unparse(inner).startswith(TYPER) for inner in statement.body)
    if isinstance(statement, ast.If):
        condition = ast.unparse(statement.test)
        return is_main_guard(statement) or "TYPE_CHECKING" in condition or "sys." in condition
    if isinstance(statement, ast.Try):  # an optional import
        return all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in statement.body)
    return not isinstance(
        statement,
        ast.While | ast.With | ast.Delete | ast.Raise | ast.AugAssign | ast.Match,
    )


def test_modules_contain_only_definitions() -> None:
    others = [
        f"{relative(path)}:{statement.lineno}: {ast.unparse(statement).splitlines()[0]}"
        for path, tree in TREES.items()
        for statement in statements(tree.body)
        if not is_allowed_at_import(statement)
    ]
    assert not others


def test_import_opens_no_file_socket_thread_or_process() -> None:
    # Libraries are imported first: only our own modules are watched.
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
events = list(events)
assert threading.active_count() == threads, threading.enumerate()
for event in events:
    print(*event)
"""
    assert not in_fresh_process(code)


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def test_environment_is_read_by_config_only() -> None:
    names = {"environ", "environb", "getenv"}
    readers = []
    for path, tree in TREES.items():
        # Setting a variable for a library is allowed.
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
    """Return True for ``x[key] = ...`` and ``x.setdefault(...)``."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Store)
    return isinstance(node, ast.Attribute) and node.attr == "setdefault"


# Names: one thing, one name

SHARED_MODULE_NAMES = {
    "errors": "one in each package that raises errors of its own",
    "guild_settings": "db stores them, bot/jobs caches them in memory",
    "library": "cogs/ and cli/ modules are named after their command",
    "not_again": "cogs/not_again.py is the command /notagain; db/not_again.py stores the lists",
    "metrics": "Prometheus metrics of the bot, and accuracy metrics of a model",
    "mix": "cogs/mix.py is named after its command, question_figures/mix.py after its figure",
    "privacy": "cogs/privacy.py is named after its command; db/privacy.py deletes the rows",
    "radio": "cogs/radio.py is named after its command; genrec/radio.py is its method",
    "reindex": "cogs/reindex.py is named after its command; bot/jobs/reindex.py runs it",
    "settings": "cogs/settings.py is named after its command; training has settings too",
    "taste": "db/taste.py stores it; question_figures/taste.py measures what follows from it",
}
"""Module names that may occur twice, with the reason."""


def repeated(names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names that occur more than once, each with its places."""
    places = defaultdict(list)
    for name, place in names:
        places[name].append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_class_names_are_unique() -> None:
    classes = (
        (node.name, f"{relative(path)}:{node.lineno}")
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    assert not repeated(classes)


def test_module_names_are_unique() -> None:
    modules = ((path.stem, relative(path)) for path in SOURCES)
    private = {"__init__", "__main__"}
    assert repeated(modules).keys() - private <= SHARED_MODULE_NAMES.keys()


# Docstrings

MAX_FIRST_LINE = 100
NOT_FIRST = {"Ask", "Hear", "How", "Know", "Let", "Say", "See", "Tell", "That", "What", "Where",
             "Whoever"}  # fmt: skip


def public_docstrings(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield line, name and first line of the docstring for a module and its public definitions."""
    yield 1, "module", (ast.get_docstring(tree) or "").partition("\n")[0]
    bodies = [tree.body]
    for body in bodies:
        for node in body:
            kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            if not isinstance(node, kinds) or node.name.startswith("_"):
                continue
            docstring = (ast.get_docstring(node) or "").partition("\n")[0]
            if docstring or not is_documented_elsewhere(node):
                yield node.lineno, node.name, docstring
            if isinstance(node, ast.ClassDef):
                bodies.append(node.body)


def is_documented_elsewhere(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return True for an override or an overload: the other definition has the docstring."""
    return bool({"override", "overload"} & {ast.unparse(each) for each in node.decorator_list})


def test_first_lines_of_docstrings_are_plain() -> None:
    faults = [
        f"{relative(path)}:{line} {name}: {text!r}"
        for path, tree in TREES.items()
        for line, name, text in public_docstrings(tree)
        if not text.endswith((".", ":"))
        or len(text) > MAX_FIRST_LINE
        or re.match(r"\w*", text)[0] in NOT_FIRST  # type: ignore[index]
    ]
    assert not faults, "\n".join(faults)


# The map in docs/architecture.md

MAP = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_tree_lists_every_folder_with_modules() -> None:
    block = re.search(r"^```tree\n(.*?)^```", MAP, re.M | re.S)
    assert block, "docs/architecture.md has no block that starts with ```tree"
    listed = set(re.findall(r"^(\S+/)\s{2,}\S", block[1], re.M))
    folders = {f"{relative(path.parent)}/" for path in SOURCES}
    assert folders - listed == set()
    assert not [folder for folder in listed if not (ROOT / folder).is_dir()]


def resolve(name: str) -> object:
    """Return the object that a dotted name stands for, by import."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: ModuleType | object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def test_calls_in_the_way_of_a_clip_exist() -> None:
    table = re.search(r"<!-- calls -->\n(.*?)<!-- /calls -->", MAP, re.S)
    rows = re.findall(r"^\|([^|]*`[^|]*)\|", table[1] if table else "", re.M)
    assert rows, "docs/architecture.md has no table between <!-- calls --> and <!-- /calls -->"
    missing = []
    for name in (name for row in rows for name in re.findall(r"`([^`]+)`", row)):
        try:
            resolve(name)
        except (ModuleNotFoundError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    assert not missing


# Tests

ASSERTING = {"check_endpoint", "expect", "fetch_error"}
"""Helpers that raise where the expectation in the test's name is not met."""


def has_assertion(test: ast.AST) -> bool:
    """Return True for a test with an assertion, ``pytest.raises`` or a helper that asserts."""
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ASSERTING | {"raises", "warns", "fail"} or name.startswith("assert_"):
                return True
    return False


def test_every_test_has_an_assertion() -> None:
    tests = (
        (path, node)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )
    without = [
        f"{relative(path)}:{test.lineno} {test.name}"
        for path, test in tests
        if not has_assertion(test)
    ]
    assert not without
