"""Permissions that answers need, by the kind of channel."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, create_autospec

import discord
import pytest

from bot.client.channel_permissions import (
    MissingPermissions,
    PostingRefused,
    is_outside,
    is_refused,
    lacks_permission,
    may_post_in,
    missing_in,
)
from bot.i18n import ENGLISH, Translations
from tests.repository import ROOT

COMPLETE = {"read_message_history", "attach_files", "embed_links"}
TEXT = {"view_channel", "send_messages", "send_messages_in_threads"} | COMPLETE
THREAD = {"view_channel", "send_messages_in_threads"} | COMPLETE
VOICE = {"view_channel", "connect", "send_messages"} | COMPLETE


def guild(permissions: set[str], **me: Any) -> Any:
    """Return a guild whose members have these permissions and no others."""
    granted = discord.Permissions(**dict.fromkeys(permissions, True))
    default_role = SimpleNamespace(permissions=granted)
    member = SimpleNamespace(**{"id": 1, "_roles": [], "is_timed_out": lambda: False} | me)
    return SimpleNamespace(
        owner_id=0, default_role=default_role, me=member, get_role=lambda _: None
    )


def place(kind: type, where: Any) -> Any:
    """Return a channel of a guild without overwrites, or a thread in such a channel."""
    made = create_autospec(kind, instance=True)
    if kind is discord.Thread:
        made.parent = place(discord.TextChannel, where)
    made.guild, made._overwrites = where, []
    return made


@pytest.mark.parametrize(
    ("kind", "needed", "post"),
    [
        (discord.TextChannel, TEXT, {"view_channel", "send_messages"}),
        (discord.Thread, THREAD, {"view_channel", "send_messages_in_threads"}),
        (discord.ForumChannel, THREAD, {"view_channel", "send_messages_in_threads"}),
        (discord.VoiceChannel, VOICE, {"view_channel", "connect", "send_messages"}),
        (discord.StageChannel, VOICE, {"view_channel", "connect", "send_messages"}),
    ],
)
def test_each_missing_permission_is_found_alone(
    kind: type, needed: set[str], post: set[str]
) -> None:
    for name in needed:
        where = guild(needed - {name})
        expected = (
            MissingPermissions(post=(name,)) if name in post else MissingPermissions((), (name,))
        )
        assert missing_in(place(kind, where), where) == expected
        assert may_post_in(place(kind, where), where) is (name not in post)
    where = guild(needed)
    assert not missing_in(place(kind, where), where)


def test_timed_out_bot_lacks_what_discord_withholds() -> None:
    where = guild(TEXT, is_timed_out=lambda: True)
    missing = missing_in(place(discord.TextChannel, where), where)
    assert missing.post == ("send_messages",)
    assert "read_message_history" not in missing.part


def test_direct_message_and_unknown_parent_lack_nothing() -> None:
    where = guild(set())
    assert not missing_in(place(discord.TextChannel, where), None)
    assert not missing_in(create_autospec(discord.DMChannel, instance=True), where)
    thread = place(discord.Thread, where)
    thread.parent = None
    assert not missing_in(thread, where)


@pytest.mark.parametrize(
    ("private", "member", "manages", "outside"),
    [
        (True, None, False, True),
        (True, "member", False, False),
        (True, None, True, False),
        (False, None, False, False),
    ],
)
def test_private_thread_needs_the_bot_as_a_member_or_manager(
    private: bool, member: object, manages: bool, outside: bool
) -> None:
    where = guild(TEXT)
    thread = place(discord.Thread, where)
    thread.is_private.return_value, thread.me = private, member
    thread.permissions_for.return_value = discord.Permissions(manage_threads=manages)
    assert is_outside(thread, where) is outside
    assert not is_outside(place(discord.TextChannel, where), where)


@pytest.mark.parametrize(
    ("code", "refused", "lacks"),
    [
        (50001, True, True),
        (50013, True, True),
        (50083, True, False),
        (160005, True, False),
        (50035, False, False),
        (160002, False, False),
    ],
)
def test_codes_of_discord_tell_a_refused_channel_from_a_refused_message(
    code: int, refused: bool, lacks: bool
) -> None:
    error = discord.HTTPException(MagicMock(status=403), {"code": code, "message": "no"})
    assert is_refused(error) is refused
    assert lacks_permission(error) is lacks


def test_own_check_counts_as_a_missing_permission() -> None:
    assert is_refused(PostingRefused("x"))
    assert lacks_permission(PostingRefused("x"))
    assert not is_refused(ValueError("x"))


def test_page_for_admins_names_every_permission_as_discord_does() -> None:
    page = (ROOT / "docs" / "admins.md").read_text(encoding="utf-8")
    table = page.partition("<!-- permissions -->")[2].partition("<!-- /permissions -->")[0]
    rows = [line.split("|")[1:4] for line in table.strip().split("\n")[2:]]
    texts = Translations.load().by_code[ENGLISH].texts
    labels = {str(text) for key, text in texts.items() if key.startswith("permissions.")}
    assert {permission.strip() for permission, _, _ in rows} == labels
    refused = {name.strip() for name, _, without in rows if "declines" in without}
    kinds = (discord.TextChannel, discord.ForumChannel, discord.VoiceChannel, discord.Thread)
    where = guild(set())
    needed = {name for kind in kinds for name in missing_in(place(kind, where), where).post}
    assert refused == {texts[f"permissions.{name}"] for name in needed}
