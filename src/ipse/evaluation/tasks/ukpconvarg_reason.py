"""`ukpconvarg-reason`: write the reason this person would give for this verdict.

question  Topic: Tv is better than books (Tv)
          Argument 1: watching tv is fun and …
          Argument 2: books make you think, and …
          More convincing: argument 2.
          Say why, in one sentence.
target    A2 is a better thought out argument.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ipse.evaluation.task import Item, Measure, Person, Source, Task, spread
from ipse.evaluation.tasks.judgements import UKPCONVARG, Judges, Part
from ipse.records import Record, User

__all__ = ["UkpconvargReason"]


@dataclass(frozen=True, kw_only=True)
class UkpconvargReason(Task):
    """Reasons people gave, each person's latest held out.

    Attributes:
        items: The most held-out reasons of one person, spread evenly.
        held_out: The share of a person's records that is held out: the latest.
        words: The most words of each argument in a question.
        fit: How many people are left for fitting and tuning.
        part: Who is asked: `test`, or `tune` to choose settings by.
        latest: How many records of a person's past are known: the latest; 0 is all.
        least: Who has fewer in their past is not asked.
    """

    name: ClassVar[str] = "ukpconvarg-reason"
    measures: ClassVar[tuple[Measure, ...]] = ("nats", "write")
    metrics: ClassVar[tuple[str, ...]] = (
        "nats_per_token",
        "rouge_l",
        "rouge_1",
        "chrf",
        "egises",
        "perseval",
    )
    source: ClassVar[Source] = UKPCONVARG
    tokens: ClassVar[int] = 40

    items: int = 3
    held_out: float = 0.2
    words: int = 20
    fit: int = 20
    part: Part = "test"
    latest: int = 0
    least: int = 0

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people of the test part; at least 2, for the control."""
        return self._judges().people(count, self._items)

    def population(self) -> Iterator[User]:
        """Give the people of the other part."""
        return self._judges().population()

    def _judges(self) -> Judges:
        return Judges(
            self.root, "content", self.held_out, self.fit, self.part, self.latest, self.least
        )

    def _items(self, later: tuple[Record, ...], judges: Judges) -> tuple[Item, ...]:
        return tuple(judges.item(record, self.words) for record in spread(later, self.items))
