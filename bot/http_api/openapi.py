"""The OpenAPI 3.1 description of the HTTP interface, made from its routes and bodies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.http_api.answer_bodies import ProblemBody
from bot.http_api.problems import CONTENT_TYPE

OPENAPI = "3.1.0"
_REF = "#/components/schemas/{model}"
_ALWAYS = (401, 403, 421, 429, 500, 503)
_WITH_BODY = (400, 408, 413, 415, 422)
# Seeds in a form or a query; each may be repeated.
_FORM_SEEDS = {
    "track": "Id of a track", "name": "Artist and title of a track", "url": "Link",
    "less_track": "As track, to be less like it", "less_name": "As name, to be less like it",
    "less_url": "As url, to be less like it",
}  # fmt: skip
_FORM_ENDS = {
    f"{end}_{kind}": f"{why}, as an end"
    for end in ("from", "to")
    for kind, why in (("track", "Id of a track"), ("name", "Artist and title"), ("url", "Link"))
}
_FORM_CLIPS = {
    "clip": "Sound file", "less": "Sound file, to be less like it",
    "from": "Sound file, as an end", "to": "Sound file, as an end",
}  # fmt: skip
_FORM_NAMES = {"title": "Title of the only clip", "artist": "Artist of the only clip"}


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A route: what it takes and returns. ``clips`` are the fields of its form that are files."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    clips: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True, slots=True)
class ServedRoute:
    """A route with its handler."""

    route: ApiRoute
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]


def describe(routes: Sequence[ApiRoute], *, version: str) -> dict[str, Any]:
    """Return the description of the routes as a JSON object."""
    given = {model for route in routes for model in (route.body, route.query) if model}
    returned = {route.answer for route in routes if route.answer} | {ProblemBody}
    models = [
        *((model, "validation") for model in sorted(given, key=lambda one: one.__name__)),
        *((model, "serialization") for model in sorted(returned, key=lambda one: one.__name__)),
    ]
    _, schemas = models_json_schema(models, ref_template=_REF)  # type: ignore[arg-type]
    definitions = schemas["$defs"]
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, definitions)
        paths.setdefault(f"/v1{route.path}", {})[route.method.lower()] = operation
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "genrec",
            "version": version,
            "description": "Genre and similar music by the sound itself.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: ApiRoute, definitions: dict[str, Any]) -> dict[str, Any]:
    name = route.path.strip("/").replace("/{id}", "_one").replace(".", "_") or "root"
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "responses": dict(_responses(route)),
    }
    parameters = []
    if "{id}" in route.path:
        parameters.append(
            {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
        )
    if route.query is not None:
        parameters += _parameters(definitions[route.query.__name__])
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route, definitions)}
    return operation


def _responses(route: ApiRoute) -> Iterable[tuple[str, dict[str, Any]]]:
    schema = {"$ref": _REF.format(model=route.answer.__name__)} if route.answer else {}
    answer = {"schema": schema or {"type": "object"}}
    yield "200", {"description": route.summary, "content": {"application/json": answer}}
    statuses = [*_ALWAYS]
    statuses += _WITH_BODY if route.body else [422] if route.query else []
    statuses += [404] if route.missing or route.body else []
    problem = {"schema": {"$ref": _REF.format(model=ProblemBody.__name__)}}
    for status in sorted(statuses):
        description = HTTPStatus(status).phrase
        yield str(status), {"description": description, "content": {CONTENT_TYPE: problem}}


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Return query parameters for the fields of a body; a list is one word with commas."""
    found = []
    for name, field in schema["properties"].items():
        plain = {key: value for key, value in field.items() if key != "description"}
        found.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "description": field.get("description", ""),
                "style": "form",
                "explode": False,
                "schema": plain,
            }
        )
    return found


def _content(route: ApiRoute, definitions: dict[str, Any]) -> dict[str, Any]:
    assert route.body is not None
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": _REF.format(model=route.body.__name__)}}
    }
    if not route.clips:
        return content
    fields = {
        name: field
        for name, field in definitions[route.body.__name__]["properties"].items()
        if name not in ("track", "name", "url", "seeds", "from", "to")
    }
    binary = {"type": "string", "contentMediaType": "application/octet-stream"}
    form = {
        **{name: {**_list_of(binary), "description": _FORM_CLIPS[name]} for name in route.clips},
        **{name: {**_list_of({"type": "string"}), "description": why}
           for name, why in (_FORM_ENDS if "from" in route.clips else _FORM_SEEDS).items()},
        **{name: {"type": "string", "description": why} for name, why in _FORM_NAMES.items()},
        **fields,
    }  # fmt: skip
    content["multipart/form-data"] = {"schema": {"type": "object", "properties": form}}
    content["audio/*"] = {"schema": {"contentMediaType": "audio/*"}}
    content["application/octet-stream"] = {"schema": {}}
    return content


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}
