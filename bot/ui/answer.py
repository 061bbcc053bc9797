"""Full layouts of the responses to /recommend, /genre, More like this and Details."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import discord
from discord import ui

from bot.i18n import Localizer
from bot.ui.answer_lines import full_lines, origin, tempo_and_key, words_line
from bot.ui.components import (
    GENRE_COLOURS,
    MAX_CHARACTERS,
    QUIET,
    UNSURE,
    Item,
    bar,
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
from bot.ui.custom_ids import MAX_KEY, more_id
from bot.ui.markdown import escape
from bot.ui.mix_layouts import MixHead
from bot.ui.reasons import GENRES_SHOWN, reason_text
from bot.ui.track_links import SEARCH_LINKS, TrackLinks, title_link
from bot.ui.vote_ids import reason_codes, thumb_id
from genrec.names import artist_key
from genrec.types import Neighbour, Recommendation, Track

PICTURE_NAME = "spectrogram.png"
# Most characters of a name and of a link, tried in turn until the message fits. Some scripts take
# nine characters a letter in a URL, so ten such tracks need the smaller limits.
NAME_AND_LINK_LIMITS = ((80, 300), (60, 180), (40, 120), (28, 100), (28, 0))
NAME_IN_HEADING, LINK_IN_HEADING = 80, 180


def recommendation(
    localizer: Localizer,
    rec: Recommendation,
    *,
    key: str,
    name: str,
    count: int,
    analyzed_s: float | None = None,
    picture: str = "",
    seed: Track | MixHead | None = None,
    links: TrackLinks = SEARCH_LINKS,
    remark: str = "",
) -> ui.LayoutView:
    """Return the full response to /recommend or, with ``seed``, to More like this or /mix.

    ``key`` names the tracks in the custom ids. ``name`` is the clip's title or file name,
    ``count`` the number of tracks requested, and ``picture`` the alt text of ``spectrogram.png``,
    "" if it is not sent. ``links`` has the addresses of the titles. ``remark`` is a line below the
    seed, in the user's language.
    """
    if isinstance(seed, MixHead):
        head, colour = f"## {seed.heading}", genre_colour(rec.genre, unsure=False)
    elif seed is None:
        head = genre_block(localizer, rec, name=name, analyzed_s=analyzed_s)
        colour = genre_colour(rec.genre, unsure=rec.unsure)
    else:
        head, colour = seed_block(localizer, seed), genre_colour(seed.genre, unsure=False)
        head += f"\n{small(remark)}" if remark else ""
    if not isinstance(seed, MixHead):
        head = _with_music(localizer, head, rec)
    heading, footer = _heading(localizer, rec, count), _footer(localizer, rec)
    if rec.known is not None:
        heading = f"{known_line(localizer, rec.known, links)}\n{heading}"
    room = MAX_CHARACTERS - len(head) - len(heading) - len(footer)
    items: list[Item] = [text(head)]
    if picture:
        items.append(gallery(picture))
    items.append(text(heading))
    more = localizer("button.more")
    contents = _fitted(localizer, rec, seed, room, links)
    shown = [neighbour.track.id for neighbour in rec.tracks]
    for neighbour, content in zip(rec.tracks, contents, strict=True):
        accessory = button(more_id(neighbour.track.id, shown), more)
        items.append(ui.Section(ui.TextDisplay(content), accessory=accessory))
    below: list[Item] = [text(footer)] if footer else []
    if seed is None or rec.tracks:  # otherwise neither a genre nor a track to rate
        below.append(
            row(
                *answer_buttons(
                    localizer, key, export=bool(rec.tracks), listen=links.listen, tracks=rec.tracks
                )
            )
        )
    return layout(colour, [*items, *([rule()] if below else []), *below])


def genre(
    localizer: Localizer,
    rec: Recommendation,
    *,
    key: str,
    name: str,
    analyzed_s: float | None = None,
    picture: str = "",
) -> ui.LayoutView:
    """Return the response to /genre."""
    head = genre_block(localizer, rec, name=name, analyzed_s=analyzed_s)
    items: list[Item] = [text(_with_music(localizer, head, rec))]
    if picture:
        items.append(gallery(picture))
    items.append(row(*answer_buttons(localizer, key, export=False)))
    return layout(genre_colour(rec.genre, unsure=rec.unsure), items)


def no_music(localizer: Localizer, *, key: str, name: str, analyzed_s: float) -> ui.LayoutView:
    """Return the response to a clip that holds no music."""
    lines = [
        "## " + localizer("answer.no_music"),
        _analyzed(localizer, name, analyzed_s),
        localizer("errors.no_music"),
    ]
    items: list[Item] = [text("\n".join(lines))]
    return layout(QUIET, [*items, row(*answer_buttons(localizer, key, export=False))])


def genre_colour(label: str | None, *, unsure: bool) -> int:
    """Return the accent colour of a genre: grey if unsure, Discord's blue without one."""
    return UNSURE if unsure else GENRE_COLOURS.get(label or "", QUIET)


def genre_block(
    localizer: Localizer, rec: Recommendation, *, name: str, analyzed_s: float | None
) -> str:
    """Return the genre as a heading, the clip's name, and bars for the most probable genres.

    The last line has the genres in the words of the library, if there are any.
    """
    lines = [_analyzed(localizer, name, analyzed_s)]
    labels = [genre_name(localizer, score.label) for score in rec.scores[:GENRES_SHOWN]]
    if labels:
        first = labels[0]
        lines.insert(0, "## " + (localizer("answer.unsure", genre=first) if rec.unsure else first))
        labels[0] = first if rec.unsure else f"**{first}**"
    for score, label in zip(rec.scores, labels, strict=False):
        lines.append(f"{bar(score.probability)} {label} {percent(localizer, score.probability)}")
    if rec.words:
        lines.append(words_line(localizer, rec.words))
    return "\n".join(lines)


def _with_music(localizer: Localizer, head: str, rec: Recommendation) -> str:
    """Return the head of a response, with lines for tempo, key, sound and sound tags if known."""
    lines = full_lines(localizer, rec)
    return f"{head}\n{lines}" if lines else head


def _analyzed(localizer: Localizer, name: str, analyzed_s: float | None) -> str:
    """Return a small line with the clip's name and the seconds that were analysed."""
    shown = escape(name, NAME_IN_HEADING) or localizer("answer.your_clip")
    if analyzed_s is None:
        return small(localizer("answer.analyzed", name=shown))
    seconds = localizer.duration(analyzed_s)
    return small(localizer("answer.analyzed_for", name=shown, seconds=seconds))


def gallery(alt: str) -> Item:
    """Return a media gallery with the attached ``spectrogram.png`` and its alt text."""
    return ui.MediaGallery(
        discord.MediaGalleryItem(f"attachment://{PICTURE_NAME}", description=alt)
    )


def picture_file(png: bytes, alt: str) -> discord.File:
    """Return the PNG as a Discord file ``spectrogram.png`` with its alt text."""
    return discord.File(BytesIO(png), PICTURE_NAME, description=alt)


def _fitted(
    localizer: Localizer,
    rec: Recommendation,
    seed: Track | MixHead | None,
    room: int,
    links: TrackLinks,
) -> list[str]:
    """Return the tracks' texts, with names and links shortened to fit into ``room`` characters."""
    details = [_detail(localizer, neighbour, rec, seed) for neighbour in rec.tracks]
    texts: list[str] = []
    for name_limit, link_limit in NAME_AND_LINK_LIMITS:
        texts = [
            _track_text(localizer, place, neighbour, detail, links, (name_limit, link_limit))
            for place, (neighbour, detail) in enumerate(zip(rec.tracks, details, strict=True), 1)
        ]
        if sum(map(len, texts)) <= room:
            return texts
    return [content[: room // len(texts)] for content in texts]


def _detail(
    localizer: Localizer, neighbour: Neighbour, rec: Recommendation, seed: Track | MixHead | None
) -> str:
    """Return a track's similarity and the reasons for it; of a mix, also its nearest seed."""
    similarity = localizer("answer.similarity", number=localizer.number(neighbour.similarity, 2))
    label = neighbour.track.genre
    shown = genre_name(localizer, label) if label else ""
    track = seed if isinstance(seed, Track) else None
    parts = [similarity, reason_text(localizer, neighbour, rec, track, genre=shown)]
    if isinstance(seed, MixHead):
        parts.append(seed.nearest.get(neighbour.track.id, ""))
    return " · ".join(filter(None, parts))


def _track_text(
    localizer: Localizer,
    place: int,
    neighbour: Neighbour,
    detail: str,
    links: TrackLinks,
    limits: tuple[int, int],
) -> str:
    name_limit, link_limit = limits
    track = neighbour.track
    artist = track_names(localizer, track, name_limit, name_limit)[1]
    measured = tempo_and_key(localizer, neighbour.description)
    artist = " · ".join([artist, *(each.replace(" ", "\u00a0") for each in measured)])
    title = title_link(localizer, track, links, name_limit, link_limit)
    host = links.host(track, link_limit)
    end = f" · {host}" if host else ""
    return f"**{place}. {title}**\n{artist}\n{small(detail)}{end}"


def seed_block(localizer: Localizer, seed: Track) -> str:
    """Return a heading with the seed of More like this, and a small line with artist and genre."""
    title, artist = track_names(localizer, seed, NAME_IN_HEADING, NAME_IN_HEADING)
    heading = "## " + localizer("answer.like", title=title)
    line = f"{artist} · {genre_name(localizer, seed.genre)}" if seed.genre else artist
    return f"{heading}\n{small(line)}"


def known_line(localizer: Localizer, track: Track, links: TrackLinks) -> str:
    """Return the sentence that names the clip's own recording, without an unknown artist."""
    names = [escape(track.artist, NAME_IN_HEADING)] if artist_key(track.artist) else []
    names.append(title_link(localizer, track, links, NAME_IN_HEADING, LINK_IN_HEADING))
    return localizer("answer.known", name=", ".join(names))


def _heading(localizer: Localizer, rec: Recommendation, wanted: int) -> str:
    note = shortage_note(localizer, rec, wanted)
    if not rec.tracks:
        return note
    heading = "### " + localizer("answer.heading", count=len(rec.tracks))
    return f"{heading}\n{note}" if note else heading


def shortage_note(localizer: Localizer, rec: Recommendation, wanted: int) -> str:
    """Return a sentence if there are fewer tracks than ``wanted``, else ""."""
    count = len(rec.tracks)
    if not count and not wanted:  # Details of an answer without tracks, whose options are unknown
        return localizer("answer.no_tracks")
    why = ", ".join(localizer(f"answer.left_out.{rule}") for rule in rec.left_out)
    # The recommender's note contains more, but in English only.
    note = escape(rec.note, 300) if rec.note and localizer.english else ""
    named = ", ".join(localizer(f"answer.filters.{name}") for name in rec.filters)
    if count == 0:
        fallback = localizer("answer.nothing_fits", filters=named) if named else ""
        if why:
            fallback = localizer("answer.nothing_left", why=why)
        return note or fallback or localizer("answer.nothing_alike")
    if count >= wanted:
        return ""
    few = localizer("answer.few_fit", count=count, filters=named) if named else ""
    if why:
        few = localizer("answer.few_left", count=count, why=why)
    return small(note or few or localizer("answer.fewer", count=count))


def _footer(localizer: Localizer, rec: Recommendation) -> str:
    total_ms = rec.timings_ms.get("total")
    seconds = "" if total_ms is None else localizer.duration(total_ms / 1000)
    last = localizer("answer.footer", seconds=seconds) if seconds else ""
    return "\n".join(small(line) for line in (origin(localizer, rec), last) if line)


def answer_buttons(
    localizer: Localizer,
    key: str,
    *,
    export: bool = False,
    listen: bool = False,
    tracks: Sequence[Neighbour] = (),
) -> list[Item]:
    """Return the thumbs of a response, with Listen and Export where they are wanted.

    The thumbs keep the reasons of the ``tracks``, for the votes.
    """
    if not 0 < len(key) <= MAX_KEY:
        raise ValueError(f"key {key!r} has {len(key)} characters: expected 1 to {MAX_KEY}")
    codes = reason_codes(tracks)
    buttons: list[Item] = [
        button(thumb_id("up", key, codes), emoji="👍"),
        button(thumb_id("down", key, codes), emoji="👎"),
    ]
    if listen:
        buttons.append(button(f"listen:{key}", localizer("button.listen")))
    if export:
        buttons.append(button(f"export:{key}", localizer("button.export")))
    return buttons
