"""Mutated pages and replies about songs: a clean name or none, in time, and never an error."""

from __future__ import annotations

import random
import time
import unicodedata
from collections import Counter

from bot.sources.page_metadata import read_json, read_page
from bot.sources.song_metadata import PageSong, says_removed, song_of_json, song_of_page
from bot.sources.song_sites import SONG_SITES
from genrec.page_titles import MAX_READINGS
from genrec.song_match import match_song
from genrec.types import Track
from tests.attacks.conftest import Budget
from tests.attacks.mutate import mutated
from tests.bot.sources import song_pages as pages

PAGES = (pages.spotify_page(), pages.apple_page(), pages.tidal_page(), pages.bandcamp_page())
REPLIES = (pages.spotify_oembed(), pages.itunes(), pages.deezer(),
           pages.oembed("Some Band - A Song (Official Video)", "Label", "YouTube"))  # fmt: skip
PIECES = (
    b"<!--", b"</head>", b"<body>", b"</title>", b"<title>", b"<script type=application/ld+json>",
    b"\xe2\x80\xae", b"\x00", b"&#0;", b"&#x202e;", b"\\u202e", b'"', b"'", b"[", b"{", b"null",
    "「".encode(), " – ".encode(), b" by ", b"(((", b"1e400", b"@everyone", b"feat.",
)  # fmt: skip
TRACKS = [Track(n, title, artist, "rock", "") for n, (title, artist) in enumerate(
    (("A Song", "Some Band"), ("Some Band - A Song", ""), ("歌", "バンド")))]  # fmt: skip
MAX_S = 2.0


def attacked(rng: random.Random, body: bytes) -> bytes:
    """Return a body with random changes and some pieces that parsers stumble over."""
    made = bytearray(mutated(rng, body, rng.choice((*PAGES, *REPLIES)))[1])
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(made) + 1)
        made[at:at] = rng.choice(PIECES) * rng.choice((1, 1, 2, 3000))
    return bytes(made)


def check(song: PageSong | None) -> str:
    if song is None:
        return "none"
    for text in (song.title, song.author):
        assert len(text) <= 200
        assert not any(unicodedata.category(char)[0] == "C" for char in text)
    assert song.title
    assert len(song.names) <= MAX_READINGS
    match_song(song.names, TRACKS)
    return "song"


def test_mutated_pages_name_a_clean_song_or_none(budget: Budget, rng: random.Random) -> None:
    outcomes = Counter[str]()
    sites = list(SONG_SITES.values())
    for _ in budget.rounds():
        body, started = attacked(rng, rng.choice((*PAGES, *REPLIES))), time.process_time()
        site = rng.choice(sites)
        outcomes[check(song_of_page(read_page(body), site))] += 1
        value = read_json(body)
        outcomes[check(song_of_json(value, site))] += 1
        assert says_removed(value) in (True, False)
        assert time.process_time() - started < MAX_S
    print(f"{sum(outcomes.values())} bodies: {dict(outcomes)}")  # noqa: T201
