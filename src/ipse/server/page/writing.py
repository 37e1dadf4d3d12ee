"""Answers that threads write while the page shows them: the engine's calls are synchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread

from ipse.replies import Pieces

__all__ = ["follow"]


async def follow(
    begin: Callable[[], Pieces], show: Callable[[str], None], stopped: Event
) -> Pieces | None:
    """Show an answer piece by piece.

    Args:
        begin: Begins the answer; called in the thread, for making the plan takes time.
        show: Told all that is written so far, in the page's loop.
        stopped: Set it to end the writing; what is not whole is not kept.

    Returns:
        What was run, once the answer is whole; None where it was stopped.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | Pieces | BaseException | None] = asyncio.Queue()

    def tell(item: str | Pieces | BaseException | None) -> None:
        with suppress(RuntimeError):  # the server has ended, and nobody listens
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def write() -> None:
        try:
            pieces = begin()
            for piece in pieces:
                if stopped.is_set():
                    pieces.close()
                    tell(None)
                    return
                tell(piece)
            tell(pieces)
        except BaseException as error:
            tell(error)

    Thread(target=write, name="page-answer", daemon=True).start()
    text = ""
    while True:
        item = await queue.get()
        while isinstance(item, str) and not queue.empty():  # one message for all that is there
            text += item
            item = queue.get_nowait()
        if isinstance(item, str):
            text += item
            show(text)
            continue
        show(text)
        if isinstance(item, BaseException):
            raise item
        return item
