"""What the bot itself declines, before or instead of an analysis."""

from __future__ import annotations

from genrec.errors import GenrecError


class Declined(GenrecError):
    """The bot says no; ``key`` names the sentence in the words, ``values`` fill its gaps."""

    code = "declined"

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values
