"""`personas`: people who are made up, and conversations that find them out (ALOE, 2410.03642).

    persona    a nurse who answers in haste and loves chess
    turn 1     user      What should I do tonight?
               chosen    You sound short of time: a quick game of chess?   (knows the persona)
               rejected  There are many things one can do in an evening.   (knows nobody)
    turn 2     goes on after what was chosen

A tree with two branches a turn: the model answers with the persona in view and without, the answer
with it is chosen, and the conversation goes on from there. ALOE draws personas and messages from
GPT-4o, and has it judge; here whichever model is asked writes, and knowing the persona decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ipse.construct.asking import asked, conversed, lines, written
from ipse.construct.base import constructed
from ipse.methods.base import Steps
from ipse.records import Record
from ipse.text import cut, one_line

__all__ = ["Personas"]

_START = (
    "a nurse who is always in haste and loves chess",
    "a retired teacher who likes long talks on history",
    "a student of music, shy and very polite",
    "a farmer who jokes about everything and trusts no machine",
)
"""What the model is shown before it makes up more, and what serves where it makes up too few."""

_LIMIT = 60


@dataclass(frozen=True)
class Personas:
    """Make up people, and conversations with a chosen and a rejected answer at every turn.

    Attributes:
        people: How many; fewer where the model makes up too few.
        turns: How many turns each conversation has.
        tokens: The longest message, in tokens.
        seed: Of what the model writes.
    """

    people: int = 4
    turns: int = 3
    tokens: int = 64
    seed: int = 0

    def make(self, model: str) -> Steps[list[Record]]:
        """Make the records.

        Args:
            model: The name of the model that writes, for the records' source.

        Returns:
            One record a person and turn, of kind `preference`, with the persona, the turn and what
            was said before in `meta`; none where both answers read the same.
        """
        personas = yield from self._personas()
        told: list[list[tuple[str, str]]] = [[] for _ in personas]
        made: list[list[Record]] = [[] for _ in personas]
        for turn in range(self.turns):
            asks = yield from self._asks(personas, told, turn)
            plans = [asked("", self.tokens, self._seed(turn, n)) for n in range(len(personas))]
            knowing = [
                asked("", self.tokens, self._seed(turn, n), system=f"You talk with {persona}. "
                      "Answer as suits this person.")
                for n, persona in enumerate(personas)
            ]  # fmt: skip
            answers = yield from written(
                conversed(before, ask, plan)
                for some in (knowing, plans)
                for before, ask, plan in zip(told, asks, some, strict=True)
            )
            for n, persona in enumerate(personas):
                chosen, rejected = answers[n], answers[len(personas) + n]
                if chosen and rejected and chosen != rejected:
                    before = [list(pair) for pair in told[n]]
                    meta = {"how": "choice", "persona": persona, "turn": turn, "before": before}
                    made[n].append(
                        constructed(
                            "preference",
                            "personas",
                            n,
                            turn,
                            how={"seed": self.seed, "model": model},
                            prompt=asks[n],
                            output=chosen,
                            rejected=rejected,
                            meta=meta,
                        )
                    )
                told[n].append((asks[n], chosen or rejected or "…"))
        return [record for records in made for record in records]

    def _personas(self) -> Steps[list[str]]:
        """Give different people; where the model makes up too few, those it was shown."""
        shown = "\n".join(f"- {persona}" for persona in _START)
        prompt = f"Some people:\n{shown}\n\nWrite {self.people} more such lines, all different."
        tokens = self.tokens * max(1, self.people)
        (text,) = yield from written([asked(prompt, tokens, self.seed)])
        new = [cut(line, _LIMIT) for line in lines(text, 4 * self.people)]
        return list(dict.fromkeys([*new[: self.people], *_START]))[: self.people]

    def _asks(
        self, personas: Sequence[str], told: Sequence[Sequence[tuple[str, str]]], turn: int
    ) -> Steps[list[str]]:
        """Let every persona say the next thing."""
        prompts = []
        for persona, before in zip(personas, told, strict=True):
            said = "\n".join(f"You said: {a}\nThe answer was: {b}" for a, b in before)
            prompts.append(
                f"You are {persona}. You chat with an assistant.\n{said}\n"
                "Write the next thing you say or ask, in one sentence, without saying who you are."
            )
        texts = yield from written(
            asked(prompt, self.tokens, self._seed(turn, n)) for n, prompt in enumerate(prompts)
        )
        return [one_line(text) or "Tell me more." for text in texts]

    def _seed(self, turn: int, number: int) -> int:
        return self.seed + 1000 * turn + number
