"""One answer on its way through the step loop, and where its text goes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Literal, TypeAlias

from ipse.backends.local.answers import Answer
from ipse.backends.local.attached import Attachments
from ipse.backends.local.model import LanguageModel
from ipse.backends.local.rows import Row
from ipse.backends.local.runner import Runner

__all__ = ["Mailbox", "Place", "Request", "cost", "release"]


class Place:
    """Where streams of one model are run.

    Attributes:
        model: The model.
        runner: Its rows.
        attachments: What streams attach to it.
    """

    def __init__(self, model: LanguageModel, attachments: Attachments, kept: int) -> None:
        """Open a place.

        Args:
            model: The model.
            attachments: What streams attach to it.
            kept: The most bytes of beginnings to keep.
        """
        self.model = model
        self.attachments = attachments
        self.runner = Runner(model.core, kept)

    def forget(self) -> None:
        """Let go of what was read, and of what was attached and is not in use."""
        with self.model.turn:  # the step loop looks beginnings up while it has the model
            self.runner.beginnings.clear()
        self.attachments.forget()


class Request:
    """One answer to be written.

    Attributes:
        answer: The answer.
        places: Where each of its streams is run.
        asked: How often each place had forgotten when this was asked.
        mailbox: Told each piece of text, and None at the end.
        rows: One a stream, once what they attach is loaded.
        state: `waiting` for its turn, `running`, or `done`.
        loading: The load of what its streams attach, once it was asked for.
        loaded: That load is over.
        error: Why it ended without an answer.
        cancelled: Set by whoever no longer wants it; the loop looks at every step.
    """

    def __init__(self, answer: Answer, places: Sequence[Place], mailbox: Mailbox) -> None:
        """Ask for an answer.

        Args:
            answer: The answer, not yet begun.
            places: Where each of its streams is to be run.
            mailbox: Told what comes of it.
        """
        self.answer = answer
        self.places = places
        self.asked = tuple(place.runner.beginnings.cleared for place in places)
        self.mailbox = mailbox
        self.rows: tuple[Row, ...] = ()
        self.state: Literal["waiting", "running", "done"] = "waiting"
        self.loading: Future[None] | None = None
        self.loaded = False
        self.error: Exception | None = None
        self.cancelled = False

    @property
    def needs_loading(self) -> bool:
        """Whether a stream attaches anything."""
        return any(s.adapters or s.prefix or s.steering for s in self.answer.streams)

    @property
    def at_rest(self) -> bool:
        """Whether no load of it is under way; one that has not begun is called off."""
        return self.loading is None or self.loaded or self.loading.cancel()

    @property
    def read(self) -> bool:
        """Whether all its streams wait for the next token."""
        return all(row.logits is not None for row in self.rows)

    def pairs(self) -> list[tuple[Row, Place]]:
        """Give each row with its place."""
        return list(zip(self.rows, self.places, strict=bool(self.rows)))

    def tell(self, piece: str) -> None:
        """Pass on text that has become certain."""
        if piece:
            self.mailbox.put((self, piece))

    def end(self, error: Exception | None = None) -> None:
        """End it, once."""
        if self.state == "done":
            return
        for row, place in self.pairs():
            place.runner.remove(row)
            place.attachments.release(row.attached)
        self.state, self.error, self.rows = "done", error, ()
        self.mailbox.put((self, None))


def cost(places: Sequence[Place], rows: Sequence[Row]) -> int:
    """Give the most bytes that rows can take, each at its place."""
    return sum(place.runner.cost(row) for row, place in zip(rows, places, strict=True))


def release(places: Sequence[Place], rows: Sequence[Row]) -> None:
    """Say that what some rows attach is no longer in use; they are at the first of the places."""
    for row, place in zip(rows, places, strict=False):
        place.attachments.release(row.attached)


Mailbox: TypeAlias = "SimpleQueue[tuple[Request, str | None]]"
"""Pieces of text, each with the request it is of; None says that the request has ended."""
