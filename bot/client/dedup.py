"""Drop duplicate gateway events: Discord sends some twice, and discord.py dispatches both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable


class EventDedup:
    """Cache of the last event ids."""

    def __init__(self, *, size: int = 10_000, on_repeat: Callable[[], None]) -> None:
        self._ids: OrderedDict[int, None] = OrderedDict()
        self._size = size
        self._on_repeat = on_repeat

    def is_new(self, event_id: int) -> bool:
        """Store an event id; return False if it was stored before."""
        if event_id in self._ids:
            self._on_repeat()
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._size:
            self._ids.popitem(last=False)
        return True
