"""Validate request and response bodies against Discord's OpenAPI description (for tests)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.local_discord.api_types import Json

if TYPE_CHECKING:
    from pathlib import Path

    from jsonschema.exceptions import ValidationError

# Keys that discord.py sends and Discord accepts, although the description omits them.
UNDESCRIBED = {"nsfw", "flags", "tts", "enforce_nonce", "nonce", "filename", "content_type"}
# Of the types of a message reference, the description has replies only.
FORWARD = {"title": "FORWARD", "const": 1}
_CONTENT = ("content", "application/json", "schema")


class Schema:
    """Validator for the OpenAPI description in the file ``path``.

    The description allows additional keys; for requests they are forbidden here, so that a
    misspelt key is an error. It describes multipart bodies as form fields, so the JSON in
    ``payload_json`` is validated by the schema of the JSON body.
    """

    def __init__(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        self._spec: Json = json.loads(text)
        closed: Json = json.loads(text)
        for description in (self._spec, closed):
            description["components"]["schemas"]["MessageReferenceType"]["oneOf"].append(FORWARD)
        for schema in closed["components"]["schemas"].values():
            if schema.get("type") == "object" and "properties" in schema:
                schema.setdefault("additionalProperties", False)
        self._registry: Registry[Any] = Registry()
        for name, document in (("urn:open", self._spec), ("urn:closed", closed)):
            resource = Resource.from_contents(document, default_specification=DRAFT202012)
            self._registry = self._registry.with_resource(name, resource)
        self._validators: dict[tuple[str, ...], Draft202012Validator | None] = {}

    def request_errors(self, method: str, template: str, body: object) -> list[str]:
        """Return the errors of a request body, or []."""
        operation = ("paths", template, method.lower())
        validator = self._validator("urn:closed", *operation, "requestBody", *_CONTENT)
        if validator is None:
            described = method.lower() in self._spec["paths"].get(template, {})
            return [] if described else [f"{method} {template} is not in the description"]
        return _errors(validator, _with_string_ids(body))

    def response_errors(self, method: str, template: str, body: object) -> list[str]:
        """Return the errors of a response body with status 200, or []."""
        operation = ("paths", template, method.lower())
        validator = self._validator("urn:open", *operation, "responses", "200", *_CONTENT)
        return [] if validator is None else _errors(validator, body)

    def _validator(self, document: str, *keys: str) -> Draft202012Validator | None:
        if (document, *keys) not in self._validators:
            node: Any = self._spec
            for name in keys:
                node = node.get(name) if isinstance(node, dict) else None
            pointer = "/".join(name.replace("~", "~0").replace("/", "~1") for name in keys)
            reference = {"$ref": f"{document}#/{quote(pointer, safe='/~{}@')}"}
            self._validators[(document, *keys)] = None if node is None else self._make(reference)
        return self._validators[(document, *keys)]

    def _make(self, reference: Json) -> Draft202012Validator:
        return Draft202012Validator(
            reference, registry=self._registry, format_checker=FormatChecker()
        )


def _errors(validator: Draft202012Validator, body: object) -> list[str]:
    tops = validator.iter_errors(body)
    return [sentence for top in tops for e in _leaves(top) for sentence in _sentences(e)]


def _wrong_kind(error: ValidationError) -> bool:
    """Return True for an error that only means "this is another branch of the union"."""
    about_type = not error.path or list(error.path) == ["type"]
    return error.validator in ("enum", "const", "type") and about_type


def _leaves(error: ValidationError) -> list[ValidationError]:
    """Return the errors of a failed union's best branch: same ``type``, then fewest errors."""
    if not error.context:
        return [error]
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        branches.setdefault(inner.schema_path[0], []).append(inner)
    best = min(branches.values(), key=lambda errors: (sum(map(_wrong_kind, errors)), len(errors)))
    return [leaf for inner in best for leaf in _leaves(inner)]


def _sentences(error: ValidationError) -> list[str]:
    location = "/".join(map(str, error.absolute_path)) or "(body)"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        assert isinstance(error.schema, dict)
        unknown = set(error.instance) - set(error.schema["properties"]) - UNDESCRIBED
        return [f"{location}: unknown key {key!r}" for key in sorted(unknown)]
    wanted, got = str(error.validator_value)[:80], str(error.instance)[:40]
    return [f"{location}: {error.validator} {wanted}, got {got!r}"]


def _with_string_ids(value: object, key: str = "") -> object:
    """Return ``value`` with integer ids as strings; the API description allows only strings."""
    if isinstance(value, dict):
        # A component's id is a number in the description, too; only components have a type.
        kept = {"id"} if isinstance(value.get("type"), int) else set()
        return {k: v if k in kept else _with_string_ids(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_string_ids(v, key) for v in value]
    number = isinstance(value, int) and not isinstance(value, bool)
    about_ids = key in ("id", "users", "roles") or key.endswith("_id")
    return str(value) if number and about_ids else value
