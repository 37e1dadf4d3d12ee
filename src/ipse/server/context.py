"""What a request needs to be answered: one object, at `app.state.served`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from time import time
from typing import Annotated, ParamSpec, TypeVar

import anyio.to_thread
from fastapi import Depends, Request

from ipse.engine import Ipse
from ipse.errors import Unauthorized
from ipse.plan import Message
from ipse.server.conversations import Listener, uses_of
from ipse.server.gauges import Gauges
from ipse.server.identity import Caller
from ipse.server.jobs import Worker, rule
from ipse.server.observe import Observed
from ipse.server.waiting import Waiting
from ipse.settings import Settings
from ipse.store import Keys

__all__ = ["Asks", "Said", "Served", "Serves", "answering", "blocking"]

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
        observed: Counts, and watches answers.
        ready: Set once the model is loaded.
        since: When the server began, in seconds since 1970.
        worker: Does what is to be learned.
        waiting: The requests that are under way, and how long they may be.
    """

    engine: Ipse
    settings: Settings
    said: Said = _unheard
    observed: Observed = field(default_factory=Observed)
    ready: Event = field(default_factory=Event)
    since: int = field(default_factory=lambda: int(time()))
    worker: Worker = field(init=False)
    waiting: Waiting = field(default_factory=Waiting)

    def __post_init__(self) -> None:
        self.worker = Worker(self.engine, self.observed.job)
        self.observed.registry.register(Gauges(self.engine))
        self.engine.store.jobs.relearn = rule(self.engine, self.settings.relearn)
        if self.settings.learn_conversations:
            self.said = Listener(self.engine, uses_of(self.settings.conversation_uses))

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


async def answering(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what waits for a model in a thread; whoever stops waiting does not wait for its end."""
    call = partial(function, *args, **kwargs)
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)


async def blocking(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what waits for a disk or a model in a thread, so that others are answered meanwhile."""
    return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))
