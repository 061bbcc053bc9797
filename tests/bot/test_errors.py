"""Errors of the bot: each declined request has a sentence."""

from __future__ import annotations

import ast

import pytest

from bot.errors import RequestDeclined
from bot.i18n import ENGLISH, Translations
from bot.sources.song_lookup import REASONS
from bot.ui.track_links import TEMPLATE_FAULTS
from tests.repository import ROOT, relative

# The values that follow a prefix in an f-string.
FAMILIES = {"song_": REASONS, "template_": TEMPLATE_FAULTS}


def raised() -> list[tuple[str, str, tuple[str, ...]]]:
    """Return place, key and names of the values of each declined request in the code."""
    return [
        (
            f"{relative(path)}:{node.lineno}",
            key,
            tuple(str(keyword.arg) for keyword in node.keywords),
        )
        for path in sorted((ROOT / "bot").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "RequestDeclined"
        for key in keys(node.args[0])
    ]


def keys(argument: ast.expr) -> list[str]:
    """Return the keys that an argument may be: a string, a choice of two, or a family."""
    if isinstance(argument, ast.IfExp):
        return keys(argument.body) + keys(argument.orelse)
    if isinstance(argument, ast.JoinedStr):
        prefix = ast.literal_eval(argument.values[0])
        return [f"{prefix}{value}" for value in FAMILIES[prefix]]
    return [ast.literal_eval(argument)]


def test_str_of_a_declined_request_is_the_english_sentence() -> None:
    english = Translations.load().by_code[ENGLISH].texts
    assert str(RequestDeclined("no_reindex")) == english["refusals.no_reindex"]
    assert "600" in str(RequestDeclined("cooldown", count=600))
    assert "/library add" in str(RequestDeclined("library_empty"))


@pytest.mark.parametrize(("place", "key", "names"), raised())
def test_declined_request_has_a_sentence_and_its_values(
    place: str, key: str, names: tuple[str, ...]
) -> None:
    sentence = str(RequestDeclined(key, **dict.fromkeys(names, 2)))
    assert sentence.endswith((".", " 2")), place  # an example may stand at the end


def test_declined_requests_are_found_in_the_code() -> None:
    assert len(raised()) > 20
