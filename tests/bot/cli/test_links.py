"""Links on the command line: ``genrec recommend URL`` and ``genrec genre URL``."""

from __future__ import annotations

import asyncio
import functools
import html
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot import sources
from bot.cli import ask
from bot.cli import main as command_line
from bot.config import PREFIX, Settings
from bot.runtime import source_policy
from tests.bot.end_to_end.fakes import FakePool, make_preset, opener
from tests.bot.sources import song_pages
from tests.bot.sources.hostile import wav
from tests.repository import ROOT

REFUSED = (
    ("https://127.0.0.1/x.wav", "link_refused", "not an IP address"),
    ("https://localhost/x.wav", "link_refused", "name a site"),
    ("https://[::1]/x.wav", "link_refused", "not an IP address"),
    ("https://0x7f.1/x.wav", "link_refused", "not an IP address"),
    ("https://169.254.169.254/latest/meta-data/", "link_refused", "not an IP address"),
    ("http://169.254.169.254/latest/meta-data/", "link_refused", "starts with http:"),
    ("https://me:secret@music.test/x.wav", "link_refused", "password"),
    ("file:///etc/passwd", "link_refused", "starts with file:"),
    ("ftp://music.test/x.wav", "link_refused", "starts with ftp:"),
    ("https://www.youtube.com/watch?v=x", "unsupported_source", "switched off"),
)


@pytest.fixture(autouse=True)
def _at_home(monkeypatch, tmp_path: Path) -> None:
    """Set a preset without a network file, an empty database, and no other settings."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)
    make_preset(tmp_path / "preset", songs=12)
    monkeypatch.setenv("GENREC_PRESET", str(tmp_path / "preset"))
    monkeypatch.setenv("GENREC_DATABASE", str(tmp_path / "genrec.db"))
    monkeypatch.setenv("GENREC_LINK_LOOKUP", "off")  # no test asks a site
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pool(monkeypatch) -> FakePool:
    """Replace the pool by one without processes."""
    pool = FakePool()
    opened = functools.partial(ask.open_recommender, open_pool=opener(pool))
    monkeypatch.setattr(ask, "open_recommender", opened)
    return pool


@pytest.fixture
def opened(monkeypatch, policy, dns) -> None:
    """Allow the test's own server in the policy, and use the fake DNS."""
    monkeypatch.setattr(source_policy, "source_policy", lambda _: policy)
    fetch = functools.partial(sources.fetch_or_look_up, resolve=dns)
    monkeypatch.setattr(sources, "fetch_or_look_up", fetch)


@pytest.fixture
def genrec(monkeypatch, capsys):
    """Return a function that runs the command and returns exit code, stdout and stderr."""

    async def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["genrec", *words])
        with pytest.raises(SystemExit) as left:
            await asyncio.to_thread(command_line.main)
        written = capsys.readouterr()
        return int(left.value.code or 0), written.out, written.err

    return run


def failure(printed: str) -> tuple[str, str]:
    """Return code and message of the single JSON object that was printed."""
    found = json.loads(printed)
    assert found.keys() == {"error"}
    assert found["error"].keys() == {"code", "message"}
    return found["error"]["code"], found["error"]["message"]


def check_sentence(sentence: str, words: str) -> None:
    assert words in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize("command", ["recommend", "genre"])
@pytest.mark.parametrize(("link", "code", "words"), REFUSED)
async def test_refused_link_exits_3_with_message(command, link, code, words, genrec, pool) -> None:
    left, out, err = await genrec(command, link, "--json")
    assert left == 3
    assert failure(out) == (code, err.rstrip("\n"))
    check_sentence(err.rstrip("\n"), words)
    left, out, err = await genrec(command, link)
    assert (left, out) == (3, "")
    check_sentence(err.rstrip("\n"), words)
    assert pool.analyzed == []


@pytest.mark.parametrize(
    ("command", "link"),
    [("recommend", "https://169.254.169.254/x.wav"), ("genre", "file:///etc/passwd")],
)
def test_refused_link_opens_no_database(command, link, tmp_path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GENREC_PRESET": str(tmp_path / "none")}
    done = subprocess.run(
        [sys.executable, "-m", "bot", command, link, "--json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 3
    code, message = failure(done.stdout)
    assert code == "link_refused"
    assert done.stderr == message + "\n"
    assert not (tmp_path / "genrec.db").exists()


@pytest.mark.usefixtures("opened")
async def test_link_to_private_address_exits_3(origin, genrec, pool) -> None:
    origin.redirect("/away", "http://inside.test/secret")
    for link in ("http://inside.test/x.wav", "http://music.test/away"):
        left, out, _ = await genrec("recommend", link, "--json")
        assert left == 3
        code, message = failure(out)
        assert code == "link_refused"
        check_sentence(message, "private network")
    assert pool.analyzed == []


@pytest.mark.usefixtures("opened")
async def test_page_of_unsupported_site_exits_3(origin, genrec, pool) -> None:
    origin.serve("/page", b"<!doctype html><html><title>A blog</title>", "Content-Type: text/html")
    left, out, _ = await genrec("genre", "http://music.test/page", "--json")
    assert left == 3
    code, message = failure(out)
    assert code == "unsupported_source"
    check_sentence(message, "page that genrec cannot read")
    assert pool.analyzed == []


@pytest.mark.usefixtures("opened")
async def test_link_to_sound_file_is_recommended_and_cached(origin, genrec, pool, root) -> None:
    origin.serve("/Some_Song.wav", wav())
    left, out, err = await genrec("recommend", "http://music.test/Some_Song.wav", "--json")
    assert (left, err) == (0, "")
    answer = json.loads(out)
    assert (answer["genre"], len(answer["tracks"])) == ("jazz", 5)
    left, out, _ = await genrec("genre", "http://music.test/Some_Song.wav")
    assert left == 0
    assert out.startswith("jazz\n")
    # The second fetch finds the analysis in the cache, by the hash of the bytes.
    assert origin.hits["/Some_Song.wav"] == 2
    (path,) = pool.analyzed
    assert path.is_relative_to(root)
    assert not path.exists()


@pytest.mark.usefixtures("opened", "pool")
async def test_page_of_a_catalogue_song_excludes_that_song(origin, dns, genrec) -> None:
    """A song is never recommended for itself; here only its page gives title and artist."""
    for host in ("someone.bandcamp.com", "t4.bcbits.com"):
        dns.set(host, [("127.0.0.1", origin.port)])
    info = {"title": "Song 3 (live)", "track_id": 7, "file": {"mp3-128": "http://t4.bcbits.com/s"}}
    data = {
        "id": 7,
        "artist": "Artist 3",
        "trackinfo": [info],
        "current": {"title": "Song 3 (live)"},
    }
    page = (
        f'<script data-tralbum="{html.escape(json.dumps(data))}"'
        f' data-embed="{html.escape(json.dumps({"artist": "Artist 3"}))}"></script>'
    )
    origin.serve("/track/song", page.encode())
    origin.serve("/s", b"ID3\4\0\0" + bytes(5000), "Content-Type: audio/mpeg")
    origin.serve("/nameless.wav", wav())
    titles = []
    for link in ("http://music.test/nameless.wav", "http://someone.bandcamp.com/track/song"):
        left, out, _ = await genrec("recommend", link, "-n", "12", "--json")
        assert left == 0
        titles.append({track["title"] for track in json.loads(out)["tracks"]})
    everything, others = titles
    assert everything - others == {"Song 3"}
    assert len(others) == 11


# Songs by name


@pytest.fixture
async def songs(monkeypatch, policy, dns, tmp_path):
    """Look songs up on servers on loopback."""
    async with song_pages.song_servers(policy, dns, tmp_path) as (origin, trusting):
        monkeypatch.setattr(source_policy, "source_policy", lambda _: trusting)
        fetch = functools.partial(sources.fetch_or_look_up, resolve=dns)
        monkeypatch.setattr(sources, "fetch_or_look_up", fetch)
        yield origin


@pytest.mark.parametrize(
    "link", [song_pages.SPOTIFY, song_pages.TIDAL, "spotify:track:0123456789abcdefABCDEF"]
)
async def test_song_is_found_by_its_name(link, songs, genrec, pool) -> None:
    song_pages.serve_all(songs, "Song 3 (Remastered)", "The Artist 3")
    left, out, _ = await genrec("recommend", link, "--json")
    assert left == 0
    answer = json.loads(out)
    assert answer["known"]["title"] == "Song 3"
    assert len(answer["tracks"]) == 5
    assert "Song 3" not in {track["title"] for track in answer["tracks"]}
    assert "gives genrec no sound" in answer["note"]
    left, out, _ = await genrec("genre", link)
    assert left == 0
    assert out.startswith("blues\n")
    assert pool.analyzed == []


@pytest.mark.usefixtures("pool")
async def test_song_that_is_not_sure_exits_3(songs, genrec) -> None:
    for title, words in (
        ("Song 3 (Live)", 'Similar names: "Artist 3 - Song 3"'),
        ("X", "not have"),
    ):
        song_pages.serve_all(songs, title, "Artist 3")
        left, out, _ = await genrec("recommend", song_pages.DEEZER, "--json")
        assert left == 3
        code, message = failure(out)
        assert code == "link_refused"
        check_sentence(message, words)


@pytest.mark.usefixtures("pool", "songs")
async def test_link_without_a_song_exits_3(genrec) -> None:
    for link, words in (
        ("https://open.spotify.com/playlist/1", "leads to a playlist"),
        (song_pages.TIDAL, "Tidal doesn't have that song"),
    ):
        left, out, _ = await genrec("recommend", link, "--json")
        assert left == 3
        check_sentence(failure(out)[1], words)
