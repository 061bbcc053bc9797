"""Errors of the bot itself; those of an analysis are in ``genrec.errors``."""

from __future__ import annotations

from functools import lru_cache

from bot.i18n import ENGLISH, Localizer, Translations
from genrec.errors import GenrecError


class SettingsError(GenrecError):
    """A setting cannot be used; the sentence names its variable."""

    code = "settings"


class DemoFailed(GenrecError):
    """A step of the demo failed: the bot declined the request or did not respond in time."""

    code = "demo"


class RequestDeclined(GenrecError):
    """A request that the bot declines before an analysis.

    ``key`` names the text among the ``[refusals]``, and ``values`` fill its placeholders. Users see
    the text in their language; ``str()`` of the error is the English one.
    """

    code = "declined"

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    def __str__(self) -> str:
        return _english()(f"refusals.{self.key}", **self.values)


@lru_cache(maxsize=1)
def _english() -> Localizer:
    return Localizer(Translations.load((ENGLISH,)), ENGLISH)
