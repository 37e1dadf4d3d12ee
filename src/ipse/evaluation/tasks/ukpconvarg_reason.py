"""`ukpconvarg-reason`: write the reason this person would give for this verdict.

question  Topic: Tv is better than books (Tv)
          Argument 1: watching tv is fun and …
          Argument 2: books make you think, and …
          More convincing: argument 2.
          Say why, in one sentence.
target    A2 is a better thought out argument.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ipse.errors import UsageError
from ipse.evaluation.task import Item, Person, Split, split
from ipse.importers.ukpconvarg import Argument, prompt
from ipse.records import Record, User
from ipse.store import Store

__all__ = ["UkpconvargReason"]


@dataclass(frozen=True)
class UkpconvargReason:
    """Judgements of a store, each person's latest held out.

    Attributes:
        store: Where the records are.
        arguments: The arguments they are about, by id.
        held_out: The share of a person's records that is held out: the latest.
        items: The most held-out records a person is asked about, spread evenly.
        words: The most words of each argument in a question.
        fit: How many people are left for fitting and tuning.
    """

    name: ClassVar[str] = "ukpconvarg-reason"

    store: Store
    arguments: Mapping[str, Argument]
    held_out: float = 0.2
    items: int = 3
    words: int = 20
    fit: int = 20

    def people(self, count: int) -> list[Person]:
        """Give the first `count` people of the test part, each with the one who stands in for them.

        Args:
            count: How many, at least 2.

        Returns:
            The people.

        Raises:
            UsageError: If there are fewer than 2.
        """
        users = [self._user(user) for user in self._split().test[:count]]
        if len(users) < 2:
            raise UsageError(
                "the control puts another person in each one's place, so it needs at least 2 "
                f"people; got {len(users)}"
            )
        cuts = [int(len(user) * (1 - self.held_out)) for user in users]
        pasts = [u.before(u.records[cut].time) for u, cut in zip(users, cuts, strict=True)]
        people = []
        for user, cut, past in zip(users, cuts, pasts, strict=True):
            later = _spread(user.records[cut:], self.items)
            other = _nearest(later, [view for view in pasts if view.id != user.id])
            people.append(Person(past, tuple(self._item(r) for r in later), other))
        return people

    def population(self) -> list[User]:
        """Give the people of the other part."""
        return [self._user(user) for user in self._split().fit]

    def _split(self) -> Split:
        return split(self.store.everybody(), self.fit)

    def _user(self, user: str) -> User:
        return self.store.user(user, kinds=("content",))

    def _item(self, record: Record) -> Item:
        meta = record.meta
        texts = (self.arguments[meta["arg1"]].text, self.arguments[meta["arg2"]].text)
        asked = prompt(meta["topic"], meta["stance"], *texts, meta["choice"], words=self.words)
        return Item(record.id, asked, record.output)


def _spread(records: Sequence[Record], count: int) -> list[Record]:
    """Take `count` records at even distances."""
    return [records[i * len(records) // count] for i in range(min(count, len(records)))]


def _nearest(items: Sequence[Record], views: Sequence[User]) -> User:
    """Give the view with the largest share of records on the items' topics."""
    asked = Counter(record.meta["topic"] for record in items)

    def share(view: User) -> float:
        written = Counter(record.meta["topic"] for record in view.records)
        covered = sum(count for topic, count in asked.items() if written[topic])
        return covered + sum(written[topic] for topic in asked) / len(view)

    return max(views, key=share)
