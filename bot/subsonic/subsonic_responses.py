"""Responses of the Subsonic protocol 1.16.1 with OpenSubsonic's fields, in JSON and XML.

The forms are those of https://opensubsonic.netlify.app/docs/api-reference/: in XML, values are
attributes, objects are elements, and each item of a list is an element of the list's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement, tostring

Format = Literal["json", "xml"]
Body = Mapping[str, Any]

VERSION = "1.16.1"
SERVER_TYPE = "genrec"
EXTENSIONS = {"apiKeyAuthentication": (1,), "formPost": (1,), "sonicSimilarity": (1,)}
"""Extensions of OpenSubsonic that are announced, with their versions."""

GENERIC = 0
PARAMETER_MISSING = 10
CLIENT_TOO_OLD = 20
CLIENT_TOO_NEW = 30
WRONG_PASSWORD = 40
NO_TOKENS = 41
MECHANISM_NOT_SUPPORTED = 42
CONFLICTING_MECHANISMS = 43
WRONG_API_KEY = 44
NOT_AUTHORIZED = 50
NOT_FOUND = 70

_NAMESPACE = "http://subsonic.org/restapi"
# What XML 1.0 cannot hold, even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT = "value"  # of an object: the text of its element, such as a genre's name


class SubsonicError(Exception):
    """A failed request: the protocol's code and a sentence for the person who reads it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def envelope(server_version: str, body: Body | SubsonicError) -> dict[str, Any]:
    """Return the object ``subsonic-response`` around a body or an error."""
    failed = isinstance(body, SubsonicError)
    head = {
        "status": "failed" if failed else "ok",
        "version": VERSION,
        "type": SERVER_TYPE,
        "serverVersion": server_version,
        "openSubsonic": True,
    }
    if isinstance(body, SubsonicError):
        return {**head, "error": {"code": body.code, "message": body.message}}
    return {**head, **body}


def write(response: Mapping[str, Any], form: Format) -> tuple[bytes, str]:
    """Return the bytes of a ``subsonic-response`` and their content type."""
    if form == "json":
        text = json.dumps({"subsonic-response": response}, ensure_ascii=False)
        # A lone surrogate of a damaged tag is no UTF-8.
        return text.encode("utf-8", errors="replace"), "application/json"
    root = Element("subsonic-response", {"xmlns": _NAMESPACE})
    _fill(root, response)
    return tostring(root, encoding="utf-8", xml_declaration=True), "application/xml"


def _fill(element: Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, Mapping):
                _fill(SubElement(element, name), one)
            elif isinstance(value, list | tuple):
                SubElement(element, name).text = _text(one)
            elif name == _TEXT:
                element.text = _text(one)
            else:
                element.set(name, _text(one))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NOT_XML.sub("\ufffd", str(value))
