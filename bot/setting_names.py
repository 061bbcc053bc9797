"""Names of settings: which variables are none, and which name is the nearest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def unknown_names(given: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return a warning for each given name that is not known, with the nearest known one."""
    return [
        f"{name} is not a setting of genrec, so it has no effect. {_advice(name, known)}"
        for name in sorted(set(given) - set(known))
    ]


def _advice(name: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(name, known, n=1, cutoff=0.8)
    return f"Did you mean {nearest[0]}?" if nearest else "Remove it, or look in docs/settings.md."
