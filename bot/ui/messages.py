"""Layouts of progress, refusals, notices, exports and /reindex.

Every message of the bot is a Components V2 layout. Such a message can never have ``content``
again, so send and edit with ``view=`` only. Layouts are
stopped (``LayoutView.stop()``), so discord.py keeps no reference to them. A click is dispatched by
its ``custom_id`` alone, through ``client.add_dynamic_items``, so buttons work after a restart.

Functions take a ``Localizer`` first. They escape names and other untrusted text: pass them raw.
``key`` names the tracks of a response in custom ids and has at most 80 characters.

Custom ids, all of at most 100 characters:

=============================  ===================================================================
``more:TRACK_ID:KEY``          More like this, one per track; KEY names the other tracks of the
                               message, and is absent without any
``details:SOURCE:KEY``         full layout of a compact response; SOURCE is "c" and the start of the
                               clip's digest, or "t" and a track id
``thumb:up:KEY:REASONS``       thumbs up, ``thumb:down:KEY:REASONS`` down; REASONS are those of the
                               tracks, see `bot.ui.vote_ids`, and may be missing
``rate:up:MESSAGE``            string select of the good tracks of a response, ``rate:down:MESSAGE``
                               of the bad ones; MESSAGE is the id of the response
``foryou:on:COUNT:GENRE``      use the user's ratings and answer /foryou; ``foryou:off`` stops it,
                               and ``foryou:no`` refuses
``unwanted:me:MESSAGE``        string select of songs and artists for the user's not-again list,
                               ``unwanted:server:MESSAGE`` for the server's
``song:KIND:USER:COUNT:GENRE`` string select of songs that a link may name; KIND is "recommend" or
                               "genre", USER may choose, GENRE may be empty; tempo, key, "any" for
                               any artist, the reach and codes of the sound tags follow
``listen:KEY``                 send excerpts of the tracks of a response
``export:KEY``                 offer the formats for a list of the tracks of a response
``export:KEY:FORMAT``          send the list in a format
``cancel:KEY``                 stop a /reindex
``library:after:N:ID:QUERY``   page N of /library list, from 0, beginning after a track; with
                               ``before`` it ends there, and ``page:N:QUERY`` is of older messages;
                               QUERY may be empty or cut to 60
``privacy:delete:yes``         delete the user's data; ``privacy:delete:no`` keeps it
``settings:uploads:on``        respond to uploads in this channel; ``...:off``
``settings:private:on``        private responses; ``...:off``
``settings:compact:on``        compact responses on the server; ``...:off``
``settings:count``             string select, values "1" to "10"
``settings:links``             string select, names of search pages or "off"
``settings:roles``             role select, one role; none means everyone
``welcome:uploads``            respond to uploads in the channel of the welcome message
=============================  ===================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.components import (
    BAD,
    CAREFUL,
    GOOD,
    MAX_OPTION,
    QUIET,
    bar,
    button,
    layout,
    row,
    small,
    text,
)
from bot.ui.markdown import clean, escape, names_path
from genrec.audio.kinds import format_names
from genrec.errors import FileMissing, GenrecError, InputRefused
from genrec.types import Track

STAGES = (
    "waiting", "cooldown", "queued", "fetching", "looking_up", "analyzing", "comparing", "mapping",
)  # fmt: skip
# Codes with many causes: other languages add the English cause in small print.
MANY_CAUSES = ("link_refused", "unsupported_source", "unsupported_format", "input_refused")
_MAX_LISTED = 3_500
MAX_VALUE = 200
MAX_CLIP_NAME = 80
# Formats that the result of a /reindex counts one by one.
MAX_FORMATS = 8


class Markup(str):
    """Text that is Markdown already, such as a link to a channel: it is not escaped again."""

    __slots__ = ()


def channel_link(channel_id: int) -> Markup:
    """Return the link to a channel, which Discord shows by its name."""
    return Markup(f"<#{channel_id}>")


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for clips, as error messages and /help show them."""

    min_seconds: float = 1.0
    max_minutes: float = 20.0
    max_mb: float = 25.0


@dataclass(frozen=True, slots=True)
class ReindexState:
    """Progress or result of a /reindex.

    ``scope`` is "library" or "server"; ``total`` is 0 while the files are being counted;
    ``current`` is the file that is analysed; ``left_s`` is None while it cannot be estimated.
    ``left_out`` counts files that are not analysed, ``formats`` those of formats that are not read.
    ``moved`` counts tracks with a new path, ``absent`` those of folders that are missing or empty.
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
    left_out: int = 0
    formats: Mapping[str, int] = field(default_factory=dict)
    moved: int = 0
    absent: int = 0


def progress(
    localizer: Localizer, stage: str, *, place: int = 0, wait_s: float = 0
) -> ui.LayoutView:
    """Return the progress message for a stage of STAGES; ``place`` in the queue is from 1.

    ``wait_s`` are the expected seconds until the user's turn.
    """
    if stage not in STAGES:
        raise ValueError(f"stage {stage!r}: expected one of {STAGES}")
    if stage in ("waiting", "cooldown"):
        line = localizer(f"progress.{stage}", time=localizer.duration(wait_s))
    elif stage != "queued":
        line = localizer(f"progress.{stage}")
    elif place > 1:
        line = localizer("progress.queued", place=place)
    else:
        line = localizer("progress.next")
    items = [text(f"{line}\n{small(localizer('progress.hint'))}")]
    return layout(QUIET, items, unfinished=True)


def sentence(localizer: Localizer, error: GenrecError, limits: Limits) -> str:
    """Return the text of an error, ready for a message.

    In English an input error uses its own sentence. Other languages, errors that are not the
    user's fault, and sentences with a path of the operator's disk use the text of the error's code.
    A code without a text uses its own sentence.
    """
    key = f"errors.{error.code}"
    private = names_path(str(error))
    explains_itself = isinstance(error, InputRefused) and not isinstance(error, FileMissing)
    if explains_itself and str(error) and localizer.english and not private:
        return escape(str(error), 600)
    if not localizer.has(key):
        if not private:
            return escape(str(error), 600)
        key = "errors.error"
    return localizer(
        key,
        min_seconds=limits.min_seconds,
        max_minutes=limits.max_minutes,
        max_mb=limits.max_mb,
        formats=format_names(),
    )


def refusal(
    localizer: Localizer, error: GenrecError, limits: Limits, *, clip: str = ""
) -> ui.LayoutView:
    """Return the message for an error: its text, and the English cause if the code has many.

    ``clip`` is the raw name of the clip, if the message is about one among several.
    """
    content = _refusal_text(localizer, error, limits, clip)
    return layout(CAREFUL if isinstance(error, InputRefused) else BAD, [text(content)])


def not_answered(
    localizer: Localizer,
    refused: Sequence[tuple[str, GenrecError]],
    limits: Limits,
    *,
    left_out: int = 0,
) -> ui.LayoutView:
    """Return the message about clips without an answer: refused ones, and ``left_out`` more."""
    lines = [_refusal_text(localizer, error, limits, clip) for clip, error in refused]
    if left_out:
        lines.append(localizer("refusals.clips_left_out", count=left_out))
    return layout(CAREFUL, [text("\n".join(lines))])


def _refusal_text(localizer: Localizer, error: GenrecError, limits: Limits, clip: str) -> str:
    content, cause = sentence(localizer, error, limits), escape(str(error), 600)
    shown = error.code in MANY_CAUSES and not names_path(str(error))
    if shown and cause not in ("", content):
        content += "\n" + small(cause)
    name = escape(clip, MAX_CLIP_NAME)
    return f"**{name}**\n{content}" if name else content


def about_message(localizer: Localizer, message: discord.Message) -> str:
    """Return a small line with a link to a message and its channel, for a direct message."""
    channel = channel_link(message.channel.id)
    return small(localizer("answer.about_message", url=message.jump_url, channel=channel))


def decline(localizer: Localizer, key: str, **values: object) -> ui.LayoutView:
    """Return the message for a declined request: a key of [refusals] and its raw values."""
    return layout(CAREFUL, [text(localizer(f"refusals.{key}", **_escaped(values)))])


def notice(localizer: Localizer, key: str, **values: object) -> ui.LayoutView:
    """Return a confirmation message: a key of [notices] and its raw values."""
    return layout(GOOD, [text(localizer(f"notices.{key}", **_escaped(values)))])


def apology(localizer: Localizer, log_id: str) -> ui.LayoutView:
    """Return the message for an internal error, with the id under which it is logged."""
    return layout(BAD, [text(localizer("refusals.failed", id=escape(log_id, MAX_VALUE)))])


def formats(localizer: Localizer, key: str, forms: Sequence[str]) -> ui.LayoutView:
    """Return the formats in which the tracks of a response can be exported, as buttons."""
    buttons = [button(f"export:{key}:{form}", localizer(f"choices.{form}")) for form in forms]
    return layout(QUIET, [text(localizer("notices.choose_format")), row(*buttons)])


def attached(
    localizer: Localizer,
    filename: str,
    *,
    count: int,
    total: int | None = None,
    located: bool = False,
) -> ui.LayoutView:
    """Return the message for an exported file: the number of tracks and the attachment.

    ``total`` is the number of tracks that there are, if the file has fewer: those with a path or
    an address if ``located``, else those that fit.
    """
    if total is None or total <= count:
        line = text(localizer("notices.exported", count=count))
    else:
        key = "exported_located" if located else "exported_part"
        line = text(localizer(f"notices.{key}", count=count, total=total))
    return layout(GOOD, [line, ui.File(f"attachment://{filename}")])


def listed(localizer: Localizer, lines: str, *, count: int) -> ui.LayoutView:
    """Return the message with a short list as text that can be copied.

    In a code block nothing is Markdown but its end, which a zero-width space breaks up.
    """
    shown = lines.rstrip("\n").replace("```", "`\u200b``")[:_MAX_LISTED]
    block = text(f"```\n{shown}\n```")
    return layout(GOOD, [text(localizer("notices.exported", count=count)), block])


def imported(
    localizer: Localizer, *, new: int, known: int, refused: int, unknown: int = 0
) -> ui.LayoutView:
    """Return the result of /library import: new, known and unknown tracks, unreadable rows."""
    lines = [localizer("notices.imported", count=new)]
    if known:
        lines.append(localizer("notices.imported_known", count=known))
    if refused:
        lines.append(localizer("notices.imported_refused", count=refused))
    if unknown:
        lines.append(localizer("notices.imported_unknown", count=unknown))
    return layout(CAREFUL if refused or unknown else GOOD, [text("\n".join(lines))])


def label(track: Track, limit: int = MAX_OPTION) -> str:
    """Return "title — artist" as one plain line, for autocomplete and progress."""
    title, artist = clean(track.title, limit), clean(track.artist, limit)
    return clean(f"{title} — {artist}" if artist else title, limit, otherwise=f"#{track.id}")


def reindex_progress(localizer: Localizer, state: ReindexState, *, key: str) -> ui.LayoutView:
    """Return the progress message of a /reindex, with its Cancel button."""
    title = "reindex.title" if state.scope == "library" else "reindex.title_server"
    lines = ["### " + localizer(title)]
    if state.total:
        share = state.done / state.total
        lines.append(f"{bar(share, 20)} {localizer.percent(share)}")
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
    return layout(QUIET, [text("\n".join(lines)), row(stop)], unfinished=True)


def reindex_done(
    localizer: Localizer, state: ReindexState, *, cancelled: bool = False
) -> ui.LayoutView:
    """Return the result of a /reindex."""
    summary = localizer(
        "reindex.summary",
        added=state.added,
        unchanged=state.unchanged,
        removed=state.removed,
        failed=state.failed,
        seconds=localizer.duration(state.elapsed_s),
    )
    lines = ["### " + localizer("reindex.cancelled" if cancelled else "reindex.done"), summary]
    if cancelled:
        lines.append(localizer(f"reindex.cancelled_{state.scope}"))
    if state.moved:
        lines.append(localizer("reindex.moved", count=state.moved))
    if state.absent:
        lines.append(localizer("reindex.absent", count=state.absent))
    if state.left_out:
        lines.append(localizer("reindex.left_out", count=state.left_out))
    if state.formats:
        named = list(state.formats.items())[:MAX_FORMATS]
        lines.append(small(" · ".join(f"{escape(kind, 40)}: {files}" for kind, files in named)))
    return layout(CAREFUL if cancelled else GOOD, [text("\n".join(lines))])


def reindex_failures(localizer: Localizer, csv: str) -> ui.LayoutView:
    """Return the message of the list of failures, which is for the admin alone."""
    return layout(QUIET, [text(localizer("reindex.failures")), ui.File(f"attachment://{csv}")])


def _escaped(values: dict[str, object]) -> dict[str, object]:
    return {
        name: value
        if isinstance(value, Markup) or not isinstance(value, str)
        else escape(value, MAX_VALUE)
        for name, value in values.items()
    }
