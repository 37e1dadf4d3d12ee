"""`ukpconvarg-choice`: which of two arguments convinces this person?

question  Topic: Tv is better than books (Tv)
          Argument 1: watching tv is fun and …
          Argument 2: books make you think, and …
          Which argument convinces you more: argument 1 or argument 2?
choices   argument 1 | argument 2
right     argument 2

Models prefer a place, whatever stands there, and people do too. So which argument comes first is
drawn from the question's hash: the right answer is as often the first as the second, and a model
that only knows the place scores one half. Nearly a third of the verdicts are ties. They are left
out here, and out of histories, where a tie would read as a choice.

On all of this data, nothing personal was found in the choices: what the others chose explains a
person's as well as their own do. The task reports what is, and that may be no gain at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar

from ipse.evaluation.task import Item, Measure, Person, Source, Task, spread
from ipse.evaluation.tasks.judgements import UKPCONVARG, Judges, Part
from ipse.records import Record, User
from ipse.text import cut

__all__ = ["UkpconvargChoice"]

_CHOICES = ("argument 1", "argument 2")
_TIE = "both alike"


@dataclass(frozen=True, kw_only=True)
class UkpconvargChoice(Task):
    """Arguments people chose between, each person's latest choices held out.

    Attributes:
        items: The most held-out choices of one person, spread evenly.
        held_out: The share of a person's verdicts that is held out: the latest.
        words: The most words of each argument in a question.
        ties: Whether `both alike` is a third answer, and ties are asked about and remembered.
        fit: How many people are left for fitting and tuning.
        part: Who is asked: `test`, or `tune` to choose settings by.
    """

    name: ClassVar[str] = "ukpconvarg-choice"
    measures: ClassVar[tuple[Measure, ...]] = ("choose",)
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "likelihood")
    source: ClassVar[Source] = UKPCONVARG

    items: int = 10
    held_out: float = 0.2
    words: int = 40
    ties: bool = False
    fit: int = 20
    part: Part = "test"

    def people(self, count: int) -> Iterator[Person]:
        """Give the first `count` people of the test part; at least 2, for the control.

        Someone whose held-out verdicts are all ties is left out of them.
        """
        for person in self._judges().people(count, self._items):
            if person.items:
                other = person.other and self._told(person.other)
                yield replace(person, history=self._told(person.history), other=other)

    def population(self) -> Iterator[User]:
        """Give the people of the other part."""
        return (self._told(user) for user in self._judges().population())

    def _judges(self) -> Judges:
        return Judges(self.root, "preference", self.held_out, self.fit, self.part)

    def _counts(self, record: Record) -> bool:
        return self.ties or record.meta["choice"] != "equal"

    def _told(self, user: User) -> User:
        return User(user.id, tuple(record for record in user.records if self._counts(record)))

    def _items(self, later: tuple[Record, ...], judges: Judges) -> tuple[Item, ...]:
        asked = [record for record in later if self._counts(record)]
        return tuple(self._item(record, judges) for record in spread(asked, self.items))

    def _item(self, record: Record, judges: Judges) -> Item:
        meta = record.meta
        shown = ["a1", "a2"]
        Random(f"{self.seed}:{record.id}").shuffle(shown)
        texts = {"a1": judges.arguments[meta["arg1"]], "a2": judges.arguments[meta["arg2"]]}
        choices = (*_CHOICES, _TIE) if self.ties else _CHOICES
        listed = " or ".join((", ".join(choices[:-1]), choices[-1]))
        return Item(
            record.id,
            f"Topic: {meta['topic']} ({meta['stance']})\n\n"
            f"Argument 1: {cut(texts[shown[0]].text, self.words)}\n\n"
            f"Argument 2: {cut(texts[shown[1]].text, self.words)}\n\n"
            f"Which argument convinces you more: {listed}?",
            choices=choices,
            right=[*shown, "equal"].index(meta["choice"]),
            group=meta["topic"],
            document=meta["pair_id"],
            time=record.time,
        )
