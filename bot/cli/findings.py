"""Findings of ``genrec doctor``: the result of each check, and how the command prints them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from genrec.errors import GenrecError


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; genrec does not work if a ``vital`` check fails.

    ``skipped`` marks a check that was not made, for the reason in ``note``; ``ok`` is then true.
    """

    name: str
    ok: bool
    note: str
    vital: bool = True
    skipped: bool = False

    @property
    def mark(self) -> str:
        """The word at the start of the printed line."""
        if self.skipped:
            return "skip"
        if self.ok:
            return "ok"
        return "BAD" if self.vital else "no"


def check(name: str, sentence: Callable[[], str], *, vital: bool = True) -> Finding:
    """Return the finding of a check that returns its note, or raises a GenrecError."""
    try:
        return Finding(name, ok=True, note=sentence(), vital=vital)
    except GenrecError as error:
        return Finding(name, ok=False, note=str(error), vital=vital)


def skip(name: str, reason: str) -> Finding:
    """Return the finding of a check that is not made."""
    return Finding(name, ok=True, note=f"skipped: {reason}", vital=False, skipped=True)
