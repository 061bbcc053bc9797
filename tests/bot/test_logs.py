"""Log lines: request id, format, and redacted secrets."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import aiohttp
import discord
import pytest

from bot.client.client import Client
from bot.jobs.admission import Admission, RequestLimits
from bot.logs import JsonFormatter, Redactor, TextFormatter, set_up_logs

TOKEN = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"logging in with {TOKEN}", TOKEN),
        ("POST https://discord.com/api/v10/interactions/12/aW50ZX_t/callback", "aW50ZX_t"),
        ("PATCH https://discord.com/api/v10/webhooks/12/se-cret_/messages/@original", "se-cret_"),
        ("received {'id': '1', 'token': 'very-secret', 'version': 1}", "very-secret"),
        ('received {"token": "very-secret"}', "very-secret"),
        ("headers {'Authorization': 'Bot very-secret'}", "very-secret"),
        ("https://cdn.discordapp.com/a/b/c.wav?ex=1&hm=abcdef0123", "abcdef0123"),
        ("my own password", "password"),
    ],
)  # fmt: skip
def test_redactor_replaces_secrets(line: str, secret: str) -> None:
    written = Redactor(["password"])(line)
    assert secret not in written
    assert "[hidden]" in written


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("bot.x", logging.INFO, "x.py", 1, message, (), None)
    made.__dict__ |= extra
    return made


def test_json_line_has_level_message_and_request() -> None:
    line = json.loads(JsonFormatter(Redactor()).format(record("hello", request_id="ab12")))
    assert (line["level"], line["message"], line["request"]) == ("info", "hello", "ab12")


def test_tracebacks_are_redacted() -> None:
    try:
        raise RuntimeError(TOKEN)
    except RuntimeError:
        failed = record("failed", exc_info=sys.exc_info())
    assert TOKEN not in TextFormatter(Redactor()).format(failed)
    assert TOKEN not in JsonFormatter(Redactor()).format(failed)


async def test_log_line_in_a_request_has_its_id(capsys) -> None:
    root = logging.getLogger()
    level = root.level
    handler = set_up_logs(form="json", level="INFO")
    try:
        with Admission(
            cooldown_s=0, limits=RequestLimits(total=1, per_guild=1, direct_messages=1)
        ).admit(1, None) as request:
            logging.getLogger("bot.test").info("working")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[-1]["request"] == request.id


@pytest.mark.parametrize(
    ("logger", "error", "shortened"),
    [
        ("discord.shard", ConnectionRefusedError(111, "Connection refused"), True),
        ("discord.shard", aiohttp.ClientPayloadError("cut off"), True),
        ("discord.shard", KeyError("guild"), False),
        ("bot.jobs.runner", OSError(28, "No space left on device"), False),
    ],
)
def test_network_error_of_discord_py_has_one_line(
    capsys: pytest.CaptureFixture[str], logger: str, error: Exception, shortened: bool
) -> None:
    root = logging.getLogger()
    level = root.level
    handler = set_up_logs(form="text", level="INFO")
    try:
        logging.getLogger(logger).error("Attempting a reconnect in %.1fs", 2.5, exc_info=error)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    log = capsys.readouterr().err
    assert "Attempting a reconnect in 2.5s" in log
    assert str(error) in log
    assert (len(log.splitlines()) == 1) is shortened


def test_client_logs_no_warning_about_voice_libraries(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for switch in ("warn_nacl", "warn_dave"):
        monkeypatch.setattr(discord.VoiceClient, switch, True)
    nothing: Any = None
    Client(
        message_content=False,
        shards=1,
        dedup=nothing,
        errors=nothing,
        set_up=nothing,
        on_connected=nothing,
        forget_guild=nothing,
        compare_guilds=nothing,
    )
    assert not caplog.records
