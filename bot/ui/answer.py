"""The answer to one clip: genre, picture and tracks, fitted into what one message may hold."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import ui

from bot.ui.components import (
    GENRE_COLOURS,
    MAX_CHARACTERS,
    QUIET,
    UNSURE,
    Item,
    Localizer,
    bar,
    button,
    layout,
    row,
    rule,
    small,
    text,
)
from bot.ui.markdown import clean, escape, host_of, query, web_address
from genrec.types import GenreScore, Neighbour, Recommendation, Track

PICTURE_NAME = "spectrogram.png"
MAX_KEY = 80
GENRES_SHOWN = 3
# Timbre in words, from the similarity at which each begins.
CLOSENESS = ((0.75, "very_close"), (0.5, "close"), (-1.0, "related"))
# A genre below this share of the clip was not heard in it.
HEARD = 0.1
# Characters of a name and of a link, tried in turn until the message holds them all. Ten tracks in
# a script that a URL writes with nine characters a letter would not fit otherwise.
FITS = ((80, 300), (60, 180), (40, 120), (28, 100), (28, 0))
NAME_IN_HEADING = 80


def recommendation(
    localizer: Localizer,
    rec: Recommendation,
    *,
    key: str,
    name: str,
    asked: int,
    heard_s: float | None,
    picture: bool,
    seed: Track | None,
    search_url: str,
) -> ui.LayoutView:
    """Lay out a recommendation; ``seed`` is the track whose neighbours these are, if it is one."""
    if seed is None:
        head = genre_block(localizer, rec.scores, unsure=rec.unsure, name=name, heard_s=heard_s)
        colour = genre_colour(rec.genre, unsure=rec.unsure)
    else:
        head, colour = _seed_block(localizer, seed), genre_colour(seed.genre, unsure=False)
    alike, foot = _heading(localizer, rec, asked), _footer(localizer, rec)
    around = len(head) + len(alike) + len(foot)
    reasons = [reason(localizer, neighbour, rec, seed) for neighbour in rec.tracks]
    texts = _fitted(localizer, rec.tracks, reasons, search_url, MAX_CHARACTERS - around)
    items: list[Item] = [text(head)]
    if picture:
        items.append(gallery(localizer, name))
    items.append(text(alike))
    for neighbour, content in zip(rec.tracks, texts, strict=True):
        more = button(f"more:{neighbour.track.id}", localizer("button.more"))
        items.append(ui.Section(ui.TextDisplay(content), accessory=more))
    items += [rule(), text(foot), _thumbs(localizer, key, export=bool(rec.tracks))]
    return layout(colour, items)


def genre_only(
    localizer: Localizer,
    scores: Sequence[GenreScore],
    *,
    unsure: bool,
    key: str,
    name: str,
    heard_s: float | None,
    picture: bool,
    model_id: str,
) -> ui.LayoutView:
    """Lay out the answer to /genre."""
    head = genre_block(localizer, scores, unsure=unsure, name=name, heard_s=heard_s)
    items: list[Item] = [text(head)]
    if picture:
        items.append(gallery(localizer, name))
    items += [text(small(escape(model_id, 60))), _thumbs(localizer, key, export=False)]
    return layout(genre_colour(scores[0].label if scores else "", unsure=unsure), items)


def genre_colour(label: str, *, unsure: bool) -> int:
    """Return the accent colour of an answer."""
    return UNSURE if unsure else GENRE_COLOURS.get(label, QUIET)


def genre_block(
    localizer: Localizer,
    scores: Sequence[GenreScore],
    *,
    unsure: bool,
    name: str,
    heard_s: float | None,
) -> str:
    """Return the genre as a heading, what was heard, and bars for the most probable genres."""
    shown = escape(name, NAME_IN_HEADING, otherwise=localizer("answer.your_clip"))
    if heard_s is None:
        lines = [small(localizer("answer.heard", name=shown))]
    else:
        seconds = localizer.duration(heard_s)
        lines = [small(localizer("answer.heard_for", name=shown, seconds=seconds))]
    if scores:
        first = localizer.genre(scores[0].label)
        lines.insert(0, "## " + (localizer("answer.unsure", genre=first) if unsure else first))
    for place, score in enumerate(scores[:GENRES_SHOWN]):
        label, share = localizer.genre(score.label), localizer.percent(score.probability)
        label = f"**{label}**" if place == 0 and not unsure else label
        lines.append(f"{bar(score.probability)} {label} {share}")
    return "\n".join(lines)


def gallery(localizer: Localizer, name: str) -> Item:
    """Return the picture that is sent along as ``spectrogram.png``, with its alt text."""
    media = discord.MediaGalleryItem(
        f"attachment://{PICTURE_NAME}", description=alt_text(localizer, name)
    )
    return ui.MediaGallery(media)


def alt_text(localizer: Localizer, name: str) -> str:
    """Return what the picture shows, in words; alt texts know no markup."""
    shown = clean(name, NAME_IN_HEADING, otherwise=localizer("answer.your_clip"))
    return localizer("answer.alt", name=shown)[:1024]


def reason(
    localizer: Localizer, neighbour: Neighbour, rec: Recommendation, seed: Track | None = None
) -> str:
    """Say in a few words why a track is in the answer, as far as the data allows."""
    label = neighbour.track.genre
    closeness = next(word for least, word in CLOSENESS if neighbour.similarity >= least)
    words = [localizer(f"reason.{closeness}")]
    if label:
        words.insert(0, _genre_reason(localizer, label, rec, seed))
    return ", ".join(words)


def _genre_reason(localizer: Localizer, label: str, rec: Recommendation, seed: Track | None) -> str:
    heard = {score.label for score in rec.scores[:GENRES_SHOWN] if score.probability >= HEARD}
    same = label == seed.genre if seed else label == rec.genre and not rec.unsure
    if same:
        return localizer("reason.same_genre")
    if seed is None and label in heard:
        return localizer("reason.also_heard", genre=localizer.genre(label))
    return localizer("reason.other_genre", genre=localizer.genre(label))


def link(localizer: Localizer, track: Track, search_url: str, limit: int) -> str:
    """Return a link to the track's page, or to a search for it; "" where ``limit`` is too short.

    The label names the page's host: nobody is led to a place that the words hide.
    """
    page = web_address(track.source)
    if page and len(page) <= limit:
        return f"[{localizer('answer.listen', host=host_of(page))}]({page})"
    wanted = query(f"{track.artist} {track.title}", limit - len(search_url))
    return f"[{localizer('answer.search')}]({search_url}{wanted})" if wanted else ""


def _fitted(
    localizer: Localizer,
    tracks: Sequence[Neighbour],
    reasons: Sequence[str],
    search_url: str,
    room: int,
) -> list[str]:
    """Return the tracks' texts, names and links shortened until all fit into ``room``."""
    texts: list[str] = []
    for name_limit, link_limit in FITS:
        texts = [
            _track_text(localizer, place, neighbour, why, name_limit)
            + _linked(link(localizer, neighbour.track, search_url, link_limit))
            for place, (neighbour, why) in enumerate(zip(tracks, reasons, strict=True), start=1)
        ]
        if sum(map(len, texts)) <= room:
            return texts
    return [content[: room // len(texts)] for content in texts]


def _track_text(
    localizer: Localizer, place: int, neighbour: Neighbour, why: str, limit: int
) -> str:
    title, artist = (
        localizer.title(neighbour.track, limit),
        localizer.artist(neighbour.track, limit),
    )
    similarity = localizer("answer.similarity", number=localizer.number(neighbour.similarity, 2))
    return f"**{place}. {title}**\n{artist}\n{small(f'{similarity} · {why}')}"


def _linked(markdown: str) -> str:
    return f" · {markdown}" if markdown else ""


def _seed_block(localizer: Localizer, seed: Track) -> str:
    title, artist = localizer.title(seed, NAME_IN_HEADING), localizer.artist(seed, NAME_IN_HEADING)
    heading = "## " + localizer("answer.like", title=title)
    line = f"{artist} · {localizer.genre(seed.genre)}" if seed.genre else artist
    return f"{heading}\n{small(line)}"


def _heading(localizer: Localizer, rec: Recommendation, asked: int) -> str:
    count = len(rec.tracks)
    # The note of the core says more, but in English only.
    note = (
        escape(rec.note, 300)
        if localizer.translations.translation(localizer.locale).code == "en"
        else ""
    )
    if count == 0:
        return note or localizer("answer.nothing_alike")
    heading = "### " + localizer("answer.heading", count=count)
    if count < asked:
        heading += "\n" + small(note or localizer("answer.fewer", count=count))
    return heading


def _footer(localizer: Localizer, rec: Recommendation) -> str:
    model, total_ms = escape(rec.model_id, 60), rec.timings_ms.get("total")
    if total_ms is None:
        return small(model)
    return small(
        localizer("answer.footer", model=model, seconds=localizer.duration(total_ms / 1000))
    )


def _thumbs(localizer: Localizer, key: str, *, export: bool) -> Item:
    if not 0 < len(key) <= MAX_KEY:
        raise ValueError(f"key {key!r} has {len(key)} characters; 1 to {MAX_KEY} are needed")
    buttons: list[Item] = [
        button(f"thumb:up:{key}", emoji="👍"),
        button(f"thumb:down:{key}", emoji="👎"),
    ]
    if export:
        buttons.append(button(f"export:{key}", localizer("button.export")))
    return row(*buttons)
