"""What a request needs to be answered: one object, at `app.state.served`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

import anyio.to_thread
from fastapi import Depends, Request

from ipse.engine import Ipse
from ipse.errors import Unauthorized
from ipse.plan import Message
from ipse.server.identity import Caller
from ipse.settings import Settings
from ipse.store import Keys

__all__ = ["Asks", "Said", "Served", "Serves", "blocking"]

Said = Callable[[str, Sequence[Message]], None]
"""Told what a person said in a conversation that may be learned from: who, and the turns."""

P = ParamSpec("P")
T = TypeVar("T")


def _unheard(user: str, messages: Sequence[Message]) -> None:
    """Take no notice of what was said."""
    del user, messages


@dataclass
class Served:
    """What a request needs to be answered.

    Attributes:
        engine: Answers.
        settings: How this server is set up.
        said: Told what people said, but for temporary chats; in a worker thread.
    """

    engine: Ipse
    settings: Settings
    said: Said = _unheard

    @property
    def keys(self) -> Keys:
        """Who may ask, and for whom."""
        return self.engine.store.keys


async def _served(request: Request) -> Served:
    served: Served = request.app.state.served
    return served


async def _caller(request: Request) -> Caller:
    """Give who asks; the gate found it out. Whatever it let through without, ends here."""
    caller: Caller | None = request.scope.get("ipse.caller")
    if caller is None:
        raise Unauthorized("this needs a key: send it as 'Authorization: Bearer ipse-...'")
    return caller


Serves = Annotated[Served, Depends(_served)]
Asks = Annotated[Caller, Depends(_caller)]


async def blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what waits for a disk or a model in a thread, so that others are answered meanwhile."""
    return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))
