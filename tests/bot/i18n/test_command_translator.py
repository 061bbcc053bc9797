"""Localised command names and descriptions, checked against Discord's limits."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from unittest.mock import MagicMock

import discord
from discord import app_commands
from discord.ext import commands

import bot.cogs
from bot.i18n import ENGLISH, LANGUAGES, Translations
from bot.i18n.command_translator import CommandTranslator
from tests.bot.i18n.command_texts import differences

TRANSLATIONS = Translations.load()
OTHER_LANGUAGES = [code for code in LANGUAGES if code != ENGLISH]
ENGLISH_TEXTS = TRANSLATIONS.by_code[ENGLISH].texts


# A small command tree, so that these tests need no cogs.
@app_commands.command(name="help", description="How to use genrec")
async def help_(interaction: discord.Interaction) -> None:
    """Do nothing."""


library = app_commands.Group(name="library", description="This server's tracks")


@library.command(name="export", description="Download the list of this server's tracks")
@app_commands.describe(format="File format")
@app_commands.choices(format=[app_commands.Choice(name="table (CSV)", value="csv")])
async def export(interaction: discord.Interaction, format: str) -> None:
    """Do nothing."""


async def nothing(interaction: discord.Interaction, message: discord.Message) -> None:
    """Do nothing."""


def tree(*commands) -> app_commands.CommandTree:
    """Return a command tree of these commands."""
    built = app_commands.CommandTree(discord.Client(intents=discord.Intents.none()))
    for command in commands:
        built.add_command(command)
    return built


async def test_translator_fills_every_localization():
    menu = app_commands.ContextMenu(name="What genre is this?", callback=nothing)
    built = tree(help_, library, menu)
    translator = CommandTranslator(TRANSLATIONS)
    help_data = await help_.get_translated_payload(built, translator)
    assert help_data["name_localizations"]["de"] == "hilfe"
    assert help_data["description_localizations"]["pt-BR"] == "Como usar o genrec"
    assert set(help_data["name_localizations"]) == {
        name for code in OTHER_LANGUAGES for name in TRANSLATIONS.by_code[code].locales
    }
    data = await library.get_translated_payload(built, translator)
    exported = data["options"][0]
    assert data["name_localizations"]["ja"] == "ライブラリ"
    assert exported["name_localizations"]["id"] == "ekspor"
    option = exported["options"][0]
    assert option["name_localizations"]["ja"] == "形式"
    assert option["description_localizations"]["fr"] == "Format du fichier"
    assert option["choices"][0]["name_localizations"]["es-419"] == "tabla (CSV)"
    menu_data = await menu.get_translated_payload(built, translator)
    assert menu_data["name_localizations"]["de"] == "Welches Genre ist das?"


def test_differences_lists_unknown_menu_and_changed_description():
    menu = app_commands.ContextMenu(name="What genre is this?", callback=nothing)
    assert differences(tree(help_, library, menu), TRANSLATIONS) == []

    @app_commands.command(name="about", description="Something else")
    async def about(interaction: discord.Interaction) -> None:
        """Do nothing."""

    odd = app_commands.ContextMenu(name="Odd", callback=nothing)
    found = differences(tree(about, odd), TRANSLATIONS)
    assert [line.split(":")[0] for line in found] == ["menus.(Odd)", "commands.about.description"]


async def real_tree() -> app_commands.CommandTree:
    """Return the bot's command tree; its cogs get mocks as dependencies."""
    client = commands.Bot("!", intents=discord.Intents(guilds=True))
    for module in iter_modules(bot.cogs.__path__, "bot.cogs."):
        for cog in vars(import_module(module.name)).values():
            if isinstance(cog, commands.CogMeta) and cog.__module__ == module.name:
                made = cog(**{name: MagicMock() for name in signature(cog).parameters})
                await client.add_cog(made)
                for menu in getattr(made, "menus", ()):
                    client.tree.add_command(menu)
    return client.tree


async def test_command_descriptions_equal_the_english_texts():
    assert differences(await real_tree(), TRANSLATIONS) == []


async def test_command_and_menu_texts_are_those_of_the_tree():
    built = await real_tree()
    used = {
        f"menus.{menu.name}" for menu in built.get_commands(type=discord.AppCommandType.message)
    }
    for command in built.walk_commands():
        key = "commands." + command.qualified_name.replace(" ", ".")
        used.add(key)
        if isinstance(command, app_commands.Command):
            used |= {f"{key}.options.{option.name}" for option in command.parameters}
    written = {key.rpartition(".")[0] for key in ENGLISH_TEXTS if key.startswith("commands.")}
    assert written == {key for key in used if key.startswith("commands.")}
    menus = [text for key, text in ENGLISH_TEXTS.items() if key.startswith("menus.")]
    assert {f"menus.{text}" for text in menus} == {key for key in used if key.startswith("menus.")}


async def test_registered_commands_have_localizations_within_discords_limits():
    built = await real_tree()
    translator = CommandTranslator(TRANSLATIONS)
    payloads = [await c.get_translated_payload(built, translator) for c in built.get_commands()]
    assert len(payloads) > 5
    for payload in payloads:
        for node in nested(payload):
            assert set(node.get("name_localizations") or {}) >= {"de", "ja", "id"}, node["name"]
            for name in (node["name"], *node["name_localizations"].values()):
                assert 1 <= len(name) <= (32 if "type" in node else 100)


def nested(node: dict):
    """Yield a command, its options and their choices."""
    yield node
    for child in (*node.get("options", ()), *node.get("choices", ())):
        yield from nested(child)
