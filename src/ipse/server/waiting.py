"""How long a request may take: so long, and not beyond the server's own end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CancelScope, current_time, move_on_after

__all__ = ["Waiting"]


class Waiting:
    """The requests that are under way.

    Attributes:
        ending: Whether the server is about to end.
    """

    def __init__(self) -> None:
        """Begin with none, and with no end in sight."""
        self._scopes: set[CancelScope] = set()
        self._lines: set[CancelScope] = set()
        self._end = math.inf

    @property
    def ending(self) -> bool:
        """Whether the server is about to end."""
        return self._end < math.inf

    @contextmanager
    def within(self, limit: float | None) -> Iterator[CancelScope]:
        """Let a request take so long.

        Args:
            limit: How many seconds; None is as long as the server lives.

        Yields:
            What tells whether it took longer.
        """
        with move_on_after(limit) as scope:
            scope.deadline = min(scope.deadline, self._end)
            self._scopes.add(scope)
            try:
                yield scope
            finally:
                self._scopes.discard(scope)
                self._lines.discard(scope)

    def keep_open(self, scope: CancelScope) -> None:
        """Let a request last until the server is told to end, and no longer.

        Args:
            scope: What `within` gave of one that is an open line: nobody waits for its end.
        """
        self._lines.add(scope)
        scope.deadline = current_time() if self.ending else math.inf

    def end(self, grace: float) -> None:
        """End whatever is under way in time, and open lines at once; call it in the answering loop.

        Args:
            grace: How many seconds it may go on.
        """
        self._end = current_time() + grace
        for scope in self._scopes:
            scope.deadline = min(scope.deadline, self._end)
        for scope in self._lines:
            scope.deadline = current_time()
