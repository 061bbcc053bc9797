"""The OpenAPI description against the server: each route, answer, body and problem, both ways."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.http_api.openapi import OPENAPI
from tests.bot.http_api.conftest import TOKEN, WAV, Interface, Reply
from tests.bot.http_api.test_v1 import form

JSON = "application/json"
FORM = form(("clip", "a.wav", WAV), ("count", None, b"2"), ("scopes", None, b"starter,library"))
WAY = b'{"from": {"track": 1}, "to": {"name": "Song 5"}, "steps": 5}'
# Method, path of the description, path, body, its type, and the status of the answer.
REQUESTS: tuple[tuple[str, str, str, bytes | None, str, int], ...] = (
    ("GET", "/v1", "/v1", None, "", 200),
    ("GET", "/v1/openapi.json", "/v1/openapi.json", None, "", 200),
    ("GET", "/v1/tracks", "/v1/tracks?query=song&limit=3&scopes=starter", None, "", 200),
    ("GET", "/v1/tracks", "/v1/tracks?limit=0", None, "", 422),
    ("GET", "/v1/tracks/{id}", "/v1/tracks/1", None, "", 200),
    ("GET", "/v1/tracks/{id}", "/v1/tracks/999", None, "", 404),
    ("POST", "/v1/recommend", "/v1/recommend", b'{"track": 1, "reach": "balanced"}', JSON, 200),
    ("POST", "/v1/recommend", "/v1/recommend?count=3&key=compatible", WAV, "audio/wav", 422),
    ("POST", "/v1/recommend", "/v1/recommend?count=3", WAV, "audio/wav", 200),
    ("POST", "/v1/recommend", "/v1/recommend", *FORM, 200),
    ("POST", "/v1/recommend", "/v1/recommend", b"{", JSON, 400),
    ("POST", "/v1/recommend", "/v1/recommend", b"x", "text/plain", 415),
    ("POST", "/v1/recommend", "/v1/recommend", b'{"name": "' + b"x" * 66_000, JSON, 413),
    ("POST", "/v1/mix", "/v1/mix", b'{"seeds": [{"track": 1}, {"track": 2}]}', JSON, 200),
    ("POST", "/v1/mix", "/v1/mix", b'{"track": 1}', JSON, 422),
    ("POST", "/v1/path", "/v1/path", WAY, JSON, 200),
    ("POST", "/v1/path", "/v1/path?to_track=1", WAV, "audio/wav", 200),
    ("POST", "/v1/path", "/v1/path", b'{"from": {"track": 1}}', JSON, 422),
    ("POST", "/v1/radio", "/v1/radio", b'{"track": 1, "count": 10, "apart": 2}', JSON, 200),
    ("POST", "/v1/radio", "/v1/radio", b'{"track": 1, "count": 9}', JSON, 422),
    ("POST", "/v1/genre", "/v1/genre", WAV, "application/octet-stream", 200),
    ("POST", "/v1/genre", "/v1/genre", b'{"track": 1}', JSON, 200),
    ("POST", "/v1/genre", "/v1/genre", b'{"track": 999}', JSON, 404),
)


async def description(interface: Interface) -> dict[str, Any]:
    reply = await asyncio.to_thread(interface.send, "GET", "/v1/openapi.json")
    assert reply.status == 200
    return dict(reply.json)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema that refers to the components of the document."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:api", resource)
    return Draft202012Validator(_absolute(schema), registry=registry.crawl())


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:api{value}" if key == "$ref" else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(each) for each in schema] if isinstance(schema, list) else schema


def assert_described(document: dict[str, Any], method: str, path: str, reply: Reply) -> None:
    """Raise AssertionError unless the status, type and body are those of the description."""
    responses = document["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in responses, f"{method} {path} answers {reply.status}"
    content = responses[str(reply.status)]["content"]
    kind = reply.headers["Content-Type"].partition(";")[0]
    assert kind in content
    faults = list(validator(document, content[kind]["schema"]).iter_errors(reply.json))
    assert not faults, faults


async def test_every_answer_has_a_documented_status_and_schema(interface) -> None:
    document = await description(interface)
    for method, path, target, body, kind, status in REQUESTS:
        headers = {"Content_Type": kind} if kind else {}
        reply = await asyncio.to_thread(interface.send, method, target, body, **headers)
        assert reply.status == status, (target, reply.body)
        assert_described(document, method, path, reply)


async def test_every_route_is_documented_and_every_documented_route_answers(interface) -> None:
    document = await description(interface)
    documented = {
        f"{method.upper()} {path}"
        for path, operations in document["paths"].items()
        for method in operations
    }
    root = await asyncio.to_thread(interface.send, "GET", "/v1")
    assert set(root.json["routes"]) == documented
    assert {f"{method} {path}" for method, path, *_ in REQUESTS} == documented
    answered = {f"{m} {p}" for m, p, *_, status in REQUESTS if status == 200}
    assert answered == documented


async def test_description_is_openapi_with_references_that_lead_somewhere(interface) -> None:
    document = await description(interface)
    assert document["openapi"] == OPENAPI
    names = document["components"]["schemas"]
    operations = [each for path in document["paths"].values() for each in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids))

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [ref for value in node.values() for ref in references(value)]
        return [ref for each in node for ref in references(each)] if isinstance(node, list) else []

    found = set(references(document))
    assert found
    assert {ref.rpartition("/")[2] for ref in found} <= names.keys()
    for schema in names.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("question", "fits"),
    [
        ({"track": 1}, True),
        ({"seeds": [{"name": "a"}, {"track": 2, "liked": False}], "count": 50}, True),
        ({"track": 1, "count": 51}, False),
        ({"track": 1, "reach": "far"}, False),
        ({"track": 1, "unknown": 1}, False),
        ({"track": 0}, False),
        ({"seeds": [{"track": 1}] * 6}, False),
    ],
)
async def test_server_and_schema_agree_on_bodies(interface, question, fits) -> None:
    document = await description(interface)
    operation = document["paths"]["/v1/recommend"]["post"]
    schema = operation["requestBody"]["content"][JSON]["schema"]
    assert validator(document, schema).is_valid(question) == fits
    reply = await asyncio.to_thread(interface.ask, "/v1/recommend", question)
    wrong = reply.status == 422 and reply.json["code"] == "wrong_value"
    assert wrong != fits


async def test_refusals_of_the_gate_are_documented(serving) -> None:
    async with serving(http_api_token=TOKEN, http_api_per_minute=4) as interface:
        document = await description(interface)
        wrong = await asyncio.to_thread(
            interface.send, "POST", "/v1/mix", b"{}", Authorization="Bearer x"
        )
        assert wrong.status == 401
        assert_described(document, "POST", "/v1/mix", wrong)
        for _ in range(4):
            last = await asyncio.to_thread(interface.send, "GET", "/v1")
        assert last.status == 429
        assert_described(document, "GET", "/v1", last)
