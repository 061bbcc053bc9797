"""Error messages, titles and signatures made from untrusted text and bytes."""

from __future__ import annotations

import io

import pytest

from bot.sources.media import clean_name, suffix_of, title_of
from bot.sources.policy import SourcePolicy
from bot.sources.ytdlp_errors import error_for
from genrec.errors import ClipTooLarge, ClipTooLong, LinkRefused
from tests.bot.sources.hostile import wav

MP3_FRAME = b"\xff\xfb\x90\0" + bytes(413)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("ERROR: [youtube] x: Private video. Sign in if you've been granted access", "private"),
        ("[vimeo] Use --cookies or log in", "sign-in"),
        ("Sign in to confirm you're not a bot", "sign-in"),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", "removed"),
        ("Unable to download JSON metadata: HTTP Error 404: Not Found", "removed"),
        ("HTTP Error 429: Too Many Requests", "how often"),
        ("The uploader has not made this video available in your country", "country"),
        ("This video is DRM protected", "copy-protected"),
        ("Unable to download webpage: HTTP Error 403: Forbidden", "not allow genrec"),
        ("The read operation timed out", "does not respond"),
        ("This live event will begin in 3 hours", "live stream"),
        ("No suitable extractor (Generic) found for URL http://x/", "single tracks"),
        ("unable to write data: [Errno 27] File too large", "larger than 50 MB"),
        ("unable to write data: [Errno 28] No space left on device", "no disk space"),
        ("Requested format is not available", "no form"),
        ("KeyError('x'); please report this issue", "could not be read"),
        ("", "could not be read"),
    ],
)
def test_ytdlp_message_becomes_error(words, part):
    sentence = str(error_for("yt_dlp", words, SourcePolicy()))
    assert part in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("code", "kind", "limit"),
    [("too_long", ClipTooLong, "longer than 7 minutes"), ("too_large", ClipTooLarge, "than 3 MB")],
)
def test_error_code_for_exceeded_limit_names_the_limit(code, kind, limit):
    policy = SourcePolicy(max_seconds=420.0, max_bytes=3 << 20)
    error = error_for(code, "", policy)
    assert type(error) is kind
    assert limit in str(error)


def test_proxy_error_replaces_failed_connection():
    inside = LinkRefused("inside")
    assert error_for("yt_dlp", "Unable to connect to proxy", SourcePolicy(), inside) is inside
    assert "private" in str(error_for("yt_dlp", "This track is private", SourcePolicy(), inside))


@pytest.mark.parametrize(
    ("data", "suffix"),
    [
        (b"fLaC\0\0\0\x22", ".flac"),
        (b"OggS\0", ".ogg"),
        (wav()[:64], ".wav"),
        (b"FORM\0\0\0\0AIFC", ".aiff"),
        (b"\x1aE\xdf\xa3", ".webm"),
        (b"\0\0\0\x20ftypM4A ", ".m4a"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", ".m4a"),
        (MP3_FRAME * 2, ".mp3"),
        (bytes(2000) + MP3_FRAME * 2, ".mp3"),
        (MP3_FRAME[200:] + MP3_FRAME * 2, ".mp3"),
        (b"ID3\3\0\0\0\0\0\0APIC" + bytes(900) + MP3_FRAME * 2, ".mp3"),
        (b"\xff\xf1\x50\x80\x02\x9f\xfc" + bytes(13), ".aac"),
        (b"wvpk" + bytes(40), ".wv"),
        (b"\xff\xff\xff\xff", ""),
        (b"\xff\xe8\0\0", ""),
        (b"\xff\xd8\xff\xe0", ""),  # a JPEG
        (b"RIFF\0\0\0\0WEBP", ""),
        (b"G@\0\x10", ""),  # MPEG-TS
        (b"#EXTM3U\n", ""),
        (b"", ""),
    ],
)
def test_suffix_of_bytes(data, suffix):
    assert suffix_of(io.BytesIO(data)) == suffix


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("My_Song.mp3", "My Song"),
        ("../../etc/passwd", "passwd"),
        ("C:\\music\\a.b.flac", "a.b"),
        ("\u202e3pm.exe.mp3", "3pm.exe"),
        (".mp3", ""),
        ("a\tb\n\nc", "a b c"),
        ("x" * 900, "x" * 200),
    ],
)
def test_title_of_file_name(name, title):
    assert title_of(name) == title


def test_clean_name_of_other_types_is_empty():
    assert clean_name(None) == clean_name(["x"]) == clean_name("\0\u200b") == ""
