"""Comparison of a command tree's English texts with ``en.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord
from discord import app_commands

from bot.i18n import ENGLISH, Translations
from bot.i18n.command_translator import command_key


def differences(tree: app_commands.CommandTree[Any], translations: Translations) -> list[str]:
    """Return one line for each text of a tree that ``en.toml`` lacks or words differently."""
    english = translations.by_code[ENGLISH].texts
    return [
        f"{key}: the code has {text!r}, en.toml has {english.get(key)!r}"
        for key, text in _texts(tree, english)
        if english.get(key) != text
    ]


def _texts(tree: app_commands.CommandTree[Any], english: Any) -> Iterator[tuple[str, str]]:
    menu_keys = {text: key for key, text in english.items() if key.startswith("menus.")}
    for kind in (discord.AppCommandType.message, discord.AppCommandType.user):
        for menu in tree.get_commands(type=kind):
            yield menu_keys.get(menu.name, f"menus.({menu.name})"), menu.name
    for command in tree.walk_commands():
        key = command_key(command)
        yield f"{key}.name", command.name
        yield f"{key}.description", command.description
        for option in command.parameters if isinstance(command, app_commands.Command) else ():
            yield f"{key}.options.{option.name}.name", str(option.display_name)
            yield f"{key}.options.{option.name}.description", str(option.description)
            for choice in option.choices:
                yield f"choices.{choice.value}", choice.name
