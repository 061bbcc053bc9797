"""/help, /about and /privacy."""

from __future__ import annotations

from bot.client.client import add_cogs
from bot.runtime.wiring import make_client, make_cogs
from tests.bot.end_to_end.conftest import World, clip, wait_response, wait_text
from tests.bot.i18n.command_texts import differences


async def test_help_lists_admin_commands_for_admins_only(world: World) -> None:
    assert "/reindex" in await wait_text(await world.you.slash("help"), "/recommend")
    sam = world.discord.person("sam")
    used = await sam.slash("help")
    assert "/reindex" not in await wait_text(used, "/recommend")
    assert used.ephemeral
    world.discord.assert_clean()


async def test_about_shows_model_and_tracks(world: World) -> None:
    text = await wait_text(await world.you.slash("about"), "fake")
    assert "12 tracks" in text
    assert "Ratings: none yet" in text
    await wait_text(await world.you.slash("about", channel="dm"), "fake")


async def test_privacy_delete_removes_the_vote_after_confirmation(world: World) -> None:
    assert "Nothing is stored" in await wait_text(
        await world.you.slash("privacy show"), "What genrec stores"
    )
    answer = await wait_response(await world.you.slash("recommend", {"clip": clip()}))
    thumb = next(
        c["custom_id"]
        for row in answer["components"][0]["components"]
        for c in row.get("components", ())
        if c.get("custom_id", "").startswith("thumb:up")
    )
    await wait_text(await world.you.press(answer, thumb), "You rated")
    assert "ratings**: one" in await wait_text(
        await world.you.slash("privacy show"), "What genrec stores"
    )
    used = await world.you.slash("privacy delete")
    page = await used.wait_edited()
    await world.you.press(page, "Cancel")
    await wait_text(used, "Nothing was deleted")
    used = await world.you.slash("privacy delete")
    page = await used.wait_edited()
    await world.you.press(page, "Delete my data")
    await wait_text(used, "deleted")
    assert "Nothing is stored" in await wait_text(
        await world.you.slash("privacy show"), "What genrec stores"
    )
    world.discord.assert_clean()


async def test_metrics_have_the_counters_of_the_pool(world: World) -> None:
    stats = world.pool.stats
    stats.failed_starts, stats.crashed, stats.timeouts, stats.recycled = 1, 2, 3, 4
    text = world.app.metrics.text().decode()
    for line in (
        "genrec_worker_failed_starts_total 1.0",
        'genrec_clips_total{result="crashed"} 2.0',
        'genrec_clips_total{result="timed_out"} 3.0',
        "genrec_worker_recycles_total 4.0",
    ):
        assert line in text


async def test_command_descriptions_equal_the_english_texts(world: World) -> None:
    app = world.app
    client = make_client(app, message_content=True)
    await add_cogs(client, make_cogs(app, client), dedup=app.dedup, errors=app.errors)
    assert differences(client.tree, world.app.translations) == []


async def test_commands_are_registered_with_translations(world: World) -> None:
    registered = {c["name"]: c for c in world.discord.commands.all(None)}
    recommend = registered["recommend"]
    assert recommend["description_localizations"]["de"]
    assert recommend["integration_types"] == [0, 1]
    assert set(recommend["contexts"]) == {0, 1, 2}
    assert registered["reindex"]["contexts"] == [0]
