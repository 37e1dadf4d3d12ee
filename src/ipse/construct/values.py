"""`values`: system messages of stated values, and answers that keep to them (Janus, 2405.17977).

    style: plain words        background knowledge: a beginner
    informativeness: brief    harmlessness: careful with health

Values are drawn one a dimension, the model writes of them a system message, as a person would tell
what they want, and answers under it. What is answered under the own message is preferred to what is
answered under another one's. Janus asks GPT-4 for all of it, values too; here values come from a
list or are given, and the answers are those of whichever model is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random

from ipse.construct.asking import asked, written
from ipse.construct.base import constructed
from ipse.errors import UsageError
from ipse.methods.base import Steps
from ipse.records import Record
from ipse.text import one_line

__all__ = ["VALUES", "Values"]

VALUES: Mapping[str, tuple[str, ...]] = {
    "style": ("plain words", "formal and precise", "warm and lively", "dry and witty",
              "as a list of points"),
    "background knowledge": ("a beginner", "a student", "an expert", "somebody who reads much"),
    "informativeness": ("very brief", "detailed, with examples", "the reasons behind it",
                        "only what is certain"),
    "harmlessness": ("careful with health and money", "fair to every side",
                     "no advice that could hurt anybody", "says when it does not know"),
}  # fmt: skip
"""The four dimensions of Janus' values, with some of each."""


@dataclass(frozen=True)
class Values:
    """Make system messages of values, and preferences of what is answered under them.

    Attributes:
        people: How many people who are none: each has one value of every dimension.
        tokens: The longest message, and answer, in tokens.
        seed: Of the values and of what the model writes.
    """

    people: int = 4
    tokens: int = 96
    seed: int = 0

    def make(self, prompts: Sequence[str], model: str) -> Steps[list[Record]]:
        """Make the records.

        Args:
            prompts: What is asked under every message.
            model: The name of the model that writes, for the records' source.

        Returns:
            One record a person and prompt: a preference, with the message and the values in `meta`;
            none where the two answers read the same.

        Raises:
            UsageError: If there are fewer than two people: an answer needs another to be better.
        """
        every = list(product(*VALUES.values()))
        if not 2 <= self.people <= len(every):
            raise UsageError(f"people must be from 2 to {len(every)}; got {self.people}")
        drawn = Random(self.seed).sample(every, self.people)
        own = [dict(zip(VALUES, values, strict=True)) for values in drawn]
        told = yield from written(
            asked(_asking(values), self.tokens, self.seed + n) for n, values in enumerate(own)
        )
        messages = [
            one_line(text) or _plainly(values) for text, values in zip(told, own, strict=True)
        ]
        answers = yield from written(
            asked(prompt, self.tokens, self.seed + n, system=message)
            for message in messages
            for n, prompt in enumerate(prompts)
        )
        return [
            constructed(
                "preference",
                "values",
                person,
                number,
                how={"seed": self.seed, "model": model},
                prompt=prompt,
                output=chosen,
                rejected=rejected,
                meta={"how": "choice", "system": messages[person], "values": own[person]},
            )
            for person in range(self.people)
            for number, prompt in enumerate(prompts)
            for chosen, rejected in [_two(answers, person, number, len(prompts))]
            if chosen and rejected and chosen != rejected
        ]


def _two(answers: Sequence[str], person: int, number: int, prompts: int) -> tuple[str, str]:
    """Give one person's answer to a prompt, and the next person's."""
    people = len(answers) // prompts
    other = (person + 1) % people
    return answers[person * prompts + number], answers[other * prompts + number]


def _asking(values: Mapping[str, str]) -> str:
    listed = "\n".join(f"- {dimension}: {value}" for dimension, value in values.items())
    return (
        f"A person wants answers that keep to these values:\n{listed}\n\n"
        "Write two sentences to an assistant, in the person's place, that tell it how to answer."
    )


def _plainly(values: Mapping[str, str]) -> str:
    return "Keep to this. " + ". ".join(f"{name}: {value}" for name, value in values.items()) + "."
