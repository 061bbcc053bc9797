"""Permission flags, and how Discord resolves them from roles and a channel's overwrites."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ADMINISTRATOR = 1 << 3
MANAGE_GUILD = 1 << 5
ADD_REACTIONS = 1 << 6
VIEW_CHANNEL = 1 << 10
SEND_MESSAGES = 1 << 11
EMBED_LINKS = 1 << 14
ATTACH_FILES = 1 << 15
READ_MESSAGE_HISTORY = 1 << 16
MENTION_EVERYONE = 1 << 17
CONNECT = 1 << 20
USE_APPLICATION_COMMANDS = 1 << 31
MANAGE_THREADS = 1 << 34
CREATE_PUBLIC_THREADS = 1 << 35
CREATE_PRIVATE_THREADS = 1 << 36
SEND_MESSAGES_IN_THREADS = 1 << 38
ALL_PERMISSIONS = (1 << 51) - 1
EVERYONE_PERMISSIONS = (
    ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | CONNECT
    | USE_APPLICATION_COMMANDS
    | CREATE_PUBLIC_THREADS
    | CREATE_PRIVATE_THREADS
    | SEND_MESSAGES_IN_THREADS
)
_NEED_SENDING = EMBED_LINKS | ATTACH_FILES | MENTION_EVERYONE
_IN_TIMEOUT = VIEW_CHANNEL | READ_MESSAGE_HISTORY


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Permissions that a channel allows and denies to one role or member."""

    allow: int = 0
    deny: int = 0

    def applied_to(self, permissions: int) -> int:
        """Return permissions after this overwrite: it denies first, and then allows."""
        return permissions & ~self.deny | self.allow


def in_channel(
    granted: int,
    overwrites: Mapping[str, Overwrite],
    *,
    everyone: str,
    roles: Iterable[str],
    member: str,
) -> int:
    """Return a member's permissions after a channel's overwrites.

    ``granted`` are those of all roles. The overwrite of @everyone applies first, then those of the
    other roles together, then the member's. A role and a member never share an overwrite: the
    role that each member has of its own has none.
    """
    if granted & ADMINISTRATOR:
        return ALL_PERMISSIONS
    found = [overwrites[role] for role in roles if role in overwrites]
    allow = deny = 0
    for overwrite in found:
        allow, deny = allow | overwrite.allow, deny | overwrite.deny
    steps = (overwrites.get(everyone), Overwrite(allow, deny), overwrites.get(member))
    for step in steps:
        granted = step.applied_to(granted) if step is not None else granted
    return granted


def implied(permissions: int, *, thread: bool, timed_out: bool) -> int:
    """Return permissions without those that Discord withholds because another one is missing."""
    if permissions & ADMINISTRATOR:
        return ALL_PERMISSIONS
    if timed_out:
        permissions &= _IN_TIMEOUT
    if not permissions & (SEND_MESSAGES_IN_THREADS if thread else SEND_MESSAGES):
        permissions &= ~_NEED_SENDING
    return permissions if permissions & VIEW_CHANNEL else 0
