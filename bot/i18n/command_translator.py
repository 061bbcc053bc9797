"""Localised names and descriptions of the commands, for discord.py's command tree."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.i18n import ENGLISH, Translations

AnyCommand = app_commands.Command[Any, ..., Any] | app_commands.Group


class CommandTranslator(app_commands.Translator):
    """Translate command, option and choice texts when discord.py registers the commands.

    Call ``await tree.set_translator(CommandTranslator(translations))`` before ``tree.sync``.
    English comes from the code, so it is not sent a second time; a test compares the code with
    ``en.toml``.
    """

    def __init__(self, translations: Translations) -> None:
        self._translations = translations
        self._menu_keys = {
            str(text): key
            for key, text in translations.by_code[ENGLISH].texts.items()
            if key.startswith("menus.")
        }

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """Return the text for one of Discord's locales, or None: then Discord shows English."""
        translation = self._translations.translation(locale)
        if translation.code == ENGLISH:
            return None
        text = translation.texts.get(self._key(string, context) or "")
        return text if isinstance(text, str) else None

    def _key(
        self, string: app_commands.locale_str, context: app_commands.TranslationContextTypes
    ) -> str | None:
        data: Any = context.data
        if isinstance(data, app_commands.ContextMenu):
            return self._menu_keys.get(string.message)
        if context.location is Location.choice_name:
            return f"choices.{data.value}"
        field = "name" if context.location.name.endswith("_name") else "description"
        if isinstance(data, app_commands.Parameter):
            return f"{command_key(data.command)}.options.{data.name}.{field}"
        if isinstance(data, app_commands.Command | app_commands.Group):
            return f"{command_key(data)}.{field}"
        return None


def command_key(command: AnyCommand) -> str:
    """Return the key prefix of a command's texts: "commands.library.add"."""
    return "commands." + command.qualified_name.replace(" ", ".")
