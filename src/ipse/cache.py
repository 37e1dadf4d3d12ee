"""A bounded cache that threads may share; knows nothing of what it holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Cache"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Keeps what was used last, up to a total weight."""

    def __init__(self, weigh: Callable[[Value], int], limit: int) -> None:
        """Make an empty cache.

        Args:
            weigh: How much a value weighs.
            limit: The most that is kept, in that weight.
        """
        self._weigh = weigh
        self._limit = limit
        self._weight = 0
        self._items: OrderedDict[Key, tuple[int, Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Give what is kept under a key, which makes it the latest used."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][1]

    def put(self, key: Key, value: Value) -> None:
        """Keep a value, and let go of the longest unused while there is too much."""
        weight = self._weigh(value)
        with self._lock:
            self._remove(key)
            self._items[key] = weight, value
            self._weight += weight
            while self._weight > self._limit and len(self._items) > 1:
                self._remove(next(iter(self._items)))

    def keep(self, key: Key, value: Value, holds: Callable[[], bool]) -> None:
        """Keep a value, unless it holds no longer once it is kept: what is forgotten must not stay.

        Args:
            key: The key.
            value: The value.
            holds: Says whether it holds still: what went while it was read found nothing to drop.
        """
        self.put(key, value)
        if not holds():
            self.drop(key)

    def drop(self, key: Key) -> None:
        """Let go of a key, if it is there."""
        with self._lock:
            self._remove(key)

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._items.clear()
            self._weight = 0

    def _remove(self, key: Key) -> None:
        if key in self._items:
            self._weight -= self._items.pop(key)[0]
