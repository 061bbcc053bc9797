"""Errors of the HTTP interface as problem details in JSON (RFC 9457)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from bot.errors import RequestDeclined
from genrec.errors import (
    AnalysisTimeout,
    CatalogueError,
    ClipsDisabled,
    ClipTooLarge,
    DataError,
    GenrecError,
    InputRefused,
    PoolError,
    UnsupportedFormat,
    WorkerCrashed,
)

CONTENT_TYPE = "application/problem+json"
RETRY_S = 30  # after Busy and the like

# The first class that fits counts. A clip on which its worker failed is not tried again.
_STATUSES: tuple[tuple[type[GenrecError], HTTPStatus], ...] = (
    (ClipTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UnsupportedFormat, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (ClipsDisabled, HTTPStatus.SERVICE_UNAVAILABLE),
    (AnalysisTimeout, HTTPStatus.UNPROCESSABLE_ENTITY),
    (WorkerCrashed, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InputRefused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DataError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RequestDeclined, HTTPStatus.UNPROCESSABLE_ENTITY),
    (PoolError, HTTPStatus.SERVICE_UNAVAILABLE),
    (CatalogueError, HTTPStatus.SERVICE_UNAVAILABLE),
)
# Sentences of the operator's own, such as those with a path of the database, are not sent.
_PRIVATE = (CatalogueError,)
_NO_ANSWER = "genrec could not answer this request. Try again later, or ask the operator."


class HttpProblem(Exception):
    """A refusal of the HTTP interface: status, stable code and a sentence."""

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.sentence = status, code, sentence
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        """Return the problem as a response."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.sentence,
            "code": self.code,
        }
        return web.Response(
            status=self.status,
            # A name in the sentence may hold half of a letter, which is no UTF-8.
            body=json.dumps(body, ensure_ascii=False).encode(errors="replace"),
            headers={**self.headers, "Content-Type": CONTENT_TYPE},
        )


def too_many(wait_s: float, sentence: str) -> HttpProblem:
    """Return the problem of a client that has to wait before its next request."""
    headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
    return HttpProblem(429, "too_many_requests", sentence, headers=headers)


def unhandled(request: str) -> HttpProblem:
    """Return the problem of a fault in genrec; ``request`` is the id in the log."""
    return HttpProblem(
        500, "failed", f"genrec failed on this request: the log names it {request}. Report that."
    )


def problem_of(error: GenrecError) -> HttpProblem:
    """Return the problem of an error; the operator's own sentences are replaced."""
    status = next((status for cls, status in _STATUSES if isinstance(error, cls)), None)
    if status is None:
        return HttpProblem(HTTPStatus.INTERNAL_SERVER_ERROR, error.code, _NO_ANSWER)
    busy = status is HTTPStatus.SERVICE_UNAVAILABLE
    sentence = _NO_ANSWER if isinstance(error, _PRIVATE) else str(error)
    headers = {"Retry-After": str(RETRY_S)} if busy else {}
    return HttpProblem(status, error.code, sentence, headers=headers)


def problem_of_http(error: web.HTTPException, request: web.Request) -> HttpProblem:
    """Return the problem of a refusal by aiohttp itself: no such route, method or encoding."""
    if error.status == 404:
        sentence = f"There is no {request.path[:100]!r}: GET /v1 lists what there is."
        return HttpProblem(404, "no_route", sentence)
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        sentence = f"{request.method} is not for {request.path[:100]!r}: send {allowed}."
        return HttpProblem(405, "method", sentence, headers={"Allow": allowed})
    status = error.status if error.status >= 400 else 500
    return HttpProblem(status, "http", f"{HTTPStatus(status).phrase}: check the request.")
