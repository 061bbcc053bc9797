"""The commands' names, descriptions, options and choices in Discord's own menus, by language."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Place

from bot.i18n import ENGLISH, Translations

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu


class CommandTranslator(app_commands.Translator):
    """Gives discord.py the catalogues' texts when it registers the commands.

    ``await tree.set_translator(CommandTranslator(words))``, before ``tree.sync``. English is
    what the code says (``differences`` compares it with ``en.toml``), so it is not repeated.
    """

    def __init__(self, words: Translations) -> None:
        self._words = words
        self._menus = {
            str(text): key
            for key, text in words.catalogues[ENGLISH].texts.items()
            if key.startswith("menus.")
        }

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Return the text for one of Discord's locales; None where English will do."""
        catalogue = self._words.catalogue(locale)
        if catalogue.code == ENGLISH:
            return None
        text = catalogue.texts.get(self._key(string, context) or "")
        return text if isinstance(text, str) else None

    def _key(
        self, string: app_commands.locale_str, context: app_commands.TranslationContextTypes
    ) -> str | None:
        data: Any = context.data
        if isinstance(data, app_commands.ContextMenu):
            return self._menus.get(string.message)
        if context.location is Place.choice_name:
            return f"choices.{data.value}"
        if isinstance(data, app_commands.Parameter):
            return f"{_key(data.command)}.options.{data.name}.{_part(context.location)}"
        if isinstance(data, app_commands.Command | app_commands.Group):
            return f"{_key(data)}.{_part(context.location)}"
        return None


def differences(
    tree: app_commands.CommandTree[Any],
    words: Translations,
    *,
    guild: discord.abc.Snowflake | None = None,
) -> list[str]:
    """Return, a line each, where a tree's English differs from ``en.toml`` or is missing there."""
    english = words.catalogues[ENGLISH].texts
    return [
        f"{key}: the code says {said!r}, en.toml {english.get(key)!r}"
        for key, said in _english_of(tree, english, guild)
        if english.get(key) != said
    ]


def _english_of(
    tree: app_commands.CommandTree[Any], english: Any, guild: discord.abc.Snowflake | None
) -> Iterator[tuple[str, str]]:
    menus = {text: key for key, text in english.items() if key.startswith("menus.")}
    for kind in (discord.AppCommandType.message, discord.AppCommandType.user):
        for menu in tree.get_commands(guild=guild, type=kind):
            yield menus.get(menu.name, f"menus.({menu.name})"), menu.name
    for command in tree.walk_commands(guild=guild):
        key = _key(command)
        yield f"{key}.name", command.name
        yield f"{key}.description", command.description
        for option in command.parameters if isinstance(command, app_commands.Command) else ():
            yield f"{key}.options.{option.name}.name", str(option.display_name)
            yield f"{key}.options.{option.name}.description", str(option.description)
            for choice in option.choices:
                yield f"choices.{choice.value}", choice.name


def _key(command: AnyCommand) -> str:
    return "commands." + command.qualified_name.replace(" ", ".")


def _part(location: Place) -> str:
    return "name" if location.name.endswith("_name") else "description"
