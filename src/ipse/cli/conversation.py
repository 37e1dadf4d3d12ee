"""One conversation: what was said so far, how answers are made, and what is thought of them.

What is typed is kept for as long as the conversation runs, and becomes a record only by `remember`
and by what is said of an answer. Replies are kept as the settings say. It knows no terminal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ipse.cli.call import find_record
from ipse.cli.feedback import summary
from ipse.cli.output import counted, short
from ipse.cli.reasons import say_that_it_waits
from ipse.engine import Ipse
from ipse.errors import UsageError
from ipse.plan import Message, Sampling
from ipse.records import Record
from ipse.route import written

__all__ = ["Conversation", "Turn"]

_WARM = 0.8
"""The least temperature at which a question is answered once more: at 0 it is the same answer."""


_DRAFTS = 4
"""Answers that are written to choose from, where it is asked which of two is liked better."""


@dataclass(frozen=True)
class Turn:
    """A question, its answer, the records that the model read, and the reply's id.

    Where it was asked again, `before` is the answer before, to compare with.
    """

    question: str
    answer: str
    evidence: tuple[Record, ...] = ()
    id: str = ""
    before: Turn | None = None


@dataclass
class Conversation:
    """One conversation: who asks, how answers are made, and what was said so far.

    Attributes:
        engine: What answers.
        sampling: How tokens are drawn.
        user: Who asks; nobody gets the generic model.
        method: The composition; the engine's own where it is None.
        strength: 0 is the generic model, 1 the methods as published.
        turns: What was said so far, as the model reads it.
        said: All answers there were, also those that others stand in place of by now.
        offered: Two answers of which the person may pick one.
    """

    engine: Ipse
    sampling: Sampling
    user: str | None = None
    method: str | None = None
    strength: float = 1.0
    turns: list[Turn] = field(default_factory=list)
    said: list[Turn] = field(default_factory=list)
    offered: tuple[Turn, ...] = ()

    def answer(self, question: str) -> Iterator[str]:
        """Answer in pieces, and keep the turn once it is whole."""
        earlier = [*self.turns]
        yield from self._write(question, self.sampling, earlier)
        self.turns[:] = [*earlier, self.said[-1]]

    def again(self) -> Iterator[str]:
        """Answer the last question once more, otherwise, in the place of the answer there is."""
        last, earlier = self._last(), self.turns[:-1]
        yield from self._write(last.question, self._otherwise(), earlier, last)
        self.turns[:] = [*earlier, self.said[-1]]

    def ask(self, text: str) -> str:
        """Answer the last question, or this one, in two ways: those that tell most of you."""
        user = self._known_user()
        question = text or self._last().question
        earlier = self._earlier(question)
        drafts: dict[str, Turn] = {}
        for _ in range(_DRAFTS):
            deque(self._write(question, self._otherwise(), earlier), maxlen=0)
            drafts.setdefault(self.said[-1].answer, self.said[-1])
        found = self.engine.question(user, question, list(drafts), self.method)
        self.offered = (drafts[found.first], drafts[found.second])
        parts = [f"{n}: {turn.answer}" for n, turn in enumerate(self.offered, 1)]
        sure = " Your answers so far settle it." if found.settled else ""
        return "\n\n".join([*parts, f"Which is better? /pick 1 or /pick 2.{sure}"])

    def pick(self, text: str) -> str:
        """Say which of the two answers of /ask is better: 1 or 2."""
        if not self.offered:
            raise UsageError("there is nothing to pick from. Type /ask first")
        if text not in ("1", "2"):
            raise UsageError(f"pick one of the two; got {text!r}. Try: /pick 1")
        first, second = self.offered
        liked, other = (first, second) if text == "1" else (second, first)
        taken = self.engine.feedback(self._known_user(), _kept(liked), better_than=_kept(other))
        self.turns[:] = [*self._earlier(liked.question), replace(liked, before=other)]
        self.offered = ()
        return summary(taken)

    def _earlier(self, question: str) -> list[Turn]:
        """Give what was said before a question, which may be the last one."""
        asked = bool(self.turns) and self.turns[-1].question == question
        return self.turns[:-1] if asked else [*self.turns]

    def _otherwise(self) -> Sampling:
        """Give a way to draw tokens that gives another answer than before."""
        warm = max(self.sampling.temperature, _WARM)
        return replace(self.sampling, temperature=warm, seed=self.sampling.seed + len(self.said))

    def _write(
        self,
        question: str,
        sampling: Sampling,
        earlier: Sequence[Turn],
        before: Turn | None = None,
    ) -> Iterator[str]:
        """Write an answer in pieces; once it is whole it is the last of what was said."""
        pieces = self.engine.stream(
            self.user,
            question,
            after=[turn.id for turn in earlier[-1:]],
            methods=self.method,
            strength=self.strength,
            sampling=sampling,
            history=_history(earlier),
        )
        say_that_it_waits(pieces.plan)
        text = []
        for piece in pieces:
            text.append(piece)
            yield piece
        evidence = self.engine.evidence(self.user, pieces.plan)
        self.said.append(Turn(question, "".join(text), evidence, pieces.id, before))
        self.offered = ()

    def change_strength(self, text: str) -> str:
        """Change how personal answers are: 0 to 1."""
        try:
            strength = float(text)
        except ValueError:
            strength = -1
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must be between 0 and 1; got {text!r}. Try: /strength 0.5")
        self.strength = strength
        return f"strength: {strength:g}"

    def change_method(self, text: str) -> str:
        """Change the methods, such as to bm25:k=4."""
        self.method = written(text)
        return f"methods: {self.method}"

    def remember(self, text: str) -> str:
        """Store a text as something you said."""
        record = self.engine.remember(self._known_user(), text, source="chat")
        return f"Remembered {short(record.id)}"

    def forget(self, text: str) -> str:
        """Forget a record, by its id or the start of it."""
        user = self._known_user()
        record = find_record(self.engine.store, user, text)
        receipt = self.engine.forget(user, record.id)
        return (
            f"Forgot {short(record.id)} and {counted(len(receipt.states), 'state')} learned from it"
        )

    def up(self, text: str) -> str:
        """Say that the last answer is good."""
        del text
        return self._feedback(thumb="up")

    def down(self, text: str) -> str:
        """Say that the last answer is not good."""
        del text
        return self._feedback(thumb="down")

    def rate(self, text: str) -> str:
        """Say how good the last answer is, from 1 to 5."""
        try:
            return self._feedback(rating=float(text))
        except ValueError as error:
            raise UsageError(f"a rating is a number; got {text!r}. Try: /rate 4") from error

    def edit(self, text: str) -> str:
        """Say what the last answer should have been."""
        noted = self._feedback(edit=text)
        self.turns[-1] = replace(self.turns[-1], answer=text)
        return noted

    def better(self, text: str) -> str:
        """Say that the last answer is better than the one before /again, or than a text."""
        if text:
            return self._feedback(better_than=text)
        return self._feedback(regenerated=self._before().id)

    def worse(self, text: str) -> str:
        """Say that the answer before /again is better, and go back to it."""
        del text
        last, before = self._last(), self._before()
        taken = self.engine.feedback(self._known_user(), _kept(before), better_than=_kept(last))
        self.turns[-1] = before
        return summary(taken)

    def begin_anew(self, text: str) -> str:
        """Begin a new conversation."""
        del text
        self.turns.clear()
        self.offered = ()
        return "A new conversation"

    def _last(self) -> Turn:
        if not self.turns:
            raise UsageError("nothing was answered yet. Ask something first")
        return self.turns[-1]

    def _before(self) -> Turn:
        before = self._last().before
        if before is None:
            raise UsageError("there is no answer before this one. Type /again for another one")
        return before

    def _feedback(self, **told: Any) -> str:
        user, last = self._known_user(), self._last()
        return summary(self.engine.feedback(user, _kept(last), **told))

    def _known_user(self) -> str:
        if self.user is None:
            raise UsageError("nobody in particular is talking. Run: ipse chat --user USER")
        return self.user


def _history(turns: Sequence[Turn]) -> list[Message]:
    return [
        message
        for turn in turns
        for message in (Message("user", turn.question), Message("assistant", turn.answer))
    ]


def _kept(turn: Turn) -> str:
    """Give the id of the reply of a turn."""
    if not turn.id:
        raise UsageError(
            "this answer is not kept, so nothing can be said of it: something it was made of was "
            "forgotten, or keep_replies is 0. Type /new to begin anew"
        )
    return turn.id
