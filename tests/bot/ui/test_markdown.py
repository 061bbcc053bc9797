"""Sanitising of untrusted text: mentions, markup, links, bidi controls and length."""

from __future__ import annotations

import time
import unicodedata

import pytest

from bot.ui.markdown import clean, escape, host_of, query, web_address
from tests.bot.ui.visible import HOSTILE, LONG, ZALGO, assert_harmless


def test_escape_hostile_text_is_harmless():
    assert_harmless(escape(HOSTILE, 500))
    assert "evil.example" in escape(HOSTILE, 500)  # shown as text, not as a link


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("*a* _b_ ~c~ `d` |e|", r"\*a\* \_b\_ \~c\~ \`d\` \|e\|"),
        ("[a](b)", r"\[a\](b)"),
        ("# big", r"\# big"),
        ("-# small", r"\-# small"),
        ("- item", r"\- item"),
        ("> quote", r"\> quote"),
        ("1. one", r"1\. one"),
        ("1999) party", r"1999\) party"),
        ("http://x.example", r"http\://x.example"),
        (r"back\slash", r"back\\slash"),
        ("@everyone", "@\u200beveryone"),
        ("Symphony No. 5 in C# minor (live) - II: Andante", None),
        ("AC/DC", None),
        ("Sigur Rós", None),
        ("東京事変", None),
        ("שלום", None),
    ],
)
def test_escape_changes_markup_and_keeps_ordinary_names(raw, expected):
    assert escape(raw, 80) == (raw if expected is None else expected)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("a\nb\tc\r\n d", "a b c d"),
        ("a\u202eb\u2066c\u200fd\ufeffe", "abcde"),
        ("a\x00\x07\x1b[0mb", "a[0mb"),
        ("\ud800lone surrogate", "lone surrogate"),
        ("\ue000private", "private"),
        ("\u3164\u115f\u2800", "?"),
        ("\u200d\u200c", "?"),
        ("", "?"),
        ("   ", "?"),
        ("\u0301\u0302", "?"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("e\u0301tude", "étude"),
        ("❤\ufe0f", "❤\ufe0f"),
    ],
)
def test_clean_returns_one_visible_line(raw, expected):
    assert clean(raw, 80, otherwise="?") == expected


def test_clean_and_escape_cut_to_the_limit():
    assert clean("a" * 81, 80) == "a" * 79 + "…"
    assert clean("a" * 80, 80) == "a" * 80
    assert len(escape("*" * 5_000, 80)) <= 160


def test_clean_keeps_at_most_three_combining_marks():
    marks = [c for c in clean(ZALGO, 80) if unicodedata.combining(c)]
    assert len(marks) <= 3


def test_clean_huge_text_is_fast():
    start = time.process_time()
    clean("\u0301" * 20_000_000, 80)
    clean(LONG * 2_000, 80)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize(
    ("raw", "address"),
    [
        ("https://soundcloud.com/a/b-c", "https://soundcloud.com/a/b-c"),
        ("https://x.example/a(b)?q=ü d", "https://x.example/a%28b%29?q=%C3%BC%20d"),
        ("https://x.example/%20", "https://x.example/%20"),
        ("http://x.example/<@1>", "http://x.example/%3C@1%3E"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("https://user:pw@x.example/", ""),
        ("https://localhost/", ""),
        ("https://x.example:99999/", ""),
        ("https://[::1/", ""),
        ("https://x.example/" + "a" * 600, ""),
        ("/music/a.flac", ""),
        ("", ""),
    ],
)
def test_web_address_accepts_plain_http_links_only(raw, address):
    assert web_address(raw) == address


def test_host_of_drops_www():
    assert host_of("https://www.soundcloud.com/x") == "soundcloud.com"


def test_query_is_cut_after_a_whole_character():
    assert query("AC/DC Thunder & more", 100) == "AC%2FDC+Thunder+%26+more"
    assert query("日本語", 20) == "%E6%97%A5%E6%9C%AC"
    assert query("abc", 0) == ""
