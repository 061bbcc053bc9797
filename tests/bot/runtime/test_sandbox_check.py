"""Gaps of the sandbox: setting, warning, metric and doctor."""

from __future__ import annotations

import logging

import pytest

from bot.cli import doctor
from bot.config import Settings, load_settings
from bot.errors import SettingsError
from bot.metrics import Metrics
from bot.runtime.sandbox_check import report_sandbox, restrict_sources
from bot.sources import Attachment, SourcePolicy, Sources
from genrec.errors import ClipsDisabled, LinksDisabled
from genrec.workers import sandbox
from genrec.workers.sandbox import Measure

COMPLETE = tuple(Measure(name, True) for name in sandbox.VITAL)
OLD_KERNEL = (
    Measure("limits", True),
    Measure("files", False, "this kernel has no Landlock"),
    Measure("system calls", False, "the kernel refused it"),
    Measure("cannot open a socket", False, "tested, and it succeeded"),
)
LINK = "https://example.com/song.mp3"
UPLOAD = Attachment("https://cdn.discordapp.com/song.mp3", "song.mp3", 2000)


def settings(choice: str = "refuse-links") -> Settings:
    return Settings(_env_file=None, without_sandbox=choice)


@pytest.mark.parametrize(
    ("choice", "refused"),
    [
        ("refuse-links", {"link": LinksDisabled}),
        ("refuse-all", {"link": ClipsDisabled, "upload": ClipsDisabled}),
        ("allow", {}),
    ],
)
def test_incomplete_sandbox_refuses_the_sources_of_the_setting(
    choice: str, refused: dict[str, type[Exception]]
) -> None:
    policy = restrict_sources(SourcePolicy(), settings(choice), OLD_KERNEL)
    sources = Sources(policy)
    outcomes = {}
    for name, source in (("link", LINK), ("upload", UPLOAD)):
        try:
            sources.check(source)
        except (LinksDisabled, ClipsDisabled) as error:
            outcomes[name] = type(error)
    assert outcomes == refused


def test_complete_sandbox_refuses_nothing_and_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = SourcePolicy()
    assert restrict_sources(policy, settings("refuse-all"), COMPLETE) is policy
    report_sandbox(settings(), COMPLETE, Metrics())
    assert not caplog.messages


def test_sandbox_that_was_not_tested_counts_as_incomplete() -> None:
    failed = (Measure("a worker's limits", False, "could not be tested"),)
    assert not restrict_sources(SourcePolicy(), settings(), failed).links


def test_incomplete_sandbox_is_one_warning_and_a_metric(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    report_sandbox(settings(), OLD_KERNEL, metrics)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert message.startswith("sandbox incomplete: ")
    assert "files (this kernel has no Landlock); system calls (the kernel refused it);" in message
    assert "socket" not in message  # it follows from the others
    assert "GENREC_WITHOUT_SANDBOX=refuse-links" in message
    text = metrics.text().decode()
    assert 'genrec_sandbox_measure{measure="files"} 0.0' in text
    assert 'genrec_sandbox_measure{measure="limits"} 1.0' in text


@pytest.mark.parametrize(
    ("measures", "choice", "healthy"),
    [
        (COMPLETE, "refuse-links", True),
        (OLD_KERNEL, "refuse-links", False),
        (OLD_KERNEL, "refuse-all", False),
        (OLD_KERNEL, "allow", True),
        ((*COMPLETE, Measure("no capabilities", False)), "refuse-links", True),
        ((*COMPLETE, Measure("cannot open a socket", False)), "refuse-links", False),
        ((), "refuse-links", False),
    ],
)
def test_doctor_is_healthy_only_with_a_complete_or_waived_sandbox(
    monkeypatch: pytest.MonkeyPatch, measures: tuple[Measure, ...], choice: str, healthy: bool
) -> None:
    monkeypatch.setattr(sandbox, "report", lambda: measures)
    findings = list(doctor._sandbox(settings(choice)))
    assert doctor.healthy(findings) == healthy
    summary = findings[-1]
    assert summary.name == "sandbox"
    assert summary.ok == (not sandbox.missing(measures))


def test_unknown_choice_is_an_error_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREC_WITHOUT_SANDBOX", "hope")
    with pytest.raises(SettingsError, match="GENREC_WITHOUT_SANDBOX"):
        load_settings(env_file=None)
