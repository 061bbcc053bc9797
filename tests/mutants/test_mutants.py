"""Tests of the mutation run, on a planted module with one tested and one untested line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.candidates import Mutant, mutants, sample
from tests.mutants.run import (
    TARGETS,
    BaselineError,
    Report,
    baseline_seconds,
    lines,
    load_explained,
    main,
    run_target,
)  # fmt: skip
from tests.repository import ROOT

MODULE = '''"""A planted module."""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


def allowed(age: int | None, names: list[str], *, limit: int = 18) -> bool:
    """Return True for adults."""
    log.info("age %s", age)
    names.append("checked")
    return age is not None and age >= 18
'''
TEST = """from planted import allowed


def test_allowed():
    assert allowed(18, [])
    assert not allowed(17, [])
    assert not allowed(None, [])
"""


def changes(source: str) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in mutants("planted.py", source)}


def test_mutants_cover_calls_comparisons_and_operands() -> None:
    found = changes(MODULE)
    condition = "return age is not None and age >= 18"
    assert {
        ('names.append("checked")', "pass"),
        (condition, "return age is not None and age > 18"),
        (condition, "return age is None and age >= 18"),
        (condition, "return age is not None or age >= 18"),
        (condition, "return age is not None"),
        (condition, "return age >= 18"),
    } <= found


def test_mutants_leave_signatures_logs_and_docstrings_alone() -> None:
    assert {before for before, _ in changes(MODULE)} == {
        'names.append("checked")', "return age is not None and age >= 18"
    }  # fmt: skip


def test_mutants_of_a_condition_invert_it() -> None:
    found = changes("def f(x):\n    if x:\n        return True\n    return False\n")
    assert {("if x:", "if not x:"), ("return True", "return False")} <= found


def test_mutants_do_not_tune_numbers() -> None:
    found = changes("LIMIT = 1024\nCOUNT = 1\n\ndef f(x):\n    return g(x, 3, n=10_000)\n")
    assert {before for before, _ in found} == {"COUNT = 1", "return g(x, 3, n=10_000)"}
    assert not [after for _, after in found if "10_000" not in after and "COUNT" not in after]


def test_sample_is_bounded_and_survives_moved_lines() -> None:
    moved = MODULE.replace("import logging\n", "import logging\n\n# one\n# more\n")
    first, second = (sample(mutants("planted.py", text), 1, 1) for text in (MODULE, moved))
    assert [m.key for m in first] == [m.key for m in second]
    assert len(sample(mutants("planted.py", MODULE), 99, 1)) == 2  # one a line


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    (tmp_path / "planted.py").write_text(MODULE)
    (tmp_path / "test_planted.py").write_text(TEST)
    return tmp_path


def test_run_kills_the_tested_line_and_reports_the_untested_one(planted: Path) -> None:
    report = run_target([planted], mutants("planted.py", MODULE), ["test_planted.py"])
    assert [mutant.before for mutant in report.killed] == ["return age is not None and age >= 18"]
    assert [mutant.after for mutant in report.survived] == ["pass"]
    assert (planted / "planted.py").read_text() == MODULE
    (count, survivor) = lines(report, {}, MODULE)
    assert count == "planted.py: 1 killed, 1 survived (0 explained), 0 not run"
    assert '-    names.append("checked")\n+    pass' in survivor
    key = report.survived[0].key
    assert list(lines(report, {key: "It is a log."}, MODULE))[1].endswith("allowed: It is a log.")


def test_run_with_failing_tests_is_a_baseline_error(planted: Path) -> None:
    (planted / "test_planted.py").write_text("def test_fails():\n    assert False\n")
    with pytest.raises(BaselineError, match="test_fails"):
        baseline_seconds(planted, ["test_planted.py"])


def test_run_after_the_deadline_starts_no_mutant(planted: Path) -> None:
    candidates = mutants("planted.py", MODULE)
    report = run_target([planted], candidates, ["test_planted.py"], deadline=0)
    assert report == Report("planted.py", [], [], 2)


def test_targets_and_their_tests_exist() -> None:
    paths = [*TARGETS, *(test for tests in TARGETS.values() for test in tests)]
    assert not [path for path in paths if not (ROOT / path).is_file()]


def test_explanations_parse_and_belong_to_targets() -> None:
    explained = load_explained()
    assert {file for file, *_ in explained} <= set(TARGETS)
    assert not [why for why in explained.values() if not re.fullmatch(r"[A-Z][^.]+\.", why)]


def test_run_of_an_unknown_file_names_the_targets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["genrec/types.py"])
    assert "expected one of genrec/similarity.py" in capsys.readouterr().err


def test_mutant_key_holds_no_line_number() -> None:
    one, other = (Mutant("a.py", line, "f", "x", "y", "") for line in (1, 2))
    assert one.key == other.key
