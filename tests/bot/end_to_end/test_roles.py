"""The role that may use the bot: menu and option take roles only."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from bot.local_discord import NotOffered, visible_text
from tests.bot.end_to_end.conftest import World, clip, wait_response, wait_text


async def test_role_of_the_panels_menu_limits_the_users_until_it_is_removed(world: World) -> None:
    sam, ana = world.discord.person("sam"), world.discord.person("ana")
    members = world.discord.edit.role("music *fans*")
    world.discord.edit.give(ana.user, members)
    used = await world.you.slash("settings show")
    panel = await used.wait_edited()
    await world.you.select(panel, "settings:roles", [members.id])
    panel = await used.wait_until(lambda m: "fans" in visible_text(m))
    assert r"**music \*fans\***" in visible_text(panel)
    refused = await sam.slash("recommend", {"clip": clip()})
    assert await wait_text(refused, "Only some roles")
    await wait_response(await ana.slash("recommend", {"clip": clip()}))
    await world.you.select(panel, "settings:roles", [])
    await used.wait_until(lambda m: "can use genrec: everyone" in visible_text(m))
    await wait_response(await sam.slash("recommend", {"clip": clip()}))
    world.discord.assert_clean()


async def test_menu_and_option_take_no_channel_and_no_unknown_id(world: World) -> None:
    panel = await (await world.you.slash("settings show")).wait_edited()
    for other in (world.discord.channel("music").id, "42"):
        with pytest.raises(NotOffered, match="none of the roles"):
            await world.you.select(panel, "settings:roles", [other])
        with pytest.raises(NotOffered, match="none of the roles"):
            await world.you.slash("settings access", {"role": other})


async def test_id_that_a_modified_client_sends_is_no_role(world: World) -> None:
    panel = await (await world.you.slash("settings show")).wait_edited()
    guild_id = int(world.discord.guild.id)
    found = world.you._find(panel["id"])
    component = {"type": 6, "custom_id": "settings:roles", "id": 1}
    for values in (["42"], ["x"], [world.discord.channel("music").id]):
        used = world.you._use(found, component, {"values": values})
        await used.wait_ack()
        assert (await world.app.guilds.settings(guild_id)).allowed_role is None


async def test_access_option_sets_a_role_and_everyone_removes_it(world: World) -> None:
    guild = world.discord.guild
    role = world.discord.edit.role("listeners")
    for chosen, stored in ((role.id, int(role.id)), (guild.id, None)):
        await (await world.you.slash("settings access", {"role": chosen})).wait_edited()
        assert (await world.app.guilds.settings(int(guild.id))).allowed_role == stored
    world.discord.assert_clean()


async def test_deleted_role_is_told_in_the_settings(world: World) -> None:
    role = world.discord.edit.role("listeners")
    await (await world.you.slash("settings access", {"role": role.id})).wait_edited()
    world.discord.edit.delete_role(role)
    text = visible_text(await (await world.you.slash("settings show")).wait_edited())
    assert "no longer exists" in text
    assert role.id not in text


@pytest.mark.browser
async def test_role_menu_of_the_page_offers_roles_only_and_none(
    world: World, chromium: Path
) -> None:
    world.discord.edit.role("listeners")
    world.discord.state.add_user("nobody")
    panel = await (await world.you.slash("settings show")).wait_edited()
    guild_id = int(world.discord.guild.id)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium))
        page = await browser.new_page()
        await page.goto(world.discord.page_url)
        menu = page.get_by_label("Role that can use genrec")
        offered = await menu.locator("option").all_text_contents()
        assert "listeners" in offered
        assert "@everyone" in offered
        assert not {"music", "nobody"} & set(offered)
        await menu.select_option(label="listeners")
        await expect(page.locator(".message").last).to_contain_text("genrec: listeners")
        assert (await world.app.guilds.settings(guild_id)).allowed_role is not None
        await menu.select_option(value="")
        await expect(page.locator(".message").last).to_contain_text("genrec: everyone")
        await browser.close()
    assert (await world.app.guilds.settings(guild_id)).allowed_role is None
    assert panel["flags"]
