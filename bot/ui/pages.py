"""The pages that are no answers: /help, /about, /privacy, /settings and /library list.

::

    pages = Pages(words)                                       # limits= if not the defaults
    pages.help(locale, bot="genrec", admin=True, support_url="")
    pages.about(About(...), locale)
    pages.privacy(Kept(...), locale)
    pages.confirm_delete(locale)
    pages.settings(SettingsState(...), locale)
    pages.library(LibraryPage(...), locale)

The custom ids of their buttons stand in ``bot/ui/messages.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import discord
from discord import ui

from bot.i18n import Words
from bot.ui.components import (
    CAREFUL,
    MAX_OPTION,
    QUIET,
    Item,
    Voice,
    button,
    layout,
    row,
    rule,
    small,
    text,
)
from bot.ui.markdown import clean, escape, web_address
from bot.ui.messages import Limits
from genrec.types import Track

EVERYONE = ("recommend", "genre", "about", "privacy show", "privacy delete", "help")
ADMINS = (
    "library add",
    "library remove",
    "library list",
    "library export",
    "settings",
    "reindex",
)
TRACKS_A_PAGE = 10
MAX_COUNT = 10
MAX_SHOWN = 25


@dataclass(frozen=True, slots=True)
class About:
    """The facts of /about; ``accuracy`` is a share of ``tested`` tracks, None where unmeasured."""

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
    source_url: str = ""
    support_url: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept about one person."""

    votes: int = 0
    tracks: int = 0
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class SettingsState:
    """A server's settings as /settings shows them.

    ``channels`` are the ids of those whose uploads are answered; ``roles`` maps the id of each
    role that may use the bot to its name; ``sees_uploads`` tells whether Discord grants the
    Message Content intent.
    """

    here: bool
    channels: tuple[int, ...]
    roles: dict[int, str]
    count: int
    model: str
    models: tuple[str, ...]
    private: bool
    sees_uploads: bool = True


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """One page of tracks: ``page`` from 0; ``server`` False means the operator's library."""

    tracks: tuple[Track, ...]
    page: int
    pages: int
    total: int
    query: str = ""
    server: bool = True


class Pages:
    """The pages, in whatever language they are asked for."""

    def __init__(self, words: Words, *, limits: Limits | None = None) -> None:
        self.words = words
        self._limits = limits or Limits()

    def help(
        self, locale: object, *, bot: str = "@genrec", admin: bool = False, support_url: str = ""
    ) -> ui.LayoutView:
        """Lay out /help; ``bot`` is the bot's name as a message mentions it, raw."""
        voice = Voice(self.words, locale)
        menus = {f"menu_{name}": voice(f"menus.{name}.name") for name in ("recommend", "genre")}
        items: list[Item] = [
            text(f"## {voice('help.title')}\n{voice('help.intro')}"),
            text("\n".join(self._command(name, voice) for name in EVERYONE)),
            text(
                f"{voice('help.menu', **menus)}\n"
                + voice("help.mention", bot=f"**{escape(bot, 40)}**")
            ),
        ]
        if admin:
            lines = [f"### {voice('help.admins')}", *(self._command(c, voice) for c in ADMINS)]
            items.append(text("\n".join(lines)))
        limits = {"min_seconds": self._limits.min_seconds, "max_mb": self._limits.max_mb}
        lines = [small(voice("help.formats", **limits))]
        if url := web_address(support_url):
            lines.append(voice("help.report", url=url))
        return layout(QUIET, [*items, rule(), text("\n".join(lines))])

    def about(self, facts: About, locale: object) -> ui.LayoutView:
        """Lay out /about."""
        voice = Voice(self.words, locale)
        lines = [f"## {voice('about.title', version=escape(facts.version, 40))}"]
        lines.append(voice("about.model", model=escape(facts.model_id, 60)))
        if facts.accuracy is not None:
            percent = self.words.percent(facts.accuracy, locale, digits=1)
            if facts.tested:
                lines.append(voice("about.accuracy", percent=percent, count=facts.tested))
            else:
                lines.append(voice("about.accuracy_plain", percent=percent))
        lines.append(voice("about.library", count=facts.library))
        if facts.server is not None:
            lines.append(voice("about.server", count=facts.server))
        lines.append(voice("about.queue", waiting=facts.waiting, workers=facts.workers))
        lines.append(_votes(voice, facts))
        links = (("about.source", facts.source_url), ("help.report", facts.support_url))
        shown = [voice(key, url=web_address(url)) for key, url in links if web_address(url)]
        if shown:
            lines.append(" · ".join(shown))
        return layout(QUIET, [text("\n".join(lines))])

    def privacy(self, kept: Kept, locale: object) -> ui.LayoutView:
        """Lay out /privacy show: what is kept at all, and how much about this person."""
        voice = Voice(self.words, locale)
        counts = {"votes": kept.votes, "tracks": kept.tracks, "jobs": kept.jobs}
        own = [voice(f"privacy.{what}", count=count) for what, count in counts.items() if count]
        lines = [f"## {voice('privacy.title')}", voice("privacy.clips"), voice("privacy.analyses")]
        lines += own or [voice("privacy.nothing")]
        items: list[Item] = [text("\n".join([*lines, small(voice("privacy.how"))]))]
        return layout(QUIET, items)

    def confirm_delete(self, locale: object) -> ui.LayoutView:
        """Lay out the question before /privacy delete does it."""
        voice = Voice(self.words, locale)
        danger = discord.ButtonStyle.danger
        buttons = (
            button("privacy:delete:yes", voice("button.delete"), style=danger),
            button("privacy:delete:no", voice("button.keep")),
        )
        return layout(CAREFUL, [text(voice("privacy.confirm")), row(*buttons)])

    def settings(self, state: SettingsState, locale: object) -> ui.LayoutView:
        """Lay out /settings: what holds, and the controls that change it."""
        voice = Voice(self.words, locale)
        items: list[Item] = [text("\n".join(_settings_lines(voice, state)))]
        if not state.sees_uploads:
            items.append(text(small(voice("settings.uploads_blind"))))
        uploads, private = _switch(state.here), _switch(state.private)
        items += [
            rule(),
            row(
                button(f"settings:uploads:{uploads}", voice(f"button.uploads_{uploads}")),
                button(f"settings:private:{private}", voice(f"button.private_{private}")),
            ),
            row(_count_select(voice, state.count)),
            row(
                ui.RoleSelect(
                    custom_id="settings:roles",
                    placeholder=voice("settings.pick_roles")[:150],
                    min_values=0,
                    max_values=1,  # what the database holds
                    default_values=[
                        discord.Object(role, type=discord.Role) for role in state.roles
                    ],
                )
            ),
        ]
        if len(state.models) > 1:
            items.append(row(_model_select(voice, state)))
        return layout(QUIET, items)

    def library(self, page: LibraryPage, locale: object) -> ui.LayoutView:
        """Lay out a page of /library list with Back and Next."""
        voice = Voice(self.words, locale)
        title = "library.title" if page.server else "library.title_operator"
        lines = [f"## {voice(title)}"]
        if query := escape(page.query, 60):
            lines.append(small(voice("library.found", query=query)))
        for place, track in enumerate(page.tracks, start=1 + page.page * TRACKS_A_PAGE):
            parts = [f"**{voice.title(track, 60)}**", voice.artist(track, 40)]
            parts += [voice.genre(track.genre)] if track.genre else []
            lines.append(f"{place}. {' · '.join(parts)}")
        if not page.tracks:
            lines.append(voice("library.no_match" if page.query else "library.empty"))
        items: list[Item] = [text("\n".join(lines))]
        if page.pages > 1:
            total = voice("library.total", count=page.total)
            where = voice("library.page", page=page.page + 1, pages=page.pages)
            items += [text(small(f"{total} · {where}")), row(*_turning(voice, page))]
        elif page.tracks:
            items.append(text(small(voice("library.total", count=page.total))))
        return layout(QUIET, items)

    def _command(self, name: str, voice: Voice) -> str:
        key = "commands." + name.replace(" ", ".")
        typed = self.words.command(name, voice.locale)
        return f"`{typed}` {voice(f'{key}.description')}"


def _votes(voice: Voice, facts: About) -> str:
    up, down = facts.thumbs_up, facts.thumbs_down
    if not up + down:
        return voice("about.no_votes")
    return voice("about.votes", up=up, down=down, percent=voice.percent(up / (up + down)))


def _settings_lines(voice: Voice, state: SettingsState) -> list[str]:
    # <#id> only links to a channel. A role is named, not mentioned.
    channels = ", ".join(f"<#{channel}>" for channel in state.channels[:MAX_SHOWN])
    roles = ", ".join(f"**{escape(name, 60)}**" for name in list(state.roles.values())[:MAX_SHOWN])
    return [
        f"## {voice('settings.title')}",
        voice("settings.uploads", channels=channels)
        if channels
        else voice("settings.uploads_nowhere"),
        voice("settings.roles", roles=roles) if roles else voice("settings.everyone"),
        voice("settings.count", count=state.count),
        voice("settings.model", model=escape(state.model, 60)),
        voice("settings.private" if state.private else "settings.public"),
    ]


def _switch(now: bool) -> str:
    return "off" if now else "on"


def _count_select(voice: Voice, count: int) -> Item:
    label = voice("settings.pick_count")
    options = [
        discord.SelectOption(label=f"{label}: {n}", value=str(n), default=n == count)
        for n in range(1, MAX_COUNT + 1)
    ]
    return ui.Select(custom_id="settings:count", placeholder=label[:150], options=options)


def _model_select(voice: Voice, state: SettingsState) -> Item:
    label = voice("settings.pick_model")
    options = [
        discord.SelectOption(
            label=clean(f"{label}: {model}", MAX_OPTION),
            value=model[:MAX_OPTION],
            default=model == state.model,
        )
        for model in state.models[:MAX_SHOWN]
    ]
    return ui.Select(custom_id="settings:model", placeholder=label[:150], options=options)


def _turning(voice: Voice, page: LibraryPage) -> list[Item]:
    back, on = page.page - 1, page.page + 1
    query = clean(page.query, 60)
    return [
        button(f"library:page:{max(back, 0)}:{query}", voice("button.previous"), disabled=back < 0),
        button(f"library:page:{on}:{query}", voice("button.next"), disabled=on >= page.pages),
    ]
