"""Answers in pieces, read in threads: who stops waiting does not wait for the thread."""

from __future__ import annotations

from threading import Lock, Thread

from ipse.replies import Pieces
from ipse.server.context import answering, blocking

__all__ = ["Reading"]


class Reading:
    """One answer that is being read.

    Attributes:
        pieces: The answer.
    """

    def __init__(self, pieces: Pieces) -> None:
        """Begin.

        Args:
            pieces: The answer.
        """
        self.pieces = pieces
        self._turn = Lock()

    async def next(self) -> str | None:
        """Give the next piece; None at the end."""
        return await answering(self._next)

    async def close(self) -> None:
        """End the writing; at once, or where a thread waits for the model still, after that."""
        if not self._turn.acquire(blocking=False):
            Thread(target=self._close, name="ipse-close", daemon=True).start()
            return
        try:
            await blocking(self.pieces.close)
        finally:
            self._turn.release()

    def _next(self) -> str | None:
        with self._turn:
            return next(self.pieces, None)

    def _close(self) -> None:
        with self._turn:
            self.pieces.close()
