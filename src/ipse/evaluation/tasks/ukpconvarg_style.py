"""`ukpconvarg-style`: which of two people's reasons for the same verdict is this person's?

question  Topic: Tv is better than books (Tv)
          Argument 1: watching tv is fun and …
          Argument 2: books make you think, and …
          More convincing: argument 2.
          Say why, in one sentence.
choices   A2 is a better thought out argument. | Argument 2 gives an example.
right     A2 is a better thought out argument.

Both are what people said of the very same pair and verdict, so what there is to tell them by is how
this person writes and what they look for, and nothing of what it is about. Only verdicts that
somebody else gave, too, are asked about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from ipse.evaluation.task import Item, Measure, Person, Source, Task, spread
from ipse.evaluation.tasks.judgements import UKPCONVARG, Judges, Part
from ipse.records import Record, User
from ipse.text import words

__all__ = ["UkpconvargStyle"]


@dataclass(frozen=True, kw_only=True)
class UkpconvargStyle(Task):
    """A person's own latest reasons, each beside another's for the same verdict.

    Attributes:
        items: The most held-out reasons of one person, spread evenly.
        held_out: The share of a person's records that is held out: the latest.
        words: The most words of each argument in a question.
        fit: How many people are left for fitting and tuning.
        part: Who is asked: `test`, or `tune` to choose settings by.
    """

    name: ClassVar[str] = "ukpconvarg-style"
    measures: ClassVar[tuple[Measure, ...]] = ("choose", "nats")
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "likelihood", "nats_per_token")
    source: ClassVar[Source] = UKPCONVARG

    items: int = 8
    held_out: float = 0.2
    words: int = 20
    fit: int = 20
    part: Part = "test"

    def people(self, count: int) -> Iterator[Person]:
        """Give those of the first `count` people of the test part of whom there is an item.

        There are at least 2, for the control.
        """
        found = self._judges().people(count, self._items)
        return (person for person in found if person.items)

    def population(self) -> Iterator[User]:
        """Give the people of the other part."""
        return self._judges().population()

    def _judges(self) -> Judges:
        return Judges(self.root, "content", self.held_out, self.fit, self.part)

    def _items(self, later: tuple[Record, ...], judges: Judges) -> tuple[Item, ...]:
        beside = [(record, _others(record, judges)) for record in later]
        asked = spread([(record, texts) for record, texts in beside if texts], self.items)
        return tuple(self._item(record, texts, judges) for record, texts in asked)

    def _item(self, record: Record, texts: list[str], judges: Judges) -> Item:
        chance = Random(f"{self.seed}:{record.id}")
        choices = [record.output, chance.choice(texts)]
        chance.shuffle(choices)
        right = choices.index(record.output)
        return judges.item(record, self.words, choices=tuple(choices), right=right)


def _others(record: Record, judges: Judges) -> list[str]:
    """Give what others said of the same, other than in the very same words."""
    own = words(record.output)
    return [other.output for other in judges.alike(record) if words(other.output) != own]
