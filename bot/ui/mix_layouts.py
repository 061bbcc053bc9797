"""Layouts of /mix: the heading that names the seeds, and the basket of collected clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from discord import ui

from bot.i18n import Localizer
from bot.ui.components import QUIET, Item, button, layout, row, small, text
from bot.ui.markdown import clean, escape
from genrec.questions import Seed

NAME_IN_HEADING, NAME_IN_LINE = 50, 30


@dataclass(frozen=True, slots=True)
class MixHead:
    """Heading of an answer for several seeds, and a note for each track.

    ``heading`` names the seeds. ``nearest`` has a note for each track, by its id: the seed that it
    is nearest to.
    """

    heading: str
    nearest: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A collected clip: its number in custom ids, its name, and whether it is liked."""

    number: int
    name: str
    liked: bool


def seed_names(
    localizer: Localizer, seeds: Sequence[Seed], *, key: str = "mix", plain: bool = False
) -> str:
    """Return "Mix of A and B, less of C" in the user's language; ``key`` is "mix" or "radio".

    Names are escaped for Discord, and not if ``plain``.
    """
    cleaned = clean if plain else escape
    named = [
        (seed, cleaned(seed.title, NAME_IN_HEADING) or localizer("answer.your_clip"))
        for seed in seeds
    ]
    liked = [name for seed, name in named if seed.liked]
    less = [name for seed, name in named if not seed.liked]
    heading = localizer(f"{key}.of", names=_joined(localizer, liked))
    if less:
        heading = localizer("mix.less", mix=heading, names=_joined(localizer, less))
    return heading


def nearest_to(localizer: Localizer, seed: Seed) -> str:
    """Return the note of a track that is nearest to one of the seeds."""
    name = escape(seed.title, NAME_IN_LINE) or localizer("answer.your_clip")
    return localizer("mix.nearest", name=name)


def basket(
    localizer: Localizer, lines: Sequence[BasketLine], *, minutes: int, notes: Sequence[str] = ()
) -> ui.LayoutView:
    """Return the collected clips with the buttons to change, mix and clear them.

    ``minutes`` is how long they are kept, and ``notes`` are sentences about what was just added.
    """
    head = [f"## {localizer('mix.basket')}", *notes]
    if not lines:
        empty = localizer("mix.basket_empty", menu=localizer("menus.mix.name"))
        return layout(QUIET, [text("\n".join([*head, empty]))])
    head.append(small(localizer("mix.basket_kept", count=minutes)))
    items: list[Item] = [text("\n".join(head))]
    for place, line in enumerate(lines, start=1):
        name = f"**{place}. {escape(line.name, 100)}**"
        if not line.liked:
            name += f"\n{small(localizer('mix.less_of_this'))}"
        turn = "button.less_of_this" if line.liked else "button.more_of_this"
        items.append(text(name))
        items.append(
            row(
                button(f"basket:turn:{line.number}", localizer(turn)),
                button(f"basket:remove:{line.number}", localizer("button.remove")),
            )
        )
    items.append(
        row(
            button("basket:mix:0", localizer("button.mix_now"), disabled=len(lines) < 2),
            button("basket:clear:0", localizer("button.clear_mix")),
        )
    )
    return layout(QUIET, items)


def _joined(localizer: Localizer, names: Sequence[str]) -> str:
    """Return names as "A", "A and B" or "A, B and C" in the user's language."""
    if len(names) < 2:
        return "".join(names)
    return localizer("mix.and", names=", ".join(names[:-1]), last=names[-1])
