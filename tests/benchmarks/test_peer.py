"""Tests of peers in processes of their own: signals, failed imports and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.peer import LeftOutError, clip_process, python, run_peer

ILLEGAL_INSTRUCTION = (
    "import os, resource, signal;"
    "resource.setrlimit(resource.RLIMIT_CORE, (0, 0));"
    "os.kill(os.getpid(), signal.SIGILL)"
)
NOT_INSTALLED = "from tests.benchmarks.peer import import_peer; import_peer('not_a_package')"
LINE = "fake is left out: SIGILL ended its process on this processor."


def test_peer_killed_by_sigill_is_left_out_by_name() -> None:
    with pytest.raises(LeftOutError) as caught:
        run_peer("fake", python("-c", ILLEGAL_INSTRUCTION))
    assert str(caught.value) == LINE


def test_clip_process_killed_by_sigill_is_left_out_by_name() -> None:
    with (
        pytest.raises(LeftOutError) as caught,
        clip_process("fake", python("-c", ILLEGAL_INSTRUCTION)) as answer,
    ):
        answer(Path("clip.mp3"))
    assert str(caught.value) == LINE


def test_clip_process_killed_on_second_clip_is_left_out() -> None:
    code = f"input(); print(0.5, flush=True); input(); {ILLEGAL_INSTRUCTION}"
    with clip_process("fake", python("-c", code)) as answer:
        assert answer(Path("clip.mp3")) == 0.5
        with pytest.raises(LeftOutError, match="SIGILL"):
            answer(Path("clip.mp3"))


def test_peer_not_installed_is_left_out_with_the_import_error() -> None:
    with pytest.raises(LeftOutError, match=r"does not import \(No module named 'not_a_package'\)"):
        run_peer("fake", python("-c", NOT_INSTALLED))


def test_peer_that_fails_otherwise_is_an_error_with_its_output() -> None:
    with pytest.raises(AssertionError, match=r"status 1: (.|\n)*ZeroDivisionError"):
        run_peer("fake", python("-c", "1 / 0"))


def test_peer_that_works_returns_its_output() -> None:
    assert run_peer("fake", python("-c", "print('done')")) == "done\n"


def test_bench_with_a_peer_killed_by_sigill_goes_on_and_prints_one_line(tmp_path: Path) -> None:
    (tmp_path / "bliss_audio.py").write_text(ILLEGAL_INSTRUCTION)
    selection = ["-k", "against_bliss or load_preset", "--benchmark-enable"]
    code = f"""
import os, subprocess, sys
os.environ["PYTHONPATH"] = {str(tmp_path)!r}
os.environ.pop("PYTEST_XDIST_WORKER", None)  # the inner run is a run of its own
tests = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/benchmarks"]
done = subprocess.run([*tests, *{selection!r}], capture_output=True, text=True)
print(done.returncode, done.stdout, done.stderr)
"""
    status, _, output = run_peer("bench", python("-c", code)).partition(" ")
    assert status == "0", output
    assert "1 passed, 1 skipped" in output
    summary = output.partition("peers left out")[2].partition("short test summary")[0]
    assert summary.count("bliss-audio is left out: SIGILL ended its process") == 1
