"""Tests of the Makefile: its help, and the commands that ARGS selects."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.repository import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


def make(*arguments: str) -> str:
    """Return the output of make; targets that exist in .venv count as up to date."""
    stamps = [flag for name in ("runtime", "dev") for flag in ("-o", f".venv/{name}")]
    done = subprocess.run(
        ["make", *stamps, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def benchmark_paths(arguments: str) -> list[str]:
    """Return the paths under tests/ that `make bench` hands to pytest."""
    command = make("-n", "bench", f"ARGS={arguments}").replace("\\\n", " ")
    return re.findall(r"(?<=\s)tests/\S+", command.partition("-m pytest")[2] + " ")


def test_bench_without_arguments_runs_all_benchmarks() -> None:
    assert benchmark_paths("") == ["tests/benchmarks"]


def test_bench_with_options_runs_them_on_all_benchmarks() -> None:
    assert benchmark_paths("-k people") == ["tests/benchmarks"]
    assert "-k people" in make("-n", "bench", "ARGS=-k people")


def test_bench_with_a_path_runs_that_path_alone() -> None:
    assert benchmark_paths("tests/benchmarks/test_search.py") == ["tests/benchmarks/test_search.py"]


def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^\.PHONY: (\w+)$", text, re.M)
    assert {"setup", "run", "demo", "check", "test", "bench"} <= set(targets)
    assert [line.split()[1] for line in make("help").splitlines()] == targets
