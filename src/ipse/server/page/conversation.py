"""A conversation as the page shows it: questions, each answered twice, or more often.

Inert but for what is added: it knows no page and no engine. Each side reads its own earlier
answers, so the generic one learns nothing of the person from the personal one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Literal

from ipse.plan import Message
from ipse.records import Record

__all__ = ["Answer", "Conversation", "Side", "Turn"]

Side = Literal["generic", "personal"]


def _nobody() -> None:
    """Nobody looks."""


@dataclass(eq=False)
class Answer:
    """One answer, while it is written and after.

    Attributes:
        side: Who answers: the model as it is, or the person's own.
        text: What is written so far.
        id: What the reply is kept under; "" where it is not kept.
        evidence: The records the model read, word for word.
        why: Why it is what it is, line by line.
        whole: Whether it was written to its end.
        writing: Whether it is being written.
        note: What there is to say of it, such as that it was stopped.
        thumb: What was said of it: `up`, `down`, or "" for nothing yet.
        best: Whether it was called the better of several.
        stop: Set it to end the writing.
        show: Shows what it has become; whoever draws it sets this, so whoever comes back to the
            view sees it grow on.
    """

    side: Side
    text: str = ""
    id: str = ""
    evidence: tuple[Record, ...] = ()
    why: tuple[str, ...] = ()
    whole: bool = False
    writing: bool = False
    note: str = ""
    thumb: str = ""
    best: bool = False
    stop: Event = field(default_factory=Event)
    show: Callable[[], None] = field(default=_nobody, repr=False)


@dataclass(eq=False)
class Turn:
    """A question and its answers.

    Attributes:
        question: What is asked.
        answers: In the order they were begun; of the personal ones the last is the one that a later
            question refers to.
    """

    question: str
    answers: list[Answer] = field(default_factory=list)

    def latest(self, side: Side) -> Answer | None:
        """Give the last whole answer of a side."""
        return next((a for a in reversed(self.answers) if a.side == side and a.whole), None)


@dataclass
class Conversation:
    """Turns, oldest first.

    Attributes:
        turns: The turns.
    """

    turns: list[Turn] = field(default_factory=list)

    def before(self, turn: Turn, side: Side) -> tuple[tuple[Message, ...], tuple[str, ...]]:
        """Give what a side reads before it answers.

        Args:
            turn: What is about to be answered.
            side: Who answers.

        Returns:
            The earlier turns that this side answered, as messages, and the id of the last reply
            among them, so that the new one is forgotten with what that was made of.
        """
        messages: list[Message] = []
        last: tuple[str, ...] = ()
        for earlier in self.turns[: self.turns.index(turn)]:
            answer = earlier.latest(side)
            if answer is not None and answer.text.strip():
                messages += [Message("user", earlier.question), Message("assistant", answer.text)]
                last = (answer.id,) if answer.id else last
        return tuple(messages), last

    def forget(self, record_ids: frozenset[str]) -> list[Turn]:
        """Let go of every answer that was made from records that are gone, and of what followed it.

        Args:
            record_ids: The records.

        Returns:
            The turns that lost their personal answers.
        """
        lost = []
        spoiled = False
        for turn in self.turns:
            read = {record.id for answer in turn.answers for record in answer.evidence}
            spoiled = spoiled or bool(read & record_ids)
            if spoiled:
                for answer in turn.answers:
                    if answer.side == "personal":
                        answer.stop.set()
                turn.answers[:] = [a for a in turn.answers if a.side == "generic"]
                lost.append(turn)
        return lost

    def stop(self) -> None:
        """End the writing of whatever is being written."""
        for turn in self.turns:
            for answer in turn.answers:
                answer.stop.set()
