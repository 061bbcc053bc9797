"""/library duplicates, and the sentence about a clip whose recording is in the catalogue."""

from __future__ import annotations

from bot.local_discord import visible_text
from db.generations import NewTrack
from db.quality import FileQuality
from tests.bot.end_to_end.conftest import WAV, World, clip, wait_response, wait_text
from tests.bot.end_to_end.fakes import unit

MANAGE_SERVER = 1 << 5 | 0x80000C00  # and the use of commands in channels


async def add_copies(
    world: World, scope: str, names: dict[str, FileQuality], seed: int = 1
) -> None:
    """Add tracks of one recording to a scope."""
    recommender = world.app.resources.recommender
    analysis = await world.pool.analyze(recommender.preset.folder / "model.tflite")
    tracks = [
        NewTrack(
            title=name,
            artist="Band",
            genre="jazz",
            embedding=unit(seed),
            fingerprint=analysis.fingerprint,
            source=f"/secret/{name}.flac",
            content=f"{scope}{name}",
            quality=quality,
        )
        for name, quality in names.items()
    ]
    await recommender.catalogue.add(scope, recommender.preset.model_id, tracks)


async def test_clip_of_an_added_track_is_named_in_the_answer(world: World) -> None:
    wanted = {"clip": clip(), "title": "Ours", "artist": "Us"}
    await wait_text(await world.you.slash("library add", wanted), "Added")
    shown = visible_text(await wait_response(await world.you.slash("recommend", {"clip": clip()})))
    assert "I know this one: **Us, [Ours](https://" in shown
    other = await world.you.slash("recommend", {"clip": clip(data=WAV + b"other")})
    assert "I know this one" not in visible_text(await wait_response(other))
    world.discord.assert_clean()


async def test_duplicates_lists_the_best_copy_first_without_paths(world: World) -> None:
    assert await wait_text(await world.you.slash("library duplicates"), "only once")
    names = {"Low": FileQuality(False, 64_000), "High": FileQuality(True, 900_000)}
    await add_copies(world, f"guild:{world.discord.guild.id}", names)
    shown = await wait_text(await world.you.slash("library duplicates"), "One recording")
    assert shown.index("High") < shown.index("Low")
    assert "lossless, 900 kbit/s" in shown
    assert "/secret" not in shown
    world.discord.assert_clean()


async def test_many_duplicates_come_with_a_file(world: World) -> None:
    names = {f"Copy {n}": FileQuality(False, 1000 * n) for n in range(1, 8)}
    await add_copies(world, f"guild:{world.discord.guild.id}", names)
    used = await world.you.slash("library duplicates")
    sent = await used.wait_until(lambda m: m["attachments"])
    assert "3 more" in visible_text(sent)
    table = world.discord.cdn.read(sent["attachments"][0]["url"]).decode("utf-8-sig")
    assert len(table.splitlines()) == 8
    assert "/secret" not in table
    world.discord.assert_clean()


async def test_duplicates_of_the_operators_music_are_for_the_operator(world: World) -> None:
    names = {"Low": FileQuality(False, 64_000), "High": FileQuality(True, 900_000)}
    await add_copies(world, "library", names)
    ana = world.discord.person("ana", permissions=MANAGE_SERVER)
    refused = await ana.slash("library duplicates", {"scope": "library"})
    assert await wait_text(refused, "Only the bot's operator")
    assert await wait_text(await ana.slash("library duplicates"), "only once")
    shown = await wait_text(
        await world.you.slash("library duplicates", {"scope": "library"}), "One recording"
    )
    assert shown.index("High") < shown.index("Low")
