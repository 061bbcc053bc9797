"""``genrec doctor``: check preset, database, workers, machine, cluster, Discord and sandbox."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from bot.cli.doctor_discord import discord_findings
from bot.cli.doctor_machine import machine_findings
from bot.cli.findings import Finding, check, skip
from bot.config import Settings, load_settings, renamed_settings, unknown_settings
from bot.demo.clip_audio import clip_file
from bot.errors import SettingsError
from bot.locations import find_preset
from bot.runtime.indexing_cluster import cluster_of
from bot.runtime.resources import open_catalogue, outdated_sentence
from bot.runtime.sandbox_check import sandbox_gap
from bot.runtime.source_policy import source_policy
from bot.sharding import shard_states, spans
from bot.sources.page import measure_page_sandbox
from bot.sources.policy import accepted_sources
from bot.sources.song_sites import SONG_SITES
from bot.sources.ytdlp_version import NO_YTDLP, stale_ytdlp, ytdlp_version
from bot.starter_policy import StarterPolicy, policy_sentence
from db.choose_neighbours import choose_neighbours
from db.database_health import server_facts
from db.tracks import Catalogue, outdated_tracks
from genrec.errors import GenrecError
from genrec.preset import Preset
from genrec.workers import sandbox
from genrec.workers.pool import AnalysisPool

_COLOURS = {"ok": "green", "no": "yellow", "BAD": "red", "skip": "bright_black"}
_OLD_YTDLP_DAYS = 90


def examine(preset: Path | None = None) -> list[Finding]:
    """Run every check and return its findings, in the order of the checks."""
    settings = load_settings()
    if preset is not None:
        settings = settings.model_copy(update={"preset": preset})
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("python", lambda _: f"{platform.python_version()} on {platform.platform()}"),
        ("preset", _preset),
        ("database", _database),
        ("answer", _answer),
        ("links", _links),
    )
    findings = [check(name, partial(sentence, settings)) for name, sentence in checks]
    return [
        *findings,
        *_outdated(settings),
        *_starter(settings),
        *machine_findings(settings),
        *_shards(settings),
        _cluster(settings),
        *discord_findings(settings),
        *_renamed(settings),
        *_ytdlp(settings),
        *_sandbox(settings),
        *_page_sandbox(settings),
    ]


def _links(settings: Settings) -> str:
    policy = source_policy(settings)
    names = ", ".join(site.title for site in SONG_SITES.values())
    looked_up = f" Songs without sound are looked up by name: {names}." if policy.lookup else ""
    return accepted_sources(policy) + looked_up


def healthy(findings: list[Finding]) -> bool:
    """Return True if every vital check passed."""
    return all(finding.ok for finding in findings if finding.vital)


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """Return the findings as the JSON object of docs/cli.md."""
    return {"healthy": healthy(findings), "findings": [asdict(finding) for finding in findings]}


def show(findings: list[Finding]) -> None:
    """Print one line for each finding; checks that are skipped for one reason share a line."""
    console = Console(highlight=False)
    for _, group in groupby(findings, lambda one: (one.skipped and one.note) or one.name):
        first, *others = group
        mark = f"[{_COLOURS[first.mark]}]{first.mark:<4}[/]"
        names = ", ".join(one.name for one in (first, *others))
        console.print(f"{mark} {names:<16} {escape(first.note)}", soft_wrap=True)


def _preset(settings: Settings) -> str:
    preset = Preset.load(find_preset(settings.preset))
    accuracy = preset.metrics().get("accuracy")
    measured = f", measured accuracy {accuracy:.3f}" if accuracy is not None else ""
    return f"{preset.model_id}, {preset.dimension} dimensions{measured}"


def _database(settings: Settings) -> str:
    async def count() -> str:
        async with open_catalogue(settings) as (preset, db):
            tracks = await Catalogue(db).count(preset.model_id)
            facts = await server_facts(db)
            return f"{settings.database} holds {tracks} tracks{facts and f'; {facts}'}"

    return asyncio.run(count())


def _outdated(settings: Settings) -> Iterator[Finding]:
    """Report tracks that only another model has analysed."""

    async def sentence() -> str:
        async with open_catalogue(settings) as (preset, db):
            return outdated_sentence(await outdated_tracks(db, preset.model_id))

    try:
        if note := asyncio.run(sentence()):
            yield Finding("library", ok=False, note=note, vital=False)
    except GenrecError:  # the checks of preset and database report it
        return


def _starter(settings: Settings) -> Iterator[Finding]:
    """Report the policy of the starter catalogue, and what it does now."""

    async def sentence() -> str:
        async with open_catalogue(settings) as (preset, db):
            index = await choose_neighbours(db, preset.model_id)
            policy = StarterPolicy(index=index, db=db, policy=settings.starter)
            return policy_sentence(await policy.choose(None))

    try:
        yield Finding("starter", ok=True, note=asyncio.run(sentence()), vital=False)
    except GenrecError:  # the checks of preset and database report it
        return


def _shards(settings: Settings) -> Iterator[Finding]:
    """Report which shards running bots hold, where several share a database."""

    async def state() -> Finding | None:
        async with open_catalogue(settings) as (_, db):
            if db.engine == "sqlite":
                return None
            total, held = await shard_states(db)
        if not held:
            return skip("shards", "no bot runs with this database")
        free = sorted(set(range(total)) - set(held))
        note = f"served: shard {spans(held)} ({len(held)} of {total})"
        if free:
            note += f"; nobody serves shard {spans(free)}: start another bot process, or raise"
            note += " GENREC_SHARDS_HERE"
        other = settings.shards not in (0, total)
        if other:
            note += f"; GENREC_SHARDS={settings.shards} here, so a bot with it does not start"
        return Finding("shards", ok=not free and not other, note=note, vital=False)

    try:
        if finding := asyncio.run(state()):
            yield finding
    except GenrecError:  # the checks of preset and database report it
        return


def _cluster(settings: Settings) -> Finding:
    """Connect to the cluster of indexing runs, and count what its workers do at once."""
    if not settings.cluster:
        return skip("cluster", "GENREC_CLUSTER is not set")

    async def sentence() -> str:
        async with cluster_of(settings)() as cluster:
            threads = 0 if cluster is None else cluster.threads
        return f"the workers at {settings.cluster} analyse {threads} files at once"

    return check("cluster", lambda: asyncio.run(sentence()), vital=False)


def _answer(settings: Settings) -> str:
    async def analyze(path: Path) -> str:
        preset = find_preset(settings.preset)
        async with AnalysisPool(
            preset, workers=1, max_analyzed_s=settings.analyzed_s, runtime=settings.runtime
        ) as pool:
            analysis = await pool.analyze(path)
            runtime = pool.runtime
        took = ", ".join(f"{name} {ms:.0f} ms" for name, ms in analysis.timings_ms.items())
        genre = analysis.scores[0].label
        return f"a worker classified the demo clip as {genre} with {runtime} ({took})"

    with clip_file() as path:
        return asyncio.run(analyze(path))


def _renamed(settings: Settings) -> Iterator[Finding]:
    """Report each setting that has its old name, and each variable that is no setting."""
    for warning in (*renamed_settings(settings), *unknown_settings()):
        yield Finding("setting", ok=False, note=warning, vital=False)


def _ytdlp(settings: Settings) -> Iterator[Finding]:
    """Check yt-dlp; only links to pages of sites need it."""
    try:
        policy = source_policy(settings)
    except SettingsError:  # the links check reports it
        return
    version, limit = ytdlp_version(policy), settings.ytdlp_max_age_days or _OLD_YTDLP_DAYS
    wrong = stale_ytdlp(policy, max_age_days=limit) if policy.enabled_sites else ""
    wrong = wrong or ("" if version else NO_YTDLP)
    yield Finding("yt-dlp", ok=not wrong, note=wrong or version, vital=False)


def _sandbox(settings: Settings) -> Iterator[Finding]:
    """Check each measure of the sandbox; a vital one may lack if the operator allows that."""
    measures, strict = sandbox.report(), settings.without_sandbox != "allow"
    for measure in measures:
        yield _measure(measure.name, measure, vital=strict and measure.vital)
    gap = sandbox_gap(settings, measures)
    yield Finding("sandbox", not gap, gap or "all vital measures are in force", vital=strict)


def _page_sandbox(settings: Settings) -> Iterator[Finding]:
    """Check the sandbox of the process that reads web pages, if links to pages are on."""
    try:
        policy = source_policy(settings)
    except SettingsError:  # the links check reports it
        return
    if policy.enabled_sites:
        files = (Path(".env"), settings.database_file)
        private = tuple(file for file in files if file is not None)
        strict = settings.without_sandbox != "allow"
        for measure in asyncio.run(measure_page_sandbox(policy, private=private)):
            yield _measure(f"pages: {measure.name}", measure, vital=strict and measure.vital)


def _measure(name: str, measure: sandbox.Measure, *, vital: bool) -> Finding:
    note = measure.note or ("in force" if measure.in_force else "not in force")
    return Finding(name, measure.in_force, note, vital=vital)
