"""What one open page knows, and what it may ask of the engine.

Everything about a person goes through `Desk.who`, which asks each time whether whoever looks may
act for that person; so a key that is revoked ends an open page as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread

from ipse.engine import Ipse
from ipse.errors import UsageError
from ipse.plan import Message, Sampling
from ipse.server.observe import Span
from ipse.server.page.conversation import Conversation

__all__ = ["Desk"]

Result = TypeVar("Result")


@dataclass(eq=False)
class Desk:
    """One open page.

    Attributes:
        engine: What answers.
        may: Says whom a request for a person is of: that person, or an error; the choke point.
        sampling: How tokens are drawn.
        watch: Begins to watch an answer that is drawn so.
        wake: Says that there is something to learn.
        said: Told what a person said, and the turns before it, unless that is temporary.
        bound: The one person this page is of; None where its owner acts for anyone.
        guest: Whether no key was needed.
        chosen: The person it shows; "" where none is chosen.
        strength: 0 is the generic model, 1 the methods as published.
        methods: The composition that answers; None is the engine's own.
        temporary: Whether nothing that is said is kept.
        asked: Who is to be learned of because this page asked for it; None is everybody.
        dark: Whether it is dark; None is as the device is.
        conversation: What was said.
    """

    engine: Ipse
    may: Callable[[str | None], str | None]
    sampling: Sampling
    watch: Callable[[Sampling], Span]
    wake: Callable[[], None]
    said: Callable[[str, Sequence[Message]], None]
    bound: str | None = None
    guest: bool = True
    chosen: str = ""
    strength: float = 1.0
    methods: str | None = None
    temporary: bool = False
    asked: set[str | None] = field(default_factory=lambda: {None})
    dark: bool | None = None
    conversation: Conversation = field(default_factory=Conversation)

    @property
    def who(self) -> str:
        """The person that is shown, if this page may show them.

        Raises:
            UsageError: If nobody is chosen.
        """
        person = self.may(self.chosen or None)
        if person is None:
            raise UsageError("nobody is chosen. Choose a person, or type a new name")
        return person

    @property
    def learner(self) -> str:
        """The same, where more may be learned of them.

        Raises:
            UsageError: If nobody is chosen, or they are paused.
        """
        person = self.who
        if self.engine.store.pauses.since(person) is not None:
            raise UsageError(f"{person!r} is paused, so nothing new is kept. Go on in: Me")
        return person

    def choose(self, person: str) -> None:
        """Show another person; a conversation is of one."""
        self.may(person or None)
        if person != self.chosen:
            self.conversation.stop()
            self.chosen, self.conversation = person, Conversation()

    async def call(self, what: Callable[..., Result], *args: Any, **options: Any) -> Result:
        """Call something that is synchronous, while the page goes on."""
        return await to_thread.run_sync(partial(what, *args, **options))

    async def known(self) -> bool:
        """Whether anything is known of the chosen person."""
        if not self.chosen:
            return False
        return await self.call(self.engine.store.revision, self.who) > 0
