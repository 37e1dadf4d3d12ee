"""How many requests a key may send: a bucket of tokens each, refilled as time goes by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from ipse.errors import TooMany

__all__ = ["Rates"]

_MOST = 10_000  # buckets kept; the longest unused is full again by the time it is let go of


class Rates:
    """The buckets of all keys.

    Args:
        a_minute: How many requests a minute; as many at once. 0 is any number.
        clock: Gives seconds.
    """

    def __init__(self, a_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._clock = a_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Take a token from a key's bucket.

        Args:
            key: The key's id.

        Raises:
            TooMany: If there is none; it says how long until there is.
        """
        if not self._most:
            return
        now = self._clock()
        left, then = self._buckets.pop(key, (float(self._most), now))
        left = min(float(self._most), left + (now - then) * self._most / 60)
        self._buckets[key] = (max(left - 1, left if left < 1 else 0.0), now)
        while len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        if left < 1:
            raise TooMany(
                f"more than {self._most} requests a minute with this key. Wait and try again",
                60 * (1 - left) / self._most,
            )
