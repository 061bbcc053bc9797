"""Every answer a Discord user sees, as a Components V2 layout in the user's language.

A layout is only a picture of buttons: it arrives *stopped* (``LayoutView.stop()``), so discord.py
keeps no reference to it, and a click is dispatched by its ``custom_id`` alone, through the
``DynamicItem`` classes given to ``client.add_dynamic_items``. So buttons outlive a restart.

Every answer of the bot is such a layout, also a refusal, because a message that once used
Components V2 can never carry ``content`` again: send and edit with ``view=`` only. Names and other
strange text are escaped here: callers hand them over raw.

::

    words = Words.load()
    replies = Replies(words)                       # search_url=, limits= if not the defaults
    pages = Pages(words)                           # bot/ui/pages.py: the pages that are no answers

    replies.recommendation(rec, locale, key=key, name=clip.title, asked=5, heard_s=30.0,
                           picture=True,           # "attachment://spectrogram.png" shown if True
                           seed=None)              # or the Track of More like this
    replies.genre(analysis, locale, key=key, name=..., picture=True)
    replies.picture(png, locale, name=...)         # discord.File to send along: attachments=[...]
    replies.progress("queued", locale, place=3)    # then: fetching, listening, comparing
    replies.refusal(error, locale)                 # GenrecError -> layout; .sentence() -> str
    replies.decline("cooldown", locale, seconds=8) # any key of [refusals] in words/en.toml
    replies.notice("thumb_up", locale)             # any key of [notices] in words/en.toml
    replies.apology("3f2a", locale)                # our fault, with the id that is in the log
    replies.attached("tracks.m3u8", locale, count=5)       # the message round an exported file
    replies.reindex_progress(ReindexState(...), locale, key=key)
    replies.reindex_done(ReindexState(...), locale, csv="failures.csv" or None, cancelled=False)

``locale`` is an ``interaction.locale`` (or its string); an unknown one is answered in English.
``key`` names the answer in the custom ids and holds at most 80 characters.

Custom ids, all of at most 100 characters:

=============================  ===================================================================
``more:TRACK_ID``              More like this, one a track
``thumb:up:KEY``               thumbs up, ``thumb:down:KEY`` down
``export:KEY``                 export the tracks of this answer
``cancel:KEY``                 stop a /reindex
``library:page:N:QUERY``       a page of /library list, from 0; QUERY may be empty or cut to 60
``privacy:delete:yes``         delete what is kept about me; ``privacy:delete:no`` keeps it
``settings:uploads:on``        answer uploads in this channel; ``...:off``
``settings:private:on``        answers only for who asked; ``...:off``
``settings:count``             string select, values "1" to "10"
``settings:roles``             role select, one role; none means everyone
``settings:model``             string select of presets, only where there are two or more
=============================  ===================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import discord
from discord import ui

from bot.i18n import ENGLISH, Translations
from bot.ui import answer
from bot.ui.answer import PICTURE_NAME
from bot.ui.components import (
    BAD,
    CAREFUL,
    GOOD,
    MAX_OPTION,
    QUIET,
    Item,
    Localizer,
    bar,
    button,
    layout,
    row,
    small,
    text,
)
from bot.ui.markdown import clean, escape
from genrec.errors import FileMissing, GenrecError, InputRefused
from genrec.types import Analysis, GenreScore, Recommendation, Track

SEARCH_URL = "https://www.youtube.com/results?search_query="
STAGES = ("queued", "fetching", "listening", "comparing")
# Codes whose sentence stands for many causes: other languages add the English cause in small print.
MANY_CAUSES = ("link_refused", "unsupported_source", "input_refused")
MAX_VALUE = 200


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that refusals name."""

    min_seconds: float = 1.0
    max_minutes: float = 20.0
    max_mb: float = 25.0


@dataclass(frozen=True, slots=True)
class ReindexState:
    """How far a /reindex is, or how it ended.

    ``scope`` is "library" or "server"; ``total`` is 0 while the files are being counted;
    ``current`` is the file in work; ``left_s`` is None where it cannot be told yet.
    """

    scope: str
    done: int = 0
    total: int = 0
    added: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    elapsed_s: float = 0.0
    left_s: float | None = None
    current: str = ""


class Replies:
    """The answers, in whatever language they are asked for."""

    def __init__(
        self,
        translations: Translations,
        *,
        search_url: str = SEARCH_URL,
        limits: Limits | None = None,
    ) -> None:
        self.translations = translations
        self._search_url = search_url
        self._limits = limits or Limits()

    def recommendation(
        self,
        rec: Recommendation,
        locale: object,
        *,
        key: str,
        name: str = "",
        asked: int = 5,
        heard_s: float | None = None,
        picture: bool = False,
        seed: Track | None = None,
    ) -> ui.LayoutView:
        """Lay out an answer; with ``seed``, the answer to More like this of that track.

        ``name`` is the clip's title or file name, ``asked`` the number of tracks asked for, and
        ``picture`` tells that ``spectrogram.png`` is sent along.
        """
        return answer.recommendation(
            Localizer(self.translations, locale),
            rec,
            key=key,
            name=name,
            asked=asked,
            heard_s=heard_s,
            picture=picture,
            seed=seed,
            search_url=self._search_url,
        )

    def genre(
        self,
        analysis: Analysis,
        locale: object,
        *,
        key: str,
        name: str = "",
        picture: bool = False,
        unsure: bool | None = None,
    ) -> ui.LayoutView:
        """Lay out the answer to /genre; unsure, unless told, where wrong is likelier than right."""
        return answer.genre_only(
            Localizer(self.translations, locale),
            analysis.scores,
            unsure=_is_unsure(analysis.scores) if unsure is None else unsure,
            key=key,
            name=name,
            heard_s=analysis.analyzed_s,
            picture=picture,
            model_id=analysis.model_id,
        )

    def picture(self, png: bytes, locale: object, *, name: str = "") -> discord.File:
        """Return the file that goes with ``picture=True``, with its alt text."""
        alt = answer.alt_text(Localizer(self.translations, locale), name)
        return discord.File(BytesIO(png), filename=PICTURE_NAME, description=alt)

    def progress(
        self, stage: str, locale: object, *, place: int = 0, name: str = ""
    ) -> ui.LayoutView:
        """Lay out what is being done: one of STAGES; ``place`` in the queue counts from 1."""
        if stage not in STAGES:
            raise ValueError(f"stage {stage!r} is none of {STAGES}")
        localizer = Localizer(self.translations, locale)
        if stage == "queued":
            line = (
                localizer("progress.queued", place=place)
                if place > 1
                else localizer("progress.next")
            )
        else:
            line = localizer(f"progress.{stage}")
        shown = escape(name, answer.NAME_IN_HEADING)
        below = f"{shown} · {localizer('progress.hint')}" if shown else localizer("progress.hint")
        return layout(QUIET, [text(f"{line}\n{small(below)}")])

    def sentence(self, error: GenrecError, locale: object) -> str:
        """Return what an error says to its reader, ready for a message.

        Refused input explains itself in English; other languages, and errors that are not the
        reader's doing, have a sentence for each code. A code without one keeps its own sentence.
        """
        key = f"errors.{error.code}"
        english = self.translations.translation(locale).code == ENGLISH
        explains_itself = isinstance(error, InputRefused) and not isinstance(error, FileMissing)
        if (english and explains_itself and str(error)) or not self.translations.has(key):
            return escape(str(error), 600)
        return self.translations.text(
            key,
            locale,
            min_seconds=self._limits.min_seconds,
            max_minutes=self._limits.max_minutes,
            max_mb=self._limits.max_mb,
        )

    def refusal(self, error: GenrecError, locale: object) -> ui.LayoutView:
        """Lay out an error as a message."""
        content, cause = self.sentence(error, locale), escape(str(error), 600)
        if error.code in MANY_CAUSES and cause not in ("", content):
            content += "\n" + small(cause)
        return layout(CAREFUL if isinstance(error, InputRefused) else BAD, [text(content)])

    def decline(self, reason: str, locale: object, **values: object) -> ui.LayoutView:
        """Lay out a refusal that is no error: a key of [refusals], its values raw."""
        return layout(CAREFUL, [text(self._filled(f"refusals.{reason}", locale, values))])

    def notice(self, key: str, locale: object, **values: object) -> ui.LayoutView:
        """Lay out a line of good news: a key of [notices], its values raw."""
        return layout(GOOD, [text(self._filled(f"notices.{key}", locale, values))])

    def apology(self, log_id: str, locale: object) -> ui.LayoutView:
        """Lay out that something went wrong on our side; the log has it under ``log_id``."""
        return layout(BAD, [text(self._filled("refusals.failed", locale, {"id": log_id}))])

    def attached(self, filename: str, locale: object, *, count: int) -> ui.LayoutView:
        """Lay out the message round an exported file that is sent along."""
        line = text(self.translations.text("notices.exported", locale, count=count))
        return layout(GOOD, [line, ui.File(f"attachment://{filename}")])

    def label(self, track: Track, limit: int = MAX_OPTION) -> str:
        """Return a track in one plain line, as autocomplete and exported files show it."""
        title, artist = clean(track.title, limit), clean(track.artist, limit)
        return clean(f"{title} — {artist}" if artist else title, limit, otherwise=f"#{track.id}")

    def reindex_progress(self, state: ReindexState, locale: object, *, key: str) -> ui.LayoutView:
        """Lay out a running /reindex with its Cancel button."""
        localizer = Localizer(self.translations, locale)
        lines = ["### " + localizer(_reindex_title(state))]
        if state.total:
            share = state.done / state.total
            lines.append(f"{bar(share, 20)} {localizer.translations.percent(share, locale)}")
        counts = {"done": state.done, "total": state.total}
        if state.left_s is None or not state.elapsed_s:
            lines.append(localizer("reindex.counts_open", **counts))
        else:
            rate = localizer.number(state.done / state.elapsed_s, 1)
            left = localizer.duration(state.left_s)
            lines.append(localizer("reindex.counts", **counts, rate=rate, left=left))
        if current := escape(state.current, 80):
            lines.append(small(localizer("reindex.current", name=current)))
        if state.failed:
            lines.append(small(localizer("reindex.failed", count=state.failed)))
        stop = button(f"cancel:{key}", localizer("button.cancel"), style=discord.ButtonStyle.danger)
        return layout(QUIET, [text("\n".join(lines)), row(stop)])

    def reindex_done(
        self,
        state: ReindexState,
        locale: object,
        *,
        csv: str | None = None,
        cancelled: bool = False,
    ) -> ui.LayoutView:
        """Lay out how a /reindex ended; ``csv`` is the file name of the failures sent along."""
        localizer = Localizer(self.translations, locale)
        summary = localizer(
            "reindex.summary",
            added=state.added,
            unchanged=state.unchanged,
            removed=state.removed,
            failed=state.failed,
            seconds=localizer.duration(state.elapsed_s),
        )
        title = "### " + localizer("reindex.cancelled" if cancelled else "reindex.done")
        items: list[Item] = [text(f"{title}\n{summary}")]
        if csv:
            items += [text(localizer("reindex.failures")), ui.File(f"attachment://{csv}")]
        return layout(CAREFUL if cancelled else GOOD, items)

    def _filled(self, key: str, locale: object, values: dict[str, object]) -> str:
        return self.translations.text(
            key,
            locale,
            **{name: _harmless(value) for name, value in values.items()},
        )


def _harmless(value: object) -> object:
    return escape(value, MAX_VALUE) if isinstance(value, str) else value


def _is_unsure(scores: Sequence[GenreScore]) -> bool:
    return not scores or scores[0].probability < 0.5


def _reindex_title(state: ReindexState) -> str:
    return "reindex.title" if state.scope == "library" else "reindex.title_server"
