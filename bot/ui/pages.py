"""Layouts of /help, /about, /privacy, /settings, /library list and the welcome message.

Functions take a ``Localizer`` first. The custom ids of their buttons are listed in
``bot/ui/messages.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.acceptance import acceptance_lines
from bot.ui.components import (
    CAREFUL,
    MAX_OPTION,
    QUIET,
    Item,
    button,
    genre_name,
    layout,
    percent,
    row,
    rule,
    small,
    text,
    track_names,
)
from bot.ui.invites import Invites
from bot.ui.markdown import clean, escape, web_address
from bot.ui.messages import Limits
from bot.ui.track_links import SITES
from db.feedback import Acceptance
from genrec.audio.kinds import format_names
from genrec.types import Track

EVERYONE = (
    "recommend",
    "mix",
    "path",
    "radio",
    "genre",
    "foryou",
    "notagain add",
    "notagain list",
    "about",
    "privacy show",
    "privacy delete",
    "help",
)
ADMINS = (
    "library add",
    "library remove",
    "library list",
    "library map",
    "library export",
    "library import",
    "library duplicates",
    "genres teach",
    "genres list",
    "genres forget",
    "settings",
    "reindex",
)
TRACKS_PER_PAGE = 10
MAX_COUNT = 10
MAX_SHOWN = 25
MAX_LACKING = 10


@dataclass(frozen=True, slots=True)
class AboutFacts:
    """Facts for /about; ``accuracy`` is a share of ``tested`` tracks, None if not measured.

    ``invites`` are None, and ``accepted`` has no votes, for users who are neither an admin nor the
    operator.
    ``library`` and ``starter`` count the operator's tracks and those of the starter catalogue, and
    ``starter_used`` is whether every answer may have some of the latter. ``tags`` is whether the
    preset has sound tags.
    """

    version: str
    model_id: str
    library: int
    waiting: int
    workers: int
    accuracy: float | None = None
    tested: int | None = None
    server: int | None = None
    thumbs_up: int = 0
    thumbs_down: int = 0
    accepted: Acceptance = field(default_factory=Acceptance)
    source_url: str = ""
    support_url: str = ""
    invites: Invites | None = None
    starter: int = 0
    starter_policy: str = "auto"
    starter_used: bool = True
    tags: bool = False


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """Numbers of stored rows about one user."""

    votes: int = 0
    tracks: int = 0
    requests: int = 0
    clips: int = 0
    track_votes: int = 0
    not_again: int = 0
    taste: bool = False
    taste_shown: int = 0


@dataclass(frozen=True, slots=True)
class SettingsState:
    """A guild's settings for the panel of /settings.

    ``here`` is whether this channel is an upload channel, and ``channels`` holds the ids of all of
    them; ``lacking`` maps some of them to the names of permissions that the bot lacks there.
    ``roles`` maps the id of each role that may use the bot to its name; ``role_gone`` is whether
    the only such role was deleted. ``message_content`` is whether Discord grants the Message
    Content intent. ``links`` names the site that titles link to, "" if they are no links;
    ``link_site`` is its setting, None for an own address.
    ``compact`` is whether answers are compact.
    Content intent. ``starter`` is the policy of the starter catalogue, None for the operator's.
    """

    here: bool
    channels: tuple[int, ...]
    roles: dict[int, str]
    count: int
    private: bool
    compact: bool = True
    message_content: bool = True
    lacking: Mapping[int, str] = field(default_factory=dict)
    role_gone: bool = False
    links: str = "YouTube"
    link_site: str | None = None
    starter: str | None = None


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """One page of tracks: ``page`` from 0; ``server`` False means the operator's library."""

    tracks: tuple[Track, ...]
    page: int
    pages: int
    total: int
    query: str = ""
    server: bool = True


def help(  # noqa: A001 - the command's name
    localizer: Localizer,
    limits: Limits,
    *,
    bot: str = "@genrec",
    admin: bool = False,
    support_url: str = "",
    invites: Invites | None = None,
) -> ui.LayoutView:
    """Return the page of /help; ``bot`` is the bot's mention, such as "@genrec", raw.

    ``invites`` are shown to admins and to the operator.
    """
    menus = {
        f"menu_{name}": localizer(f"menus.{name}.name") for name in ("recommend", "genre", "mix")
    }
    items: list[Item] = [
        text(f"## {localizer('help.title')}\n{localizer('help.intro')}"),
        text("\n".join(_command(localizer, name) for name in EVERYONE)),
        text(
            f"{localizer('help.menu', **menus)}\n"
            + localizer("help.mention", bot=f"**{escape(bot, 40)}**")
        ),
    ]
    if admin:
        lines = [f"### {localizer('help.admins')}", *(_command(localizer, c) for c in ADMINS)]
        items.append(text("\n".join(lines)))
    bounds = {"min_seconds": limits.min_seconds, "max_mb": limits.max_mb}
    lines = [small(localizer("help.formats", **bounds, formats=format_names()))]
    if url := web_address(support_url):
        lines.append(localizer("help.report", url=url))
    lines += _invite(localizer, invites)
    return layout(QUIET, [*items, rule(), text("\n".join(lines))])


def welcome(localizer: Localizer, *, bot: str, uploads: bool) -> ui.LayoutView:
    """Return the first message on a server; with ``uploads`` its button answers uploads there."""
    items: list[Item] = [
        text(localizer("welcome.hello")),
        text(localizer("welcome.use", bot=f"**{escape(bot, 40)}**")),
    ]
    if uploads:
        label = localizer("button.uploads_on")
        switch = button("welcome:uploads", label, style=discord.ButtonStyle.primary)
        items += [text(localizer("welcome.uploads")), row(switch)]
    return layout(QUIET, items)


def about(localizer: Localizer, facts: AboutFacts) -> ui.LayoutView:
    """Return the page of /about."""
    lines = [f"## {localizer('about.title', version=escape(facts.version, 40))}"]
    lines.append(localizer("about.model", model=escape(facts.model_id, 60)))
    if facts.accuracy is not None:
        share = localizer.percent(facts.accuracy, digits=1)
        if facts.tested:
            lines.append(localizer("about.accuracy", percent=share, count=facts.tested))
        else:
            lines.append(localizer("about.accuracy_plain", percent=share))
    if facts.tags:
        lines.append(localizer("about.tags"))
    lines.append(localizer("about.library", count=facts.library))
    if facts.server is not None:
        lines.append(localizer("about.server", count=facts.server))
    lines.append(_starter(localizer, facts))
    lines.append(localizer("about.queue", waiting=facts.waiting, workers=facts.workers))
    lines += [_votes(localizer, facts), *acceptance_lines(localizer, facts.accepted)]
    links = (("about.source", facts.source_url), ("help.report", facts.support_url))
    shown = [localizer(key, url=web_address(url)) for key, url in links if web_address(url)]
    if shown:
        lines.append(" · ".join(shown))
    lines += _invite(localizer, facts.invites)
    return layout(QUIET, [text("\n".join(lines))])


def privacy(localizer: Localizer, stored: StoredCounts) -> ui.LayoutView:
    """Return the page of /privacy show: stored data in general, and counts for this user."""
    counts = {"votes": stored.votes, "tracks": stored.tracks, "jobs": stored.requests}
    counts |= {"taught": stored.clips, "track_votes": stored.track_votes}
    counts |= {"not_again": stored.not_again, "taste_shown": stored.taste_shown}
    own = [localizer(f"privacy.{key}", count=count) for key, count in counts.items() if count]
    own += [localizer("privacy.taste")] if stored.taste else []
    lines = [
        f"## {localizer('privacy.title')}",
        localizer("privacy.clips"),
        localizer("privacy.analyses"),
    ]
    lines += own or [localizer("privacy.nothing")]
    lines += [small(localizer(f"privacy.{key}")) for key in ("memory", "how", "lasting")]
    return layout(QUIET, [text("\n".join(lines))])


def confirm_delete(localizer: Localizer) -> ui.LayoutView:
    """Return the confirmation of /privacy delete."""
    danger = discord.ButtonStyle.danger
    buttons = (
        button("privacy:delete:yes", localizer("button.delete"), style=danger),
        button("privacy:delete:no", localizer("button.keep")),
    )
    return layout(CAREFUL, [text(localizer("privacy.confirm")), row(*buttons)])


def settings(localizer: Localizer, state: SettingsState) -> ui.LayoutView:
    """Return the panel of /settings: the values and the controls to change them."""
    items: list[Item] = [text("\n".join(_settings_lines(localizer, state)))]
    if not state.message_content:
        items.append(text(small(localizer("settings.uploads_blind"))))
    uploads, private = _switch(state.here), _switch(state.private)
    compact = _switch(state.compact)
    items += [
        rule(),
        row(
            button(f"settings:uploads:{uploads}", localizer(f"button.uploads_{uploads}")),
            button(f"settings:private:{private}", localizer(f"button.private_{private}")),
            button(f"settings:compact:{compact}", localizer(f"button.compact_{compact}")),
        ),
        row(_count_select(localizer, state.count)),
        row(_link_select(localizer, state.link_site)),
        row(
            ui.RoleSelect(
                custom_id="settings:roles",
                placeholder=localizer("settings.pick_roles")[:150],
                min_values=0,
                max_values=1,  # the database stores one role per guild
                default_values=[discord.Object(role, type=discord.Role) for role in state.roles],
            )
        ),
    ]
    return layout(QUIET, items)


def library(localizer: Localizer, page: LibraryPage) -> ui.LayoutView:
    """Return a page of /library list with Back and Next."""
    heading = "library.title" if page.server else "library.title_operator"
    lines = [f"## {localizer(heading)}"]
    if query := escape(page.query, 60):
        lines.append(small(localizer("library.found", query=query)))
    for place, track in enumerate(page.tracks, start=1 + page.page * TRACKS_PER_PAGE):
        title, artist = track_names(localizer, track, 60, 40)
        parts = [f"**{title}**", artist]
        parts += [genre_name(localizer, track.genre)] if track.genre else []
        lines.append(f"{place}. {' · '.join(parts)}")
    if not page.tracks:
        lines.append(localizer("library.no_match" if page.query else "library.empty"))
    items: list[Item] = [text("\n".join(lines))]
    if page.pages > 1:
        total = localizer("library.total", count=page.total)
        position = localizer("library.page", page=page.page + 1, pages=page.pages)
        items += [text(small(f"{total} · {position}")), row(*_turning(localizer, page))]
    elif page.tracks:
        items.append(text(small(localizer("library.total", count=page.total))))
    return layout(QUIET, items)


def _command(localizer: Localizer, name: str) -> str:
    description = localizer(f"commands.{name.replace(' ', '.')}.description")
    return f"`{localizer.command(name)}` {description}"


def _invite(localizer: Localizer, invites: Invites | None) -> list[str]:
    if invites is None:
        return []
    return [localizer("help.invite", server=invites.server, account=invites.account)]


def _starter(localizer: Localizer, facts: AboutFacts) -> str:
    rule = localizer(f"starter.{facts.starter_policy}")
    key = "about.starter_used" if facts.starter_used else "about.starter_left_out"
    return localizer(key, count=facts.starter, rule=rule)


def _votes(localizer: Localizer, facts: AboutFacts) -> str:
    up, down = facts.thumbs_up, facts.thumbs_down
    if not up + down:
        return localizer("about.no_votes")
    share = percent(localizer, up / (up + down))
    return localizer("about.votes", up=up, down=down, percent=share)


def _settings_lines(localizer: Localizer, state: SettingsState) -> list[str]:
    # <#id> only links to a channel. A role is shown by name, because a mention notifies people.
    channels = ", ".join(f"<#{channel}>" for channel in state.channels[:MAX_SHOWN])
    roles = ", ".join(f"**{escape(name, 60)}**" for name in list(state.roles.values())[:MAX_SHOWN])
    open_to = "settings.role_gone" if state.role_gone else "settings.everyone"
    return [
        f"## {localizer('settings.title')}",
        localizer("settings.uploads", channels=channels)
        if channels
        else localizer("settings.uploads_nowhere"),
        *(
            small(localizer("settings.lacks", channel=f"<#{channel}>", permissions=names))
            for channel, names in list(state.lacking.items())[:MAX_LACKING]
        ),
        localizer("settings.roles", roles=roles) if roles else localizer(open_to),
        localizer("settings.count", count=state.count),
        localizer("settings.private" if state.private else "settings.public"),
        localizer("settings.links", site=escape(state.links, 60))
        if state.links
        else localizer("settings.links_off"),
        localizer("settings.compact" if state.compact else "settings.full"),
        localizer("settings.starter", rule=localizer(f"starter.{state.starter or 'default'}")),
    ]


def _switch(now: bool) -> str:
    return "off" if now else "on"


def _count_select(localizer: Localizer, count: int) -> Item:
    label = localizer("settings.pick_count")
    options = [
        discord.SelectOption(label=f"{label}: {n}", value=str(n), default=n == count)
        for n in range(1, MAX_COUNT + 1)
    ]
    return ui.Select(custom_id="settings:count", placeholder=label[:150], options=options)


def _link_select(localizer: Localizer, site: str | None) -> Item:
    """Return the menu of search pages; with an own address as the choice, none is selected."""
    label = localizer("settings.pick_links")
    options = [
        discord.SelectOption(
            label=f"{label}: {localizer(f'choices.{name}')}"[:MAX_OPTION],
            value=name,
            default=name == site,
        )
        for name in SITES
    ]
    return ui.Select(custom_id="settings:links", placeholder=label[:150], options=options)


def _turning(localizer: Localizer, page: LibraryPage) -> list[Item]:
    """Return Back and Next, which name the track beside the page that they show."""
    back, forward = page.page - 1, page.page + 1
    query = clean(page.query, 60)
    first, last = (page.tracks[0].id, page.tracks[-1].id) if page.tracks else (0, 0)
    return [
        button(
            f"library:before:{max(back, 0)}:{first}:{query}",
            localizer("button.previous"),
            disabled=back < 0,
        ),
        button(
            f"library:after:{forward}:{last}:{query}",
            localizer("button.next"),
            disabled=forward >= page.pages,
        ),
    ]
