"""Log lines as text or JSON: each with its request id, and with secrets redacted."""

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

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
"""Id of the request that the current task handles; it appears in each log line."""

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
_REPLACEMENTS = (_HIDDEN, rf"\1/{_HIDDEN}", rf"\1/{_HIDDEN}", _HIDDEN, rf"\1'{_HIDDEN}'",
                 rf"\1{_HIDDEN}", _HIDDEN)  # fmt: skip


def new_request_id() -> str:
    """Return a short random id, for the log and for the message that reports an error."""
    return secrets.token_hex(4)


class Redactor:
    """Replaces secrets: those of Discord by their patterns, others by their value."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = [secret for secret in secrets if len(secret) >= 6]

    def __call__(self, text: str) -> str:
        """Return the text with secrets replaced."""
        for secret in self._known:
            text = text.replace(secret, _HIDDEN)
        for pattern, replacement in zip(_SECRETS, _REPLACEMENTS, strict=True):
            text = pattern.sub(replacement, text)
        return text


class TextFormatter(logging.Formatter):
    """Formats a record as text and redacts all of it, the traceback too."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s%(request)s: %(message)s")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the log line."""
        request = getattr(record, "request_id", "")
        record.request = f" [{request}]" if request else ""
        return self._redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object, redacted."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Return the log line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._redact(record.getMessage()),
        }
        if request := getattr(record, "request_id", ""):
            line["request"] = request
        if record.exc_info:
            line["error"] = self._redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _add_request_id(record: logging.LogRecord) -> bool:
    record.request_id = request_id.get()
    return True


def _shorten_network_error(record: logging.LogRecord) -> bool:
    """Replace the traceback of a network error that discord.py retries by the error's text."""
    error = record.exc_info[1] if record.exc_info else None
    if record.name.startswith("discord.") and _is_network_error(error):
        record.msg, record.args = f"{record.getMessage()} ({type(error).__name__}: {error})", ()
        record.exc_info = record.exc_text = None
    return True


def _is_network_error(error: BaseException | None) -> bool:
    return isinstance(error, OSError) or type(error).__module__.startswith("aiohttp.")


def set_up_logs(
    *, form: Literal["text", "json"], level: str, secrets: Iterable[str] = ()
) -> logging.Handler:
    """Send all log lines to stderr, redacted; return the handler, so that it can be removed."""
    redact = Redactor(secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redact) if form == "json" else TextFormatter(redact))
    handler.addFilter(_add_request_id)
    handler.addFilter(_shorten_network_error)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    # These log every HTTP request at INFO, and every statement with its parameters at DEBUG.
    logging.getLogger("aiohttp.access").setLevel(max(logging.WARNING, root.level))
    logging.getLogger("aiosqlite").setLevel(max(logging.INFO, root.level))
    # This logs everything that Discord sends at DEBUG, the texts of messages too.
    logging.getLogger("discord").setLevel(max(logging.INFO, root.level))
    return handler
