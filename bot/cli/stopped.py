"""The error of a command stopped with Ctrl-C: it says what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from genrec.errors import GenrecError


class Stopped(GenrecError):
    """The command was stopped with Ctrl-C; the sentence says what is kept."""

    code = "stopped"


@dataclass(slots=True)
class FilesDone:
    """Counts of an indexing run so far."""

    count: int = 0
    total: int = 0

    def sentence(self) -> str:
        """Return how many files are kept and how to go on."""
        if not self.total:
            return "No file is analysed yet."
        return (
            f"{self.count} of {self.total} files are done and kept; run the same command again for"
            " the rest."
        )


@contextmanager
def says_what_is_kept(sentence: Callable[[], str]) -> Iterator[None]:
    """Raise Stopped with the sentence in place of a KeyboardInterrupt of the block."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"Stopped. {sentence()}") from None
