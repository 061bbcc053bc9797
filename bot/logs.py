"""Log lines for people or machines: each with its job, none with a secret."""

from __future__ import annotations

import contextvars
import json
import logging
import re
import secrets
import sys
import time
from collections.abc import Iterable
from typing import Literal

job_id: contextvars.ContextVar[str] = contextvars.ContextVar("job_id", default="")
"""The job that the running task works on, for every log line it writes."""

_HIDDEN = "[hidden]"
# Discord's bot tokens, interaction and webhook tokens in URLs and payloads, signed CDN links.
_SECRETS = (
    re.compile(r"[MNO][A-Za-z\d_-]{22,28}\.[A-Za-z\d_-]{6,7}\.[A-Za-z\d_-]{27,}"),
    re.compile(r"(?<=/webhooks/)(\d+)/[^/\s\"'?]+"),
    re.compile(r"(?<=/interactions/)(\d+)/[^/\s\"'?]+"),
    re.compile(r"aW50ZXJhY3Rpb246[A-Za-z\d_=-]+"),
    re.compile(r"(?i)((?:'|\")token(?:'|\")\s*:\s*)(?:'[^']*'|\"[^\"]*\")"),
    re.compile(r"(?i)(authorization\W{1,4}(?:bot|bearer)?\s*)[^\s'\",}]+"),
    re.compile(r"(?<=[?&]hm=)[\da-fA-F]+"),
)
_PUT_BACK = (_HIDDEN, rf"\1/{_HIDDEN}", rf"\1/{_HIDDEN}", _HIDDEN, rf"\1'{_HIDDEN}'",
             rf"\1{_HIDDEN}", _HIDDEN)  # fmt: skip


def new_job_id() -> str:
    """Return a short name for a job: it is in the log and in an apology."""
    return secrets.token_hex(4)


class Redactor:
    """Blots out secrets: the patterns of Discord's, and the ones it is told."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = [secret for secret in secrets if len(secret) >= 6]

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._known:
            text = text.replace(secret, _HIDDEN)
        for pattern, instead in zip(_SECRETS, _PUT_BACK, strict=True):
            text = pattern.sub(instead, text)
        return text


class TextFormatter(logging.Formatter):
    """One line a record, for people; the whole line is redacted, tracebacks too."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s%(job)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        job = getattr(record, "job_id", "")
        record.job = f" [{job}]" if job else ""
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a record, for machines."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write the record."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if job := getattr(record, "job_id", ""):
            line["job"] = job
        if record.exc_info:
            line["error"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _name_the_job(record: logging.LogRecord) -> bool:
    record.job_id = job_id.get()
    return True


def set_up_logs(
    *, form: Literal["text", "json"], level: str, secrets: Iterable[str] = ()
) -> logging.Handler:
    """Send all log lines to stderr, redacted; return the handler, for whoever takes it down."""
    redact = Redactor(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if form == "json" else TextFormatter(redact))
    handler.addFilter(_name_the_job)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    # A line for every request at INFO, and every statement with its parameters at DEBUG.
    logging.getLogger("aiohttp.access").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiosqlite").setLevel(max(logging.INFO, root.level))
    return handler
