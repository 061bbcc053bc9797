"""Events that came before: Discord sends some twice, and discord.py passes both on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class EventDedup:
    """The ids of the last events, oldest forgotten first."""

    def __init__(self, *, remembered: int = 10_000, repeated: Callable[[], None]) -> None:
        self._ids: OrderedDict[int, None] = OrderedDict()
        self._remembered = remembered
        self._repeated = repeated

    def is_new(self, event_id: int) -> bool:
        """Tell whether an id is new, and remember it."""
        if event_id in self._ids:
            self._repeated()
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._remembered:
            self._ids.popitem(last=False)
        return True
