"""Heads of pages: tags, JSON-LD, and hostile HTML."""

from __future__ import annotations

import json
import time

import pytest

from bot.sources.page_metadata import read_json, read_page
from bot.sources.song_lookup import MAX_PAGE_BYTES


def test_tags_of_a_head_are_read() -> None:
    page = read_page(
        b"<!doctype html><html><HEAD><title> A \n Song </title>"
        b"<META PROPERTY='og:title' CONTENT='A &amp; B &#x27;s'><meta name=twitter:title content=x>"
        b'<meta content="first" property="og:url"><meta property="og:url" content="second">'
        b'<meta itemprop="name" content="n"><link itemprop="name" content="l"><link rel=x>'
        b"<meta property=og:empty content=' '><meta><meta content=y></head>"
        b"<meta property='og:late' content='late'>"
    )
    assert page.title == "A Song"
    assert page.meta == {
        "og:title": "A & B 's",
        "twitter:title": "x",
        "og:url": "first",
        "name": "n",
        "link:name": "l",
    }
    assert page.first("og:empty", "og:url") == "first"
    assert page.first("og:late") == ""


def test_head_without_an_end_stops_at_the_body() -> None:
    page = read_page(b"<title>A</title><body><meta property=og:title content=x>")
    assert (page.title, page.meta) == ("A", {})


def test_json_ld_objects_are_read_from_the_outside_in() -> None:
    data = [{"@type": "A", "inner": {"@type": "B"}}, {"@graph": [{"@type": "C"}]}]
    made = f'<script TYPE=" application/LD+json ">{json.dumps(data)}</script>'.encode()
    found = [one.get("@type") for one in read_page(b"<head>" + made).objects]
    assert found == ["A", None, "B", "C"]


def test_script_with_markup_in_it_is_no_markup() -> None:
    page = read_page(b"<script>var x='<title>evil</title>';</script><title>A</title>")
    assert page.title == "A"


@pytest.mark.parametrize(
    "part",
    [
        "<!--", "<a ", "</", "<!", "<![", "<?", "<a b='", "<a b=c ", '<meta content="', "<script>",
        "<title>", "&", "&#", "&a", "< ", "<a/", "<a\t=", "<!--x--", "<style></", "<a b='c'd=",
        "</a ", "<![CDATA[", "&amp", "<meta a a a a ", "<meta " + "a " * 5000, "\x00", "\xff",
        "<x><y>",
        '<script type="application/ld+json">{', '<script type="application/ld+json">[[[</script>',
        '<meta property="og:title" content="x">',
    ],
)  # fmt: skip
def test_hostile_page_is_read_in_time(part: str) -> None:
    body = (part * (MAX_PAGE_BYTES // len(part) + 1)).encode()[:MAX_PAGE_BYTES]
    started = time.process_time()
    page = read_page(body)
    assert time.process_time() - started < 3
    assert len(page.meta) <= 400
    assert len(page.title) <= 2000


def test_hostile_json_ld_is_limited() -> None:
    deep: object = {}
    for _ in range(50):
        deep = {"a": deep}
    wide = [{"n": n} for n in range(5000)]
    for data in (deep, wide):
        made = f'<script type="application/ld+json">{json.dumps(data)}</script>'.encode()
        assert len(read_page(made * 40).objects) <= 16 * 300


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"9" * 5000, b"\xff", b" " * (300 << 10) + b"1"]
)
def test_odd_json_is_none(body: bytes) -> None:
    assert read_json(body) is None
