"""The pages that are no answers: /help, /about, /privacy, /settings and /library list.

::

    pages = Pages(words)                                       # limits= if not the defaults
    pages.help(locale, bot="genrec", admin=True, support_url="")
    pages.about(AboutFacts(...), locale)
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

from bot.i18n import Translations
from bot.ui.components import (
    CAREFUL,
    MAX_OPTION,
    QUIET,
    Item,
    Localizer,
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
class AboutFacts:
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

    def __init__(self, translations: Translations, *, limits: Limits | None = None) -> None:
        self.translations = translations
        self._limits = limits or Limits()

    def help(
        self, locale: object, *, bot: str = "@genrec", admin: bool = False, support_url: str = ""
    ) -> ui.LayoutView:
        """Lay out /help; ``bot`` is the bot's name as a message mentions it, raw."""
        localizer = Localizer(self.translations, locale)
        menus = {f"menu_{name}": localizer(f"menus.{name}.name") for name in ("recommend", "genre")}
        items: list[Item] = [
            text(f"## {localizer('help.title')}\n{localizer('help.intro')}"),
            text("\n".join(self._command(name, localizer) for name in EVERYONE)),
            text(
                f"{localizer('help.menu', **menus)}\n"
                + localizer("help.mention", bot=f"**{escape(bot, 40)}**")
            ),
        ]
        if admin:
            lines = [
                f"### {localizer('help.admins')}",
                *(self._command(c, localizer) for c in ADMINS),
            ]
            items.append(text("\n".join(lines)))
        limits = {"min_seconds": self._limits.min_seconds, "max_mb": self._limits.max_mb}
        lines = [small(localizer("help.formats", **limits))]
        if url := web_address(support_url):
            lines.append(localizer("help.report", url=url))
        return layout(QUIET, [*items, rule(), text("\n".join(lines))])

    def about(self, facts: AboutFacts, locale: object) -> ui.LayoutView:
        """Lay out /about."""
        localizer = Localizer(self.translations, locale)
        lines = [f"## {localizer('about.title', version=escape(facts.version, 40))}"]
        lines.append(localizer("about.model", model=escape(facts.model_id, 60)))
        if facts.accuracy is not None:
            percent = self.translations.percent(facts.accuracy, locale, digits=1)
            if facts.tested:
                lines.append(localizer("about.accuracy", percent=percent, count=facts.tested))
            else:
                lines.append(localizer("about.accuracy_plain", percent=percent))
        lines.append(localizer("about.library", count=facts.library))
        if facts.server is not None:
            lines.append(localizer("about.server", count=facts.server))
        lines.append(localizer("about.queue", waiting=facts.waiting, workers=facts.workers))
        lines.append(_votes(localizer, facts))
        links = (("about.source", facts.source_url), ("help.report", facts.support_url))
        shown = [localizer(key, url=web_address(url)) for key, url in links if web_address(url)]
        if shown:
            lines.append(" · ".join(shown))
        return layout(QUIET, [text("\n".join(lines))])

    def privacy(self, kept: Kept, locale: object) -> ui.LayoutView:
        """Lay out /privacy show: what is kept at all, and how much about this person."""
        localizer = Localizer(self.translations, locale)
        counts = {"votes": kept.votes, "tracks": kept.tracks, "jobs": kept.jobs}
        own = [localizer(f"privacy.{what}", count=count) for what, count in counts.items() if count]
        lines = [
            f"## {localizer('privacy.title')}",
            localizer("privacy.clips"),
            localizer("privacy.analyses"),
        ]
        lines += own or [localizer("privacy.nothing")]
        items: list[Item] = [text("\n".join([*lines, small(localizer("privacy.how"))]))]
        return layout(QUIET, items)

    def confirm_delete(self, locale: object) -> ui.LayoutView:
        """Lay out the question before /privacy delete does it."""
        localizer = Localizer(self.translations, locale)
        danger = discord.ButtonStyle.danger
        buttons = (
            button("privacy:delete:yes", localizer("button.delete"), style=danger),
            button("privacy:delete:no", localizer("button.keep")),
        )
        return layout(CAREFUL, [text(localizer("privacy.confirm")), row(*buttons)])

    def settings(self, state: SettingsState, locale: object) -> ui.LayoutView:
        """Lay out /settings: what holds, and the controls that change it."""
        localizer = Localizer(self.translations, locale)
        items: list[Item] = [text("\n".join(_settings_lines(localizer, state)))]
        if not state.sees_uploads:
            items.append(text(small(localizer("settings.uploads_blind"))))
        uploads, private = _switch(state.here), _switch(state.private)
        items += [
            rule(),
            row(
                button(f"settings:uploads:{uploads}", localizer(f"button.uploads_{uploads}")),
                button(f"settings:private:{private}", localizer(f"button.private_{private}")),
            ),
            row(_count_select(localizer, state.count)),
            row(
                ui.RoleSelect(
                    custom_id="settings:roles",
                    placeholder=localizer("settings.pick_roles")[:150],
                    min_values=0,
                    max_values=1,  # what the database holds
                    default_values=[
                        discord.Object(role, type=discord.Role) for role in state.roles
                    ],
                )
            ),
        ]
        if len(state.models) > 1:
            items.append(row(_model_select(localizer, state)))
        return layout(QUIET, items)

    def library(self, page: LibraryPage, locale: object) -> ui.LayoutView:
        """Lay out a page of /library list with Back and Next."""
        localizer = Localizer(self.translations, locale)
        title = "library.title" if page.server else "library.title_operator"
        lines = [f"## {localizer(title)}"]
        if query := escape(page.query, 60):
            lines.append(small(localizer("library.found", query=query)))
        for place, track in enumerate(page.tracks, start=1 + page.page * TRACKS_A_PAGE):
            parts = [f"**{localizer.title(track, 60)}**", localizer.artist(track, 40)]
            parts += [localizer.genre(track.genre)] if track.genre else []
            lines.append(f"{place}. {' · '.join(parts)}")
        if not page.tracks:
            lines.append(localizer("library.no_match" if page.query else "library.empty"))
        items: list[Item] = [text("\n".join(lines))]
        if page.pages > 1:
            total = localizer("library.total", count=page.total)
            where = localizer("library.page", page=page.page + 1, pages=page.pages)
            items += [text(small(f"{total} · {where}")), row(*_turning(localizer, page))]
        elif page.tracks:
            items.append(text(small(localizer("library.total", count=page.total))))
        return layout(QUIET, items)

    def _command(self, name: str, localizer: Localizer) -> str:
        key = "commands." + name.replace(" ", ".")
        typed = self.translations.command(name, localizer.locale)
        return f"`{typed}` {localizer(f'{key}.description')}"


def _votes(localizer: Localizer, facts: AboutFacts) -> str:
    up, down = facts.thumbs_up, facts.thumbs_down
    if not up + down:
        return localizer("about.no_votes")
    return localizer("about.votes", up=up, down=down, percent=localizer.percent(up / (up + down)))


def _settings_lines(localizer: Localizer, state: SettingsState) -> list[str]:
    # <#id> only links to a channel. A role is named, not mentioned.
    channels = ", ".join(f"<#{channel}>" for channel in state.channels[:MAX_SHOWN])
    roles = ", ".join(f"**{escape(name, 60)}**" for name in list(state.roles.values())[:MAX_SHOWN])
    return [
        f"## {localizer('settings.title')}",
        localizer("settings.uploads", channels=channels)
        if channels
        else localizer("settings.uploads_nowhere"),
        localizer("settings.roles", roles=roles) if roles else localizer("settings.everyone"),
        localizer("settings.count", count=state.count),
        localizer("settings.model", model=escape(state.model, 60)),
        localizer("settings.private" if state.private else "settings.public"),
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


def _model_select(localizer: Localizer, state: SettingsState) -> Item:
    label = localizer("settings.pick_model")
    options = [
        discord.SelectOption(
            label=clean(f"{label}: {model}", MAX_OPTION),
            value=model[:MAX_OPTION],
            default=model == state.model,
        )
        for model in state.models[:MAX_SHOWN]
    ]
    return ui.Select(custom_id="settings:model", placeholder=label[:150], options=options)


def _turning(localizer: Localizer, page: LibraryPage) -> list[Item]:
    back, on = page.page - 1, page.page + 1
    query = clean(page.query, 60)
    return [
        button(
            f"library:page:{max(back, 0)}:{query}", localizer("button.previous"), disabled=back < 0
        ),
        button(f"library:page:{on}:{query}", localizer("button.next"), disabled=on >= page.pages),
    ]
