"""How long whoever asks still waits: what is waited for elsewhere on their behalf ends with that.

Who knows how long that is stands at the door, and what waits for a network at the bottom. Between
them are plans and methods, which need not know of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

__all__ = ["Patience", "patience", "waiting"]


class Patience:
    """Of somebody who waits, and until when; threads may share it."""

    def __init__(self, limit: float | None = None) -> None:
        """Begin to wait.

        Args:
            limit: For how many seconds at most; None is without end.
        """
        self._end = math.inf if limit is None else time.monotonic() + limit
        self._ways: set[Callable[[], None]] = set()
        self._lock = Lock()

    @property
    def left(self) -> float:
        """How many seconds they wait still; at least 0."""
        return max(0.0, self._end - time.monotonic())

    def end(self) -> None:
        """Wait no longer: whatever is waited for is cut off."""
        with self._lock:
            self._end = -math.inf
            ways = list(self._ways)
        for cut in ways:
            cut()

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Wait for something that can be cut off.

        Args:
            cut: Cuts it off; it is called from another thread, and must not raise.

        Yields:
            Nothing.
        """
        with self._lock:
            self._ways.add(cut)
            over = self._end == -math.inf
        if over:
            cut()
        try:
            yield
        finally:
            with self._lock:
                self._ways.discard(cut)


_NOBODYS = Patience()

_current: ContextVar[Patience] = ContextVar("ipse_patience", default=_NOBODYS)


def patience() -> Patience:
    """Give that of whom this is done for; without end where nobody said how long they wait."""
    return _current.get()


@contextmanager
def waiting(limit: float | None) -> Iterator[None]:
    """Do something for somebody who waits so long, and not beyond the end of this.

    Args:
        limit: How many seconds; None says nothing of how long, nor of an end.

    Yields:
        Nothing.
    """
    if limit is None:
        yield
        return
    mine = Patience(limit)
    token = _current.set(mine)
    try:
        yield
    finally:
        _current.reset(token)
        mine.end()
