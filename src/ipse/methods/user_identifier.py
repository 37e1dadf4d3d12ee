"""`user-identifier`: random words stand for each person, and one adapter learns from all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ipse.job import Job, Lora, Schedule
from ipse.methods.base import Base, Level, Method, Steps
from ipse.methods.examples import (
    adapted,
    examples,
    modules,
    others,
    pointing,
    records_of,
    taught,
)
from ipse.methods.pairs import Answer
from ipse.plan import Adapter, Need, Plan
from ipse.records import User
from ipse.state import State

__all__ = ["UserIdentifier"]

_LISTED = (
    "acid arch band bark bead bell bird boat bolt bone bowl cage calf cape card cart clay coal "
    "coat coin cone cord cork corn crab crow cube deer desk disc dome door drum duck dust fern "
    "film fish flag foam fork frog fuel gate gift glue goat gold hail harp hawk helm herb hill "
    "hook horn iron jade kite knot lace lake lamp leaf"
)
_WORDS = _LISTED.split()
"""Short words, one token each in most vocabularies: 64, so six bits a word."""


@dataclass(frozen=True)
class UserIdentifier(Method):
    """Put a person's own random words in front of the question: UserIdentifier (2110.00135).

    The words come from a hash of the person's id, are never trained and never change; one adapter
    is trained on everyone, each person's answers under their own words. Someone new has words, too,
    though nothing was learned about them.

    Attributes:
        length: How many words stand for a person.
        people: How many people it is trained on: the first who share what they wrote.
        records: How many answers of each: the latest.
        given: The most words of what an answer is to; both its ends are kept.
        rank: The adapter's rank.
        alpha: Its scale, before it is divided by the rank.
        modules: What it changes in every layer: some of q, k, v, o, gate, up and down.
        rate: The highest learning rate.
        epochs: How often each answer is learned from.
        batch: Answers an update.
        clip: The longest gradient; 0 is any.
        seed: Of the words, of the order and of what training begins with.
    """

    name: ClassVar[str] = "user-identifier"
    level: ClassVar[Level] = "model"
    base: ClassVar[Base] = "lm"
    needs: ClassVar[frozenset[Need]] = frozenset({"adapters"})
    paper: ClassVar[str] = "2110.00135"
    shared: ClassVar[bool] = True

    length: int = field(default=10, metadata={"most": 40})
    people: int = 25
    records: int = 20
    given: int = 60
    rank: int = 8
    alpha: float = 8.0
    modules: str = "q k v o"
    rate: float = 1e-3
    epochs: int = 2
    batch: int = 4
    clip: float = 1.0
    seed: int = 0

    def identifier(self, user: str) -> str:
        """Give the words that stand for a person, the same on every machine."""
        digest = hashlib.shake_256(f"{self.seed}/{user}".encode()).digest(self.length)
        return " ".join(_WORDS[byte % len(_WORDS)] for byte in digest)

    def fit(self, people: Iterable[User]) -> Steps[State | None]:
        """Train the adapter, everyone's answers under their own words."""
        found = others(people, self.people, self.records, self.given)
        if not found:
            return None
        job = Job(
            Lora(self.rank, self.alpha, modules(self.modules)),
            tuple(e for user, own in found.items() for e in examples(self._named(own, user), user)),
            schedule=Schedule(self.rate, self.epochs, self.batch, clip=self.clip),
            seed=self.seed,
        )
        return (yield from taught(job, records_of(*found.values())))

    def enroll(self, user: User, shared: State | None) -> State | None:
        """Remember which adapter everyone has now."""
        del user
        return pointing(shared)

    def apply(self, plan: Plan, user: User, state: State | None) -> Plan:
        """Say who asks, and attach the adapter."""
        if state is None:
            return plan
        return adapted(self._asked(plan, user.id), Adapter(state.facts["adapter"]))

    def _named(self, found: Iterable[Answer], user: str) -> list[Answer]:
        return [replace(answer, plan=self._asked(answer.plan, user)) for answer in found]

    def _asked(self, plan: Plan, user: str) -> Plan:
        return plan.with_question(f"{self.identifier(user)}\n\n{plan.main.question}")
