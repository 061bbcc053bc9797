"""What an operator sees of a running bot: its metrics, its log lines, and nothing private."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.local_discord import LocalDiscord, Person, buttons, visible_text
from bot.metric_definitions import METRICS
from bot.runtime.lifecycle import StopEvent
from genrec.errors import UnreadableAudio, WorkerCrashed
from genrec.workers import sandbox
from tests.bot.end_to_end.conftest import WAV, World, bot_on, clip, wait_response, wait_text

OF_A_FILE = {"genrec_database_bytes", "genrec_database_disk_free_bytes"}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(world: World) -> Samples:
    """Return all samples of the bot by name and labels."""
    families = text_string_to_metric_families(world.app.metrics.text().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def ready(world: World) -> None:
    """Wait until discord.py has all guilds: it waits two seconds for late ones."""
    async with asyncio.timeout(10):
        while not scrape(world)["genrec_ready", ()]:  # noqa: ASYNC110 - the client has no event
            await asyncio.sleep(0.05)


async def press_thumb(person: Person, message: dict[str, Any], verdict: str) -> None:
    ids = [button["custom_id"] for button in buttons(message)]
    (thumb,) = [id_ for id_ in ids if id_.startswith(f"thumb:{verdict}")]
    await (await person.press(message, thumb)).wait_edited()


async def conversation(world: World) -> None:
    """Ask, vote, and send a clip that cannot be analysed."""
    used = await world.you.slash("recommend", {"clip": clip()})
    await press_thumb(world.you, await wait_response(used), "up")
    world.pool.error = UnreadableAudio("That file holds no sound. Send a sound file.")
    broken = await world.you.slash("genre", {"clip": clip(data=WAV + b"other")})
    await broken.wait_edited()
    await world.settled()
    await ready(world)


async def test_running_bot_exports_each_metric_of_the_table_and_no_other(
    discord: LocalDiscord, tmp_path: Path, engine: str
) -> None:
    async with bot_on(discord, tmp_path, measure_sandbox=sandbox.report) as world:
        await conversation(world)
        text = world.app.metrics.text().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    ours = {name: family for name, family in families.items() if name.startswith("genrec_")}
    metrics = [m for m in METRICS if engine == "sqlite" or m.name not in OF_A_FILE]
    assert set(ours) == {m.name if m.kind != "counter" else m.family for m in metrics}
    for metric in metrics:
        family = ours[metric.family if metric.kind == "counter" else metric.name]
        # The text format has no type for texts: Prometheus' client writes a gauge.
        assert family.type == ("gauge" if metric.kind == "info" else metric.kind)
        assert family.documentation == metric.meaning
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample
    assert {"process_resident_memory_bytes", "process_start_time_seconds"} <= set(families)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")
async def test_promtool_has_no_remark_about_the_metrics(world: World) -> None:
    await conversation(world)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=world.app.metrics.text(), capture_output=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_names_follow_the_conventions_of_prometheus() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"genrec(_[a-z]+)+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert not re.search(r"_(ms|milliseconds|mb|kb|minutes|count|sum|bucket)\b", metric.name)
        assert metric.kind != "histogram" or metric.name.endswith("_seconds")
        assert metric.meaning[0].isupper() or metric.meaning[0] == "1"
        assert not metric.meaning.endswith(".")
        assert all(re.fullmatch(r"[a-z_]+", label) for label in metric.labels)
    assert len({metric.name for metric in METRICS}) == len(METRICS)


async def test_values_count_what_happened(
    discord: LocalDiscord, tmp_path: Path, engine: str
) -> None:
    async with bot_on(discord, tmp_path, songs=12) as world:
        await conversation(world)
        values = scrape(world)
    for name, labels, value in (
        ("genrec_ready", {}, 1),
        ("genrec_guilds", {}, 1),
        ("genrec_gateway_connections_total", {}, 1),
        ("genrec_requests_total", {"command": "recommend", "outcome": "answered"}, 1),
        ("genrec_requests_total", {"command": "genre", "outcome": UnreadableAudio.code}, 1),
        ("genrec_refusals_total", {"code": UnreadableAudio.code}, 1),
        ("genrec_answer_seconds_count", {"command": "recommend"}, 1),
        ("genrec_votes_total", {"verdict": "up"}, 1),
        ("genrec_index_tracks", {"scope": "starter"}, 12),
        ("genrec_index_tracks", {"scope": "library"}, 0),
        ("genrec_index_tracks", {"scope": "guilds"}, 0),
        ("genrec_network_runtime", {"runtime": "litert"}, 1),
        ("genrec_requests_running", {}, 0),
        ("genrec_database_writable", {}, 1),
    ):
        assert values[name, tuple(sorted(labels.items()))] == value, (name, labels)
    (build,) = [dict(labels) for name, labels in values if name == "genrec_build_info"]
    assert all(build.values())
    if engine == "postgres":  # neither a file nor a matrix in memory
        return
    assert values["genrec_database_bytes", ()] >= (tmp_path / "genrec.db").stat().st_size > 0
    assert values["genrec_database_disk_free_bytes", ()] > 0
    assert values["genrec_index_bytes", ()] > 0


async def test_request_declined_before_its_handler_is_counted_as_a_refusal(world: World) -> None:
    await wait_text(await world.you.slash("genre", {"clip": clip(), "link": "x"}), "not both")
    await wait_text(await world.you.slash("recommend", {"clip": clip(), "genre": "polka"}), "polka")
    values = scrape(world)
    assert values["genrec_refusals_total", (("code", "clip_and_link"),)] == 1
    assert values["genrec_refusals_total", (("code", "genre_unknown"),)] == 1
    assert not [name for name, _ in values if name == "genrec_requests_total"]


async def test_log_has_one_line_when_ready_and_one_at_the_stop(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with bot_on(discord, tmp_path, songs=12) as world:
        await conversation(world)
    lines = [record.getMessage() for record in caplog.records]
    name = re.escape(discord.state.bot.name)
    ready = rf"connected as {name}\S*, in 1 server, serving 12 tracks"
    assert len([line for line in lines if re.fullmatch(ready, line)]) == 1
    stopped = r"stopped: requested, answered 2 requests, 0 unanswered, ran 0 h 0 min"
    assert len([line for line in lines if re.fullmatch(stopped, line)]) == 1


PRIVATE = (
    "Quiet-Secret-Band", "a private text", "Hidden Title", "Veiled Artist", "sam-the-listener",
    "secret-path",
)  # fmt: skip


@pytest.mark.parametrize("form", ["answers", "failures"])
async def test_log_holds_no_names_texts_titles_or_files_of_users(
    discord: LocalDiscord, tmp_path: Path, caplog: pytest.LogCaptureFixture, form: str
) -> None:
    caplog.set_level(logging.INFO)
    sam = discord.person("sam-the-listener")
    async with bot_on(discord, tmp_path) as world:
        if form == "failures":
            world.pool.error = WorkerCrashed("The analysis failed. Send another clip.")
        name = "Quiet-Secret-Band.wav"
        used = await sam.slash("recommend", {"clip": clip(name)})
        answer = await used.wait_edited()
        await world.settled()
        await sam.say("a private text", uploads=[clip(name)])
        await sam.slash("genre", {"link": "https://example.org/secret-path/song.wav"})
        if form == "answers":
            await press_thumb(sam, answer, "down")
            added = await world.you.slash(
                "library add",
                {"clip": clip(name), "title": "Hidden Title", "artist": "Veiled Artist"},
            )
            await added.wait_edited()
        shown = await sam.slash("privacy delete", {})
        assert visible_text(await shown.wait_edited())
        await world.settled()
    log = "\n".join(record.getMessage() + str(record.exc_text or "") for record in caplog.records)
    assert "request finished: recommend" in log
    assert not [text for text in PRIVATE if text in log]
    assert str(sam.user.id) not in log
    assert discord.token not in log


def test_signal_is_the_reason_of_the_stop() -> None:
    stop = StopEvent()
    assert stop.reason == "requested"
    stop.set_by(signal.SIGTERM)
    assert stop.is_set()
    assert stop.reason == "SIGTERM"
