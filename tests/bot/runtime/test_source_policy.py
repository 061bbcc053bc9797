"""The source policy of the settings, and the error for each unusable setting."""

from __future__ import annotations

import datetime as dt
import logging
import re
from pathlib import Path

import pytest

from bot.cli import doctor
from bot.config import PREFIX, Settings, load_settings
from bot.errors import SettingsError
from bot.runtime import app
from bot.runtime.source_policy import old_ytdlp, source_policy, warn_of_old_ytdlp
from bot.sources import SITES
from bot.sources.sites import DEFAULT_SITES
from genrec.workers.sandbox import Measure
from tests.repository import ROOT

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _clean(monkeypatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def settings(monkeypatch, **given: object) -> Settings:
    """Load settings from environment variables."""
    for name, value in given.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", str(value))
    return load_settings(env_file=None)


def aged(folder: Path, days: int) -> Path:
    """Create a yt-dlp of that age in a folder."""
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)
    info = folder / "yt_dlp-0.dist-info"
    info.mkdir(parents=True)
    version = f"{day:%Y.%m.%d}"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: yt-dlp\nVersion: {version}\n")
    return folder


def test_default_policy_allows_every_site_but_youtube(monkeypatch) -> None:
    policy = source_policy(settings(monkeypatch))
    assert policy.sites == DEFAULT_SITES
    assert "youtube" not in policy.sites
    assert policy.schemes == {"https"}
    assert not policy.open_endpoints
    assert (policy.max_bytes, policy.max_disk_bytes) == (25 * MIB, 512 * MIB)


def test_policy_has_the_value_of_every_setting(monkeypatch, tmp_path: Path) -> None:
    deno, cookies = tmp_path / "deno", tmp_path / "cookies.txt"
    deno.touch()
    cookies.touch()
    given = settings(
        monkeypatch,
        sites="Bandcamp, vimeo",
        youtube="on",
        max_upload_mb=10,
        clip_disk_mb=100,
        link_share=0.5,
        min_rate_kb_s=20,
        max_clip_minutes=7,
        fetch_timeout_s=33,
        ytdlp_dir=tmp_path,
        ytdlp_plugins="on",
        js_runtime=deno,
        cookies_file=cookies,
        link_proxy="http://proxy.internal:3128",
    )
    policy = source_policy(given)
    assert policy.sites == {"bandcamp", "vimeo", "youtube"}
    assert (policy.max_bytes, policy.max_disk_bytes) == (10 * MIB, 100 * MIB)
    assert (policy.link_disk_bytes, policy.min_rate) == (50 * MIB, 20 * 1024)
    assert (policy.max_seconds, policy.download_s, policy.page_s) == (420, 33, 33)
    assert (policy.ytdlp_dir, policy.ytdlp_plugins) == (tmp_path, True)
    assert (policy.js_runtime, policy.cookies_file) == (deno, cookies)
    assert policy.upstream_proxy == "http://proxy.internal:3128"


@pytest.mark.parametrize(("youtube", "sites"), [("off", set()), ("on", {"youtube"})])
def test_sites_off_disables_pages(youtube: str, sites: set[str], monkeypatch) -> None:
    given = settings(monkeypatch, sites="off", youtube=youtube)
    assert source_policy(given).sites == sites


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("sites", "soundcloud,napster", "no napster; choose from archive, audiomack"),
        ("sites", "bandcamp,off", "no off"),
        ("sites", "bandcamp,youtube", "GENREC_YOUTUBE=on"),
        ("clip_disk_mb", "74", "is 74 and must be at least 75, three times GENREC_MAX_UPLOAD_MB"),
        ("clip_disk_mb", "-1", "expected more than 0"),
        ("ytdlp_dir", "nowhere/yt-dlp", "no folder nowhere/yt-dlp"),
        ("js_runtime", "nowhere/deno", "no file nowhere/deno"),
        ("cookies_file", "nowhere/cookies", "no file nowhere/cookies"),
        ("ytdlp_max_age_days", "soon", "a whole number"),
        ("link_proxy", "socks5://proxy:1080", "http://host:port"),
        ("link_proxy", "http://proxy", "is 'http://proxy' and must have the form http://host:port"),
        ("link_proxy", "http://me:secret@proxy:80", "http://host:port"),
    ],
)
def test_unusable_setting_raises_an_error_with_its_name(name, value, words, monkeypatch) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        source_policy(settings(monkeypatch, **{name: value}))
    assert f"{PREFIX}{name.upper()}" in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "secret" not in str(caught.value)


def test_old_ytdlp_warns_above_the_set_age_only(monkeypatch, tmp_path: Path) -> None:
    folder = aged(tmp_path, days=61)
    for days, warned in ((0, False), (90, False), (60, True)):
        given = settings(monkeypatch, ytdlp_dir=folder, ytdlp_max_age_days=days)
        sentence = old_ytdlp(given, source_policy(given))
        assert ("61 days old" in sentence) is warned
        assert bool(sentence) is warned


def test_run_logs_an_old_ytdlp_before_it_serves(monkeypatch, caplog, tmp_path: Path) -> None:
    async def serve(_: Settings) -> None:
        logging.getLogger("test").warning("the bot serves")

    monkeypatch.setattr(app, "serve", serve)
    monkeypatch.setattr(app, "set_up_logs", lambda **_: None)
    app.run(settings(monkeypatch, ytdlp_dir=aged(tmp_path, days=61), ytdlp_max_age_days=60))
    first, second = caplog.messages
    assert "61 days old" in first
    assert second == "the bot serves"
    caplog.clear()
    warn_of_old_ytdlp(settings(monkeypatch, ytdlp_max_age_days=0))
    assert not caplog.messages


def findings(
    monkeypatch, *, pages: tuple[Measure, ...] = (), **given: object
) -> dict[str, tuple[bool, bool, str]]:
    """Run every check that needs no model, with these measures of the page process."""

    async def measure(policy: object, *, private: object) -> tuple[Measure, ...]:
        return pages

    for check in ("_preset", "_database", "_answer"):
        monkeypatch.setattr(doctor, check, lambda _: "not looked at")
    monkeypatch.setattr(doctor, "_sandbox", lambda _: ())
    monkeypatch.setattr(doctor, "measure_page_sandbox", measure)
    read = settings(monkeypatch, **given)
    monkeypatch.setattr(doctor, "load_settings", lambda: read)
    found = doctor.examine()
    return {one.name: (one.ok, doctor.healthy(found), one.note) for one in found}


def test_doctor_lists_the_sites_and_the_age_of_ytdlp(monkeypatch, tmp_path: Path) -> None:
    folder = aged(tmp_path, days=61)
    found = findings(monkeypatch, sites="bandcamp", ytdlp_dir=folder)
    assert found["links"][0]
    assert "Bandcamp" in found["links"][2]
    fetched, looked_up = found["links"][2].split(" Songs without sound")
    assert "SoundCloud" not in fetched
    assert "SoundCloud" in looked_up
    ok, healthy, note = found["yt-dlp"]
    assert ok
    assert healthy
    assert re.fullmatch(r"20\d\d\.\d\d\.\d\d", note)
    ok, healthy, note = findings(monkeypatch, ytdlp_max_age_days=60)["yt-dlp"]
    assert not ok
    assert healthy  # it is a reason to update, not to stop
    assert "61 days old" in note


def test_doctor_names_each_measure_that_is_not_in_force_for_pages(monkeypatch) -> None:
    pages = (Measure("files", False, "this kernel has no Landlock"), Measure("limits", True))
    found = findings(monkeypatch, pages=pages)
    assert found["pages: files"] == (False, False, "this kernel has no Landlock")
    assert found["pages: limits"] == (True, False, "in force")
    allowed = findings(monkeypatch, pages=pages, without_sandbox="allow")
    assert allowed["pages: files"][:2] == (False, True)
    assert "pages: files" not in findings(monkeypatch, pages=pages, sites="off")


def test_doctor_reports_an_unusable_setting_of_links(monkeypatch) -> None:
    ok, healthy, note = findings(monkeypatch, sites="napster")["links"]
    assert not ok
    assert not healthy
    assert "GENREC_SITES" in note


def test_links_page_documents_every_site_and_setting() -> None:
    page = (ROOT / "docs" / "links.md").read_text(encoding="utf-8")
    for site in SITES.values():
        assert f"`{site.name}`" in page
        assert site.title.removeprefix("the ") in page
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", page))
    fields = {name.upper() for name in Settings.model_fields}
    assert named <= fields
    assert {
        "SITES", "YOUTUBE", "CLIP_DISK_MB", "YTDLP_DIR", "YTDLP_PLUGINS", "YTDLP_MAX_AGE_DAYS",
        "JS_RUNTIME", "COOKIES_FILE", "LINK_PROXY", "MAX_UPLOAD_MB", "MAX_CLIP_MINUTES",
        "FETCH_TIMEOUT_S", "LINK_SHARE", "MIN_RATE_KB_S", "LINK_LOOKUP",
    } <= named  # fmt: skip


@pytest.mark.parametrize(("given", "lookup"), [({}, True), ({"link_lookup": "off"}, False)])
def test_look_ups_are_on_unless_turned_off(given: dict, lookup: bool, monkeypatch) -> None:
    assert source_policy(settings(monkeypatch, **given)).lookup is lookup


def test_compose_file_has_disk_space_for_the_clips() -> None:
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    found = re.search(r"- /tmp:size=(\d+)m\b", compose)
    assert found is not None
    assert int(found[1]) >= Settings.model_fields["clip_disk_mb"].default + 100  # and other files


def test_wanted_seconds_are_twice_the_analysed_ones(monkeypatch) -> None:
    assert source_policy(settings(monkeypatch)).wanted_s == 120
    assert source_policy(settings(monkeypatch, analyzed_s=200)).wanted_s == 400
