"""Tests of the checks that a command makes without I/O."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import create_autospec

import discord
import pytest

from bot.client.checks import (
    one_source,
    operator_ids,
    require_manage_guild,
    require_role,
)  # fmt: skip
from bot.errors import RequestDeclined
from bot.sources import Attachment

GUILD, ROLE, OTHER_ROLE = 7, 70, 71
UPLOAD = SimpleNamespace(url="https://cdn.example/a.mp3", filename="a.mp3", size=10)


def member(*role_ids: int, manage_guild: bool = False) -> discord.Member:
    """Return a member, by ``isinstance`` too, with roles and permissions."""
    found = create_autospec(discord.Member, instance=True)
    found.roles = [SimpleNamespace(id=number) for number in role_ids]
    found.guild_permissions = discord.Permissions(manage_guild=manage_guild)
    return found


def test_one_source_returns_the_upload_or_the_stripped_link() -> None:
    assert one_source(UPLOAD, None) == Attachment(url=UPLOAD.url, filename="a.mp3", size=10)
    assert one_source(UPLOAD, "") == one_source(UPLOAD, None)
    assert one_source(None, " https://a.example ") == "https://a.example"
    assert one_source(None, "a.example/song") == "a.example/song"  # refused later, with a sentence


@pytest.mark.parametrize(
    "typed",
    ["<https://a.example/b>", "||https://a.example/b||", "[song](https://a.example/b)"],
)
def test_one_source_returns_a_link_without_discords_markup(typed: str) -> None:
    assert one_source(None, typed) == "https://a.example/b"


@pytest.mark.parametrize(
    ("clip", "link", "key"),
    [
        (UPLOAD, "https://a.example", "clip_and_link"),
        (None, None, "no_clip"),
        (None, "", "no_clip"),
        (None, "  ", "no_clip"),
        (None, "https://a.example https://b.example", "several_links"),
    ],
    ids=str,
)
def test_one_source_without_exactly_one_is_declined(
    clip: SimpleNamespace | None, link: str | None, key: str
) -> None:
    with pytest.raises(RequestDeclined) as declined:
        one_source(clip, link)
    assert declined.value.key == key


def test_manage_guild_is_required_in_a_guild() -> None:
    allowed, others = discord.Permissions(manage_guild=True), discord.Permissions()
    admin = SimpleNamespace(guild_id=GUILD, permissions=allowed)
    assert require_manage_guild(admin) == GUILD
    with pytest.raises(RequestDeclined, match="Manage Server"):
        require_manage_guild(SimpleNamespace(guild_id=GUILD, permissions=others))
    with pytest.raises(RequestDeclined, match=r"server"):
        require_manage_guild(SimpleNamespace(guild_id=None, permissions=allowed))


def test_role_is_required_of_members_without_manage_guild() -> None:
    roles = frozenset({ROLE})
    assert require_role(member(ROLE), roles) is None
    assert require_role(member(manage_guild=True), roles) is None
    assert require_role(member(OTHER_ROLE), frozenset()) is None
    for declined in (member(), member(OTHER_ROLE)):
        with pytest.raises(RequestDeclined, match="roles"):
            require_role(declined, roles)


def test_role_is_not_required_outside_a_guild() -> None:
    assert require_role(create_autospec(discord.User, instance=True), frozenset({ROLE})) is None


def test_operator_is_the_owner_or_the_accepted_team() -> None:
    invited, accepted = discord.TeamMembershipState.invited, discord.TeamMembershipState.accepted
    roles = discord.TeamMemberRole

    def colleague(user_id: int, state: object, role: object) -> SimpleNamespace:
        return SimpleNamespace(id=user_id, membership_state=state, role=role)

    team = SimpleNamespace(
        owner_id=1,
        members=[
            colleague(2, accepted, roles.admin),
            colleague(3, accepted, roles.developer),
            colleague(4, accepted, roles.read_only),
            colleague(5, invited, roles.admin),
        ],
    )
    owner = SimpleNamespace(id=9)
    assert operator_ids(SimpleNamespace(owner=owner, team=None)) == {9}
    assert operator_ids(SimpleNamespace(owner=owner, team=team)) == {1, 2, 3}
    assert operator_ids(None) == frozenset()
